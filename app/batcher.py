"""Many waiting requests → one run of the model.

No timer delays anybody: while one batch runs, the next gathers. The event loop only queues, and
hears of a whole batch in one call; decoding and inference happen on the batcher's own thread.
Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.classifier import Classifier
from app.errors import ConvoluError, NotReady, Overloaded
from app.preprocess import Pixels

logger = logging.getLogger("convolu")

Answer = NDArray[np.float32] | ConvoluError  # one row of probabilities, or what was wrong


@dataclass(slots=True, eq=False)
class _Request:
    """The images that came together, and their answers as they come in."""

    images: int
    answered: asyncio.Future[list[Answer]]
    answers: dict[int, Answer] = field(default_factory=dict)  # place → answer


@dataclass(slots=True, eq=False)
class _Waiting:
    data: bytes
    place: int  # among the images of its request
    request: _Request
    since: float


class Batcher:
    """A bounded queue in front of one classifier, and the thread that empties it.

    `on_batch` is told of each batch, on that thread: how many images, and how many seconds the
    first of them has waited.
    """

    def __init__(
        self,
        classifier: Classifier,
        max_batch_size: int,
        max_queue_size: int,
        on_batch: Callable[[int, float], None] = lambda _images, _seconds: None,
    ) -> None:
        self.classifier = classifier
        self._max_batch_size = max_batch_size
        self._max_queue_size = max_queue_size
        self._on_batch = on_batch
        self._queue: deque[_Waiting] = deque()
        self._go: queue.SimpleQueue[bool] = queue.SimpleQueue()  # False: end
        self._go_is_due = False
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, images: list[bytes]) -> asyncio.Future[list[Answer]]:
        """Queue encoded images; the future ends in one answer for each, in order.

        All of them are taken or none. Call it on the event loop; cancel the future, and what is
        not begun is not computed. Raises Overloaded at once when the queue is too full for them,
        NotReady once the batcher is closed.
        """
        if self._closed:
            raise NotReady("The model was just taken out of service. Send the request again.")
        # A request that alone is larger than the queue is let into an empty one: nothing waits.
        waiting = len(self._queue)
        if waiting and waiting + len(images) > self._max_queue_size:
            raise Overloaded(
                f"{waiting} images are waiting already; at most {self._max_queue_size} may. "
                "Send the request again after the seconds that Retry-After says."
            )
        loop = asyncio.get_running_loop()
        request, now = _Request(len(images), loop.create_future()), time.perf_counter()
        self._queue.extend(_Waiting(data, place, request, now) for place, data in enumerate(images))
        if not self._go_is_due:
            # After this turn of the loop: it queues all that has arrived before the thread wakes
            # and asks for the interpreter's lock.
            self._go_is_due = True
            loop.call_soon(self._wake)
        return request.answered

    def close(self) -> None:
        """Answer what waits, then end the thread; returns when it has ended."""
        self._closed = True
        self._go.put(False)
        self._thread.join()

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
        began = time.perf_counter()
        while self._queue and len(batch) < self._max_batch_size:
            waiting = self._queue.popleft()
            if not waiting.request.answered.cancelled():  # else its client has left
                batch.append(waiting)
                prepared.append(self._pixels_or_error(waiting.data))
        if batch:
            self._tell(len(batch), began - batch[0].since)
            _hand_back(batch, self._answers(prepared))

    def _tell(self, images: int, waited_seconds: float) -> None:
        try:
            self._on_batch(images, waited_seconds)
        except Exception:  # it only watches: no image and not this thread may depend on it
            logger.exception("a batch could not be counted")

    def _pixels_or_error(self, data: bytes) -> Pixels | ConvoluError:
        try:
            return self.classifier.pixels_from(data)
        except ConvoluError as error:
            return error
        except Exception as exc:
            return _unexpected(exc)

    def _answers(self, prepared: list[Pixels | ConvoluError]) -> list[Answer]:
        """One answer per image, in order; a broken image spoils only itself."""
        pixels = [one for one in prepared if not isinstance(one, ConvoluError)]
        rows = iter(self._rows_or_errors(pixels))
        return [one if isinstance(one, ConvoluError) else next(rows) for one in prepared]

    def _rows_or_errors(self, pixels: list[Pixels]) -> list[Answer]:
        if not pixels:
            return []
        try:
            return list(self.classifier.classify(np.stack(pixels)))
        except Exception as exc:
            return [_unexpected(exc)] * len(pixels)


def _unexpected(exc: Exception) -> ConvoluError:
    error = ConvoluError("The service failed on this image; the fault is in its log.")
    error.__cause__ = exc
    return error


def _hand_back(batch: list[_Waiting], answers: list[Answer]) -> None:
    """One call into the event loop for the whole batch; a loop that has ended wants no answer."""
    loop = batch[0].request.answered.get_loop()
    try:
        loop.call_soon_threadsafe(_deliver, batch, answers)
    except RuntimeError:
        if not loop.is_closed():
            raise


def _deliver(batch: list[_Waiting], answers: list[Answer]) -> None:
    for waiting, answer in zip(batch, answers, strict=True):
        request = waiting.request
        request.answers[waiting.place] = answer
        if len(request.answers) == request.images and not request.answered.done():
            request.answered.set_result([request.answers[place] for place in range(request.images)])
