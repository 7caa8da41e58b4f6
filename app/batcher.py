"""Many waiting requests → one run of the model.

No timer delays anybody: while one batch runs, the next gathers. The event loop only queues, and
hears of a whole batch in one call; decoding and inference happen on the batcher's own thread.
What could not be answered in time is refused at once, so that what is accepted stays quick.
Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.answers import LATER, Answer, answers, pixels_or_error
from app.classifier import Classifier
from app.errors import ConvoluError, NotReady, Overloaded
from app.preprocess import Pixels

logger = logging.getLogger("convolu")

_NEWEST = 0.2  # weight of the newest batch in what an image is expected to take


@dataclass(slots=True, eq=False)
class Submitted:
    """The images that came together, and their answers as they come in.

    Once it is `answered`, the three times say where the time went: until its turn came, in decoding
    and preprocessing its own images, and in the runs of the batches that they were in.
    """

    images: int
    answered: asyncio.Future[list[Answer]]
    since: float
    embed: bool = False  # the answers are embeddings
    queue_seconds: float = 0
    decode_seconds: float = 0
    network_seconds: float = 0
    begun: bool = False  # its first image had its turn: the others have theirs
    refused: bool = False
    answers: dict[int, Answer] = field(default_factory=dict)  # place → answer


@dataclass(slots=True, eq=False)
class _Waiting:
    data: bytes
    place: int  # among the images of its request
    request: Submitted


class Batcher:
    """A bounded queue in front of one classifier, and the thread that empties it.

    `on_batch` is told of each batch, on that thread: the seconds that its first image has waited,
    how many images it had, and the answers that are no embeddings.
    """

    def __init__(
        self,
        classifier: Classifier,
        max_batch_size: int,
        max_queue_size: int,
        max_queue_seconds: float = 1,
        on_batch: Callable[[float, int, Sequence[Answer]], None] = lambda *_: None,
    ) -> None:
        self.classifier = classifier
        self._max_batch_size = max_batch_size
        self._max_queue_size = max_queue_size
        self._max_queue_seconds = max_queue_seconds
        self._on_batch = on_batch
        self._queue: deque[_Waiting] = deque()
        self._go: queue.SimpleQueue[bool] = queue.SimpleQueue()  # False: end
        self._go_is_due = False
        self._closed = False
        self._running = 0  # images of the batch under way
        self._seconds_per_image = 0.0
        self._probed: asyncio.Future[list[Answer]] | None = None
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Images in the queue."""
        return len(self._queue)

    def check_room(self, images: int = 1) -> None:
        """Raise Overloaded if so many images would find the queue full, or wait too long."""
        # A request that alone is larger than the queue is let into an empty one: nothing waits.
        waiting = len(self._queue)
        if not waiting:
            return
        if waiting + images > self._max_queue_size:
            raise Overloaded(
                f"{waiting} images are waiting already; at most {self._max_queue_size} may. "
                + LATER,
                "queue_size",
            )
        # Before they are answered there is what runs, what waits, and those of their own batch.
        ahead = self._running + waiting + min(waiting, self._max_batch_size)
        if ahead * self._seconds_per_image > self._max_queue_seconds:
            raise self._too_long()

    def submit(self, images: list[bytes], embed: bool = False) -> Submitted:
        """Queue encoded images; the future `answered` ends in one answer for each, in order.

        An answer is a row of probabilities or, with `embed`, an embedding: both wait in one queue
        and run together. All images are taken or none. Call it on the event loop; cancel the
        future, and what is not begun is not computed. Raises Overloaded at once when the queue is
        too full for them, NotReady once the batcher is closed; the future raises Overloaded if
        their turn has not come in time.
        """
        if self._closed:
            raise NotReady("The model was just taken out of service. Send the request again.")
        self.check_room(len(images))
        request = self._request(len(images), embed)
        self._queue.extend(_Waiting(data, place, request) for place, data in enumerate(images))
        self._wake_soon()
        return request

    def probe(self, image: bytes) -> asyncio.Future[list[Answer]]:
        """Classify an image ahead of all that waits; while one is under way, all share it."""
        if self._probed is None or self._probed.done():
            request = self._request(1)
            request.begun = True
            self._probed = request.answered
            self._queue.appendleft(_Waiting(image, 0, request))
            self._wake_soon()
        return self._probed

    def close(self) -> None:
        """Answer what waits, then end the thread; returns when it has ended."""
        self._closed = True
        self._go.put(False)
        self._thread.join()

    def _request(self, images: int, embed: bool = False) -> Submitted:
        future = asyncio.get_running_loop().create_future()
        return Submitted(images, future, time.perf_counter(), embed)

    def _wake_soon(self) -> None:
        # After this turn of the loop: it queues all that has arrived before the thread wakes and
        # asks for the interpreter's lock.
        if not self._go_is_due:
            self._go_is_due = True
            asyncio.get_running_loop().call_soon(self._wake)

    def _wake(self) -> None:
        self._go_is_due = False
        self._go.put(True)

    def _work(self) -> None:
        more = True
        while more:
            more = self._go.get()
            while self._queue:
                self._answer_batch()

    def _answer_batch(self) -> None:
        """Decode what waits, up to a full batch, and run it."""
        batch: list[_Waiting] = []
        prepared: list[Pixels | ConvoluError] = []
        late: list[Submitted] = []
        began = time.perf_counter()
        while self._queue and len(batch) < self._max_batch_size:
            waiting = self._queue.popleft()
            if self._is_wanted(waiting.request, late):
                batch.append(waiting)
                self._running = len(batch)
                decoding = time.perf_counter()
                prepared.append(pixels_or_error(self.classifier, waiting.data))
                waiting.request.decode_seconds += time.perf_counter() - decoding
        if late:
            _on_the_loop(late[0], _refuse, late, self._too_long)
        if batch:
            decoded = time.perf_counter()
            found = answers(self.classifier, prepared, [one.request.embed for one in batch])
            ended = time.perf_counter()
            for request in {waiting.request for waiting in batch}:
                request.network_seconds += ended - decoded
            seconds = (ended - began) / len(batch)
            self._running = 0
            before = self._seconds_per_image or seconds
            self._seconds_per_image = before + _NEWEST * (seconds - before)
            self._tell(began - batch[0].request.since, batch, found)
            _on_the_loop(batch[0].request, _deliver, batch, found)

    def _is_wanted(self, request: Submitted, late: list[Submitted]) -> bool:
        """Whether to compute an image of it; if its turn has come too late, it joins `late`."""
        if request.refused or request.answered.cancelled():  # cancelled: its client has left
            return False
        if not request.begun:
            request.queue_seconds = time.perf_counter() - request.since
            if request.queue_seconds > self._max_queue_seconds:
                request.refused = True
                late.append(request)
                return False
        request.begun = True
        return True

    def _too_long(self) -> Overloaded:
        return Overloaded(
            f"Images may wait {self._max_queue_seconds:g} seconds for their turn, "
            f"and more than that is waiting. {LATER}",
            "queue_seconds",
        )

    def _tell(self, waited_seconds: float, batch: list[_Waiting], found: list[Answer]) -> None:
        counted = [
            answer
            for waiting, answer in zip(batch, found, strict=True)
            if not waiting.request.embed or isinstance(answer, ConvoluError)
        ]
        try:
            self._on_batch(waited_seconds, len(batch), counted)
        except Exception:  # it only watches: no image and not this thread may depend on it
            logger.exception("a batch could not be counted")


def _on_the_loop(request: Submitted, call: Callable[..., None], *arguments: object) -> None:
    """One call into the event loop for many answers; a loop that has ended wants none."""
    loop = request.answered.get_loop()
    try:
        loop.call_soon_threadsafe(call, *arguments)
    except RuntimeError:
        if not loop.is_closed():
            raise


def _deliver(batch: list[_Waiting], found: list[Answer]) -> None:
    for waiting, answer in zip(batch, found, strict=True):
        request = waiting.request
        request.answers[waiting.place] = answer
        if len(request.answers) == request.images and not request.answered.done():
            request.answered.set_result([request.answers[place] for place in range(request.images)])


def _refuse(requests: list[Submitted], error: Callable[[], Overloaded]) -> None:
    for request in requests:
        if not request.answered.done():
            request.answered.set_exception(error())
