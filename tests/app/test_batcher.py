from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.answers import Answer
from app.batcher import Batcher, Submitted
from app.classifier import Classifier
from app.errors import ConvoluError, NotReady, Overloaded, UnsupportedImage
from app.preprocess import Pixels
from tests.app.pooled import pooled_model
from tests.conftest import BLUE, GREEN, RED, colour_model, encode


class Gate(Classifier):
    """A classifier that waits at a gate, so that a test decides when a batch runs."""

    def __init__(self) -> None:
        super().__init__(colour_model())
        self.open, self.waiting = threading.Event(), threading.Event()
        self.batch_sizes: list[int] = []

    def classify(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        if hasattr(self, "batch_sizes"):  # not while it is loaded and checked
            self.batch_sizes.append(len(batch))
            self.waiting.set()
            assert self.open.wait(10)
        return super().classify(batch)


class Slow(Classifier):
    """A classifier that takes at least 5 ms for each image and 20 for each run."""

    def pixels_from(self, data: bytes) -> Pixels:
        spend(0.005)
        return super().pixels_from(data)

    def classify(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        spend(0.02)
        return super().classify(batch)


def spend(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


class Faulty(Classifier):
    """A classifier with a fault in our own code, behind every check at load."""

    def pixels_from(self, data: bytes) -> Pixels:
        if data == b"fault":
            raise ZeroDivisionError("a fault of ours")
        return super().pixels_from(data)


@pytest.fixture
def gate() -> Iterator[Gate]:
    classifier = Gate()
    yield classifier
    classifier.open.set()


def colour_of(answer: object) -> str:
    assert isinstance(answer, np.ndarray)
    return ["red", "green", "blue"][int(answer.argmax())]


def test_each_request_gets_its_own_answer_in_order() -> None:
    async def ask() -> list[str]:
        batcher = Batcher(Classifier(colour_model()), max_batch_size=4, max_queue_size=100)
        images = [RED, GREEN, BLUE] * 20
        answers = await batcher.submit(images).answered
        batcher.close()
        return [colour_of(answer) for answer in answers]

    assert asyncio.run(ask()) == ["red", "green", "blue"] * 20


def test_a_broken_image_spoils_only_itself_in_the_middle_of_a_batch(gate: Gate) -> None:
    async def ask() -> list[object]:
        batcher = Batcher(gate, max_batch_size=8, max_queue_size=8)
        first = batcher.submit([RED]).answered
        await asyncio.to_thread(gate.waiting.wait, 10)
        later = batcher.submit([GREEN, b"no image", BLUE]).answered
        gate.open.set()
        answers: list[object] = [*await first, *await later]
        batcher.close()
        return answers

    red, green, broken, blue = asyncio.run(ask())
    assert [colour_of(red), colour_of(green), colour_of(blue)] == ["red", "green", "blue"]
    assert isinstance(broken, UnsupportedImage)
    assert gate.batch_sizes == [1, 2]


def test_what_waits_while_one_batch_runs_becomes_the_next_up_to_the_limit(gate: Gate) -> None:
    async def ask() -> None:
        batcher = Batcher(gate, max_batch_size=4, max_queue_size=100)
        first = batcher.submit([RED]).answered
        await asyncio.to_thread(gate.waiting.wait, 10)
        rest = [batcher.submit([RED]).answered for _ in range(6)]
        gate.open.set()
        await asyncio.gather(first, *rest)
        batcher.close()

    asyncio.run(ask())
    assert gate.batch_sizes == [1, 4, 2]


def test_a_full_queue_refuses_at_once_and_serves_what_it_took(gate: Gate) -> None:
    async def ask() -> None:
        batcher = Batcher(gate, max_batch_size=1, max_queue_size=2)
        taken = [batcher.submit([RED]).answered]
        await asyncio.to_thread(gate.waiting.wait, 10)
        taken += [batcher.submit([RED]).answered, batcher.submit([RED]).answered]
        with pytest.raises(Overloaded, match="2 images are waiting"):
            batcher.submit([RED])
        gate.open.set()
        assert [colour_of(answer) for (answer,) in await asyncio.gather(*taken)] == ["red"] * 3
        assert len(await batcher.submit([RED]).answered) == 1
        batcher.close()

    asyncio.run(ask())


def test_a_request_larger_than_the_queue_is_served_when_nothing_waits() -> None:
    async def ask() -> int:
        batcher = Batcher(Classifier(colour_model()), max_batch_size=4, max_queue_size=2)
        answers = await batcher.submit([RED] * 9).answered
        batcher.close()
        return len(answers)

    assert asyncio.run(ask()) == 9


def test_a_client_that_left_before_its_turn_is_not_computed(gate: Gate) -> None:
    async def ask() -> None:
        batcher = Batcher(gate, max_batch_size=1, max_queue_size=10)
        first = batcher.submit([RED]).answered
        await asyncio.to_thread(gate.waiting.wait, 10)
        gone = batcher.submit([GREEN]).answered
        stays = batcher.submit([BLUE]).answered
        gone.cancel()
        gate.open.set()
        await first
        assert [colour_of(answer) for answer in await stays] == ["blue"]
        batcher.close()

    asyncio.run(ask())
    assert len(gate.batch_sizes) == 2


def test_a_fault_of_ours_is_an_answer_too_and_the_thread_lives_on() -> None:
    async def ask() -> list[object]:
        batcher = Batcher(Faulty(colour_model()), max_batch_size=4, max_queue_size=10)
        together = batcher.submit([RED, b"fault"]).answered, batcher.submit([BLUE]).answered
        answers: list[object] = [
            *await together[0],
            *await together[1],
            *await batcher.submit([GREEN]).answered,
        ]
        batcher.close()
        return answers

    red, fault, blue, green = asyncio.run(ask())
    assert [colour_of(red), colour_of(blue), colour_of(green)] == ["red", "blue", "green"]
    assert isinstance(fault, ConvoluError)
    assert fault.status == 500
    assert isinstance(fault.__cause__, ZeroDivisionError)
    assert "fault of ours" not in str(fault)


def test_closing_answers_what_waits_then_takes_no_more(gate: Gate) -> None:
    async def ask() -> None:
        batcher = Batcher(gate, max_batch_size=1, max_queue_size=10)
        waiting = batcher.submit([RED, GREEN, BLUE]).answered
        await asyncio.to_thread(gate.waiting.wait, 10)
        gate.open.set()
        await asyncio.to_thread(batcher.close)
        answers = [colour_of(answer) for answer in await waiting]
        assert answers == ["red", "green", "blue"]
        with pytest.raises(NotReady):
            batcher.submit([RED])

    asyncio.run(ask())


def test_closing_ends_the_thread() -> None:
    before = threading.active_count()
    Batcher(Classifier(colour_model()), max_batch_size=1, max_queue_size=1).close()
    assert threading.active_count() == before


def test_the_event_loop_is_free_while_a_large_image_is_decoded() -> None:
    """Decoding and inference happen off the loop: its own clock goes on while they run."""
    large = encode(Image.effect_noise((2000, 2000), 64), "PNG", compress_level=1)

    async def ticks_while_decoding() -> int:
        batcher = Batcher(Classifier(colour_model()), max_batch_size=1, max_queue_size=1)
        answered = batcher.submit([large]).answered
        ticks = 0
        while not answered.done():
            await asyncio.sleep(0)
            ticks += 1
        batcher.close()
        return ticks

    assert asyncio.run(ticks_while_decoding()) > 100


def test_every_batch_is_told_with_its_size_and_the_wait_of_its_first(gate: Gate) -> None:
    told: list[tuple[float, int]] = []

    async def ask() -> None:
        batcher = Batcher(
            gate, 2, 100, on_batch=lambda waited, images, _answers: told.append((waited, images))
        )
        first = batcher.submit([RED]).answered
        await asyncio.to_thread(gate.waiting.wait, 10)
        rest = batcher.submit([RED, RED, RED]).answered
        await asyncio.sleep(0.05)
        gate.open.set()
        await asyncio.gather(first, rest)
        batcher.close()

    asyncio.run(ask())
    assert [images for _, images in told] == [1, 2, 1]
    assert all(seconds >= 0.05 for seconds, _ in told[1:])


def test_a_fault_of_whoever_counts_is_logged_and_costs_no_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full_disk(_seconds: float, _images: int, _answers: object) -> None:
        raise OSError("no space left")

    async def ask() -> list[object]:
        batcher = Batcher(Classifier(colour_model()), 1, 10, on_batch=full_disk)
        answers: list[object] = [
            *await batcher.submit([RED]).answered,
            *await batcher.submit([BLUE]).answered,
        ]
        batcher.close()
        return answers

    assert [colour_of(answer) for answer in asyncio.run(ask())] == ["red", "blue"]
    assert caplog.text.count("a batch could not be counted") == 2


# --- What cannot be answered in time ---


def test_an_image_that_waited_too_long_is_refused_without_being_computed(gate: Gate) -> None:
    async def ask() -> None:
        batcher = Batcher(gate, 4, 100, max_queue_seconds=0.1)
        first = batcher.submit([RED]).answered
        await asyncio.to_thread(gate.waiting.wait, 10)
        late = batcher.submit([GREEN, BLUE]).answered
        await asyncio.sleep(0.15)
        in_time = batcher.submit([BLUE]).answered
        gate.open.set()
        with pytest.raises(Overloaded, match=r"may wait 0\.1 seconds") as refused:
            await late
        assert refused.value.limit == "queue_seconds"
        assert [colour_of((await each)[0]) for each in (first, in_time)] == ["red", "blue"]
        batcher.close()

    asyncio.run(ask())
    assert gate.batch_sizes == [1, 1]


def test_a_request_whose_first_image_had_its_turn_is_answered_whole(gate: Gate) -> None:
    async def ask() -> int:
        batcher = Batcher(gate, 1, 100, max_queue_seconds=0.1)
        both = batcher.submit([RED, GREEN]).answered
        await asyncio.to_thread(gate.waiting.wait, 10)
        await asyncio.sleep(0.15)
        gate.open.set()
        answers = len(await both)
        batcher.close()
        return answers

    assert asyncio.run(ask()) == 2


def test_what_would_wait_too_long_is_refused_before_it_waits() -> None:
    """Slow is 0.1 s an image: thirty of them are more than two seconds of work."""

    class Slow(Classifier):
        def pixels_from(self, data: bytes) -> Pixels:
            time.sleep(0.1)
            return super().pixels_from(data)

    async def ask() -> None:
        batcher = Batcher(Slow(colour_model()), 4, 1000, max_queue_seconds=2)
        for _ in range(3):  # it learns how long an image takes
            await batcher.submit([RED] * 4).answered
        waiting = batcher.submit([RED] * 40).answered
        began = time.perf_counter()
        with pytest.raises(Overloaded) as refused:
            batcher.check_room()
        assert time.perf_counter() - began < 0.1
        assert refused.value.limit == "queue_seconds"
        waiting.cancel()
        batcher.close()

    asyncio.run(ask())


def test_what_no_client_waits_for_any_more_is_not_computed(gate: Gate) -> None:
    async def ask() -> None:
        batcher = Batcher(gate, 8, 100)
        first = batcher.submit([RED]).answered
        await asyncio.to_thread(gate.waiting.wait, 10)
        left, stayed = batcher.submit([GREEN] * 3).answered, batcher.submit([BLUE]).answered
        left.cancel()
        gate.open.set()
        await asyncio.gather(first, stayed)
        batcher.close()

    asyncio.run(ask())
    assert gate.batch_sizes == [1, 1]


def test_a_probe_goes_ahead_of_all_that_waits_and_is_shared(gate: Gate) -> None:
    async def ask() -> None:
        batcher = Batcher(gate, 1, 2)
        queued = [batcher.submit([RED]).answered]
        await asyncio.to_thread(gate.waiting.wait, 10)
        queued += [
            batcher.submit([RED]).answered,
            batcher.submit([RED]).answered,
        ]  # the queue is full
        probe, same = batcher.probe(BLUE), batcher.probe(BLUE)
        assert probe is same
        order: list[str] = []
        for name, future in (("queued", queued[1]), ("queued", queued[2]), ("probe", probe)):
            future.add_done_callback(lambda _, name=name: order.append(name))  # type: ignore[misc]
        gate.open.set()
        await asyncio.gather(*queued, probe)
        assert order == ["probe", "queued", "queued"]
        assert batcher.probe(BLUE) is not probe
        batcher.close()

    asyncio.run(ask())


# --- Where the time went ---


@pytest.mark.parametrize(("images", "batches"), [(1, 1), (3, 1), (4, 1), (5, 2), (9, 3)])
def test_a_request_knows_its_own_decoding_and_each_run_that_it_was_in_once(
    images: int, batches: int
) -> None:
    async def ask() -> tuple[Submitted, float]:
        batcher = Batcher(Slow(colour_model()), max_batch_size=4, max_queue_size=100)
        began = time.perf_counter()
        submitted = batcher.submit([RED] * images)
        await submitted.answered
        seconds = time.perf_counter() - began
        batcher.close()
        return submitted, seconds

    submitted, seconds = asyncio.run(ask())
    assert submitted.queue_seconds > 0
    assert submitted.decode_seconds >= images * 0.005
    assert submitted.network_seconds >= batches * 0.02
    parts = submitted.queue_seconds + submitted.decode_seconds + submitted.network_seconds
    assert parts <= seconds


def test_a_request_that_waits_for_another_knows_how_long() -> None:
    async def ask() -> list[Submitted]:
        batcher = Batcher(Slow(colour_model()), max_batch_size=1, max_queue_size=100)
        submitted = [batcher.submit([RED]), batcher.submit([RED]), batcher.submit([b"no image"])]
        await asyncio.gather(*(one.answered for one in submitted))
        batcher.close()
        return submitted

    first, second, broken = asyncio.run(ask())
    assert first.queue_seconds < second.queue_seconds < broken.queue_seconds
    waited = second.queue_seconds - first.queue_seconds + second.since - first.since
    assert waited >= first.decode_seconds + first.network_seconds >= 0.025
    assert broken.decode_seconds >= 0.005
    assert broken.network_seconds < 0.02  # there was nothing to run


def test_images_of_others_in_the_same_batch_are_not_its_own() -> None:
    async def ask() -> list[Submitted]:
        batcher = Batcher(Slow(colour_model()), max_batch_size=8, max_queue_size=100)
        submitted = [batcher.submit([RED]), batcher.submit([RED] * 3)]
        await asyncio.gather(*(one.answered for one in submitted))
        batcher.close()
        return submitted

    first, second = asyncio.run(ask())
    assert first.network_seconds == second.network_seconds >= 0.02
    assert second.decode_seconds >= 0.015
    assert second.queue_seconds + second.since >= (
        first.queue_seconds + first.since + first.decode_seconds
    )


# --- Embeddings ---


class Recorder(Classifier):
    """A classifier that writes down what it is asked for, and waits at a gate."""

    def __init__(self) -> None:
        super().__init__(pooled_model())
        self.open, self.waiting = threading.Event(), threading.Event()
        self.runs: list[tuple[str, int]] = []

    def note(self, kind: str, batch: NDArray[np.uint8]) -> None:
        if hasattr(self, "runs"):  # not while it is loaded and checked
            self.runs.append((kind, len(batch)))
            self.waiting.set()
            assert self.open.wait(10)

    def classify(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.note("classify", batch)
        return super().classify(batch)

    def classify_and_embed(
        self, batch: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        self.note("both", batch)
        return super().classify_and_embed(batch)


def as_bits(rows: Iterable[object]) -> list[bytes]:
    return [np.asarray(row, np.float32).tobytes() for row in rows]


def test_embeddings_and_predictions_that_wait_together_run_together_in_order() -> None:
    recorder = Recorder()
    told: list[tuple[int, list[str]]] = []

    def tell(_seconds: float, images: int, answers: Sequence[Answer]) -> None:
        kinds = [f"{len(one)}" if isinstance(one, np.ndarray) else one.code for one in answers]
        told.append((images, kinds))

    async def ask() -> list[list[Answer]]:
        batcher = Batcher(recorder, max_batch_size=4, max_queue_size=100, on_batch=tell)
        submitted = [batcher.submit([RED])]
        await asyncio.to_thread(recorder.waiting.wait, 10)
        submitted += [
            batcher.submit([GREEN]),
            batcher.submit([RED, GREEN], embed=True),
            batcher.submit([BLUE]),
            batcher.submit([BLUE, b"no image"], embed=True),
            batcher.submit([RED]),
        ]
        recorder.open.set()
        answers = [await one.answered for one in submitted]
        batcher.close()
        return answers

    first, green, two, blue, broken, last = asyncio.run(ask())
    assert recorder.runs == [("classify", 1), ("both", 4), ("both", 2)]
    assert isinstance(broken.pop(), UnsupportedImage)
    plain = Classifier(pooled_model())
    pixels = np.stack([plain.pixels_from(image) for image in (RED, GREEN, BLUE)])
    probabilities, embeddings = plain.classify_and_embed(pixels)
    assert as_bits(first + green + blue + last) == as_bits(probabilities[[0, 1, 2, 0]])
    assert as_bits(two + broken) == as_bits(embeddings)
    # Whoever counts is told of every image, of the predictions (3 classes) and of errors.
    assert told == [(1, ["3"]), (4, ["3", "3"]), (3, ["unsupported_image", "3"])]


def test_a_batch_of_predictions_alone_fetches_nothing_else() -> None:
    recorder = Recorder()
    recorder.open.set()

    async def ask() -> None:
        batcher = Batcher(recorder, max_batch_size=4, max_queue_size=100)
        await batcher.submit([RED] * 8).answered
        batcher.close()

    asyncio.run(ask())
    assert recorder.runs == [("classify", 4), ("classify", 4)]


def test_embeddings_fill_the_same_queue_and_are_refused_like_predictions() -> None:
    recorder = Recorder()

    async def ask() -> None:
        batcher = Batcher(recorder, max_batch_size=1, max_queue_size=2)
        taken = [batcher.submit([RED])]
        await asyncio.to_thread(recorder.waiting.wait, 10)
        taken += [batcher.submit([RED], embed=True), batcher.submit([RED])]
        for embed in (True, False):
            with pytest.raises(Overloaded, match="2 images are waiting"):
                batcher.submit([RED], embed)
        recorder.open.set()
        assert [len(await one.answered) for one in taken] == [1, 1, 1]
        batcher.close()

    asyncio.run(ask())
