"""Work that may wait: one thing at a time, on a thread that the scheduler prefers others to.

Knows nothing of what the work is, nor of HTTP.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.errors import Overloaded

NICENESS = 10  # of 19: gets a tenth of what a thread at 0 gets, and all that nobody else wants


@dataclass(slots=True, eq=False)
class _Job:
    work: Callable[[], Any]
    done: asyncio.Future[Any]


class Jobs:
    """A bounded queue and its thread, which starts with the first job."""

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._open = 0  # jobs under way and waiting, as the event loop knows it

    def check_room(self) -> None:
        """Raise Overloaded if as many jobs wait as may."""
        if self._open > self._max_waiting:
            raise Overloaded(
                f"One network is looked into at a time, {self._max_waiting} requests may wait, "
                "and as many do. Send the request again after the seconds that Retry-After says.",
                "inside",
            )

    def submit(self, work: Callable[[], Any]) -> asyncio.Future[Any]:
        """Queue it; the future ends in what it returns or raises. Raises Overloaded.

        Call it on the event loop; cancel the future, and what is not begun is not done.
        """
        self.check_room()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="inside", daemon=True)
            self._thread.start()
        job = _Job(work, asyncio.get_running_loop().create_future())
        self._open += 1
        self._queue.put(job)
        return job.done

    def close(self) -> None:
        """Do what waits, then end the thread; returns when it has ended."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        if sys.platform == "linux":  # there alone it is of this thread, not of the process
            # To become less nice is a privilege, and the whole service may be nicer than this.
            before = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, 0, max(NICENESS, before))
        while (job := self._queue.get()) is not None:
            result, error = None, None
            if not job.done.cancelled():
                try:
                    result = job.work()
                except Exception as exc:
                    error = exc
            try:
                job.done.get_loop().call_soon_threadsafe(self._deliver, job.done, result, error)
            except RuntimeError:  # the loop has ended, and nobody waits
                return
            del job, result, error  # nothing of it is kept until the next one comes

    def _deliver(self, done: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
        self._open -= 1
        if done.done():  # cancelled: its client has left
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)
