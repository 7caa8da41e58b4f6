"""Many waiting requests → one run of the model.

No timer delays anybody: while one batch runs, the next gathers. The event loop only queues and is
called back once per batch; decoding and inference happen on the batcher's own thread. Knows nothing
of HTTP.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.classifier import Classifier
from app.errors import ConvoluError, NotReady, Overloaded
from app.preprocess import Pixels

Answer = NDArray[np.float32] | ConvoluError  # one row of probabilities, or what was wrong


@dataclass(frozen=True)
class _Waiting:
    data: bytes
    answer: asyncio.Future[Answer]
    loop: asyncio.AbstractEventLoop


class Batcher:
    """A bounded queue in front of one classifier, and the thread that empties it."""

    def __init__(self, classifier: Classifier, max_batch_size: int, max_queue_size: int) -> None:
        self.classifier = classifier
        self._max_batch_size = max_batch_size
        self._queue: queue.Queue[_Waiting | None] = queue.Queue()
        self._max_queue_size = max_queue_size
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, images: list[bytes]) -> list[asyncio.Future[Answer]]:
        """Queue encoded images; one future each, which ends in probabilities or in an error.

        All of them are taken or none. Call it on the event loop. Raises Overloaded at once when
        the queue is too full for them, NotReady once the batcher is closed.
        """
        if self._closed:
            raise NotReady("The model was just taken out of service. Send the request again.")
        # A request that alone is larger than the queue is let into an empty one: nothing waits.
        waiting = self._queue.qsize()
        if waiting and waiting + len(images) > self._max_queue_size:
            raise Overloaded(
                f"{waiting} images are waiting already; at most {self._max_queue_size} may. "
                "Send the request again after the seconds that Retry-After says."
            )
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Answer]] = []
        for data in images:
            future: asyncio.Future[Answer] = loop.create_future()
            self._queue.put(_Waiting(data, future, loop))
            futures.append(future)
        return futures

    def close(self) -> None:
        """Answer what waits, then end the thread; returns when it has ended."""
        self._closed = True
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, last = [first], False
            while len(batch) < self._max_batch_size and not last:
                try:
                    waiting = self._queue.get_nowait()
                except queue.Empty:
                    break
                if waiting is None:
                    last = True
                else:
                    batch.append(waiting)
            # A client that left before its turn has cancelled its future: do not compute for it.
            batch = [waiting for waiting in batch if not waiting.answer.cancelled()]
            if batch:
                answers = self._answer([waiting.data for waiting in batch])
                _hand_back(batch, answers)
            if last:
                return

    def _answer(self, images: list[bytes]) -> list[Answer]:
        """One answer per image, in order; a broken image spoils only itself."""
        prepared = [self._pixels_or_error(data) for data in images]
        pixels = [one for one in prepared if not isinstance(one, ConvoluError)]
        rows = iter(self._rows_or_errors(pixels))
        return [one if isinstance(one, ConvoluError) else next(rows) for one in prepared]

    def _pixels_or_error(self, data: bytes) -> Pixels | ConvoluError:
        try:
            return self.classifier.pixels_from(data)
        except ConvoluError as error:
            return error
        except Exception as exc:
            return _unexpected(exc)

    def _rows_or_errors(self, pixels: list[Pixels]) -> Iterable[Answer]:
        if not pixels:
            return []
        try:
            return self.classifier.classify(np.stack(pixels))
        except Exception as exc:
            return [_unexpected(exc)] * len(pixels)


def _unexpected(exc: Exception) -> ConvoluError:
    error = ConvoluError("The service failed on this image; the fault is in its log.")
    error.__cause__ = exc
    return error


def _hand_back(batch: list[_Waiting], answers: list[Answer]) -> None:
    """One call into the event loop for the whole batch; a loop that has ended wants no answer."""

    def deliver() -> None:
        for waiting, answer in zip(batch, answers, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(answer)

    try:
        batch[0].loop.call_soon_threadsafe(deliver)
    except RuntimeError:
        if not batch[0].loop.is_closed():
            raise
