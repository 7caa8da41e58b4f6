"""One line of JSON per request on standard output; never a path, a file name or a body.

Lines are held until the event loop's turn ends and written together: with the counting in
`app.metrics` a line each cost a seventh of the service's speed, most of it in the system call.
A write is never over PIPE_BUF bytes, so that lines of several workers do not mix in a pipe (POSIX,
write()).
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from datetime import UTC, datetime
from select import PIPE_BUF

import orjson

STDOUT = 1


class RequestLog:
    """The lines of one process, on their way out."""

    def __init__(self, descriptor: int = STDOUT) -> None:
        self._descriptor = descriptor
        self._held: list[bytes] = []
        self._held_bytes = 0

    def add(
        self,
        request_id: str,
        method: str,
        route: str,
        model: str,
        status: int,
        seconds: float,
        body_bytes: int | None,
    ) -> None:
        """A request was answered; `body_bytes` as announced, None if it was not. On the loop."""
        line = orjson.dumps(
            {
                "time": datetime.now(UTC),
                "request_id": request_id,
                "method": method,
                "route": route,
                "model": model,
                "status": status,
                "ms": round(seconds * 1000, 2),
                "bytes": body_bytes,
            },
            option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z,
        )
        if self._held_bytes + len(line) > PIPE_BUF:
            self._write()
        if not self._held:
            asyncio.get_running_loop().call_soon(self._write)
        self._held.append(line)
        self._held_bytes += len(line)

    def _write(self) -> None:
        if self._held:
            with suppress(OSError):  # nobody reads it any more: no reason not to answer
                os.write(self._descriptor, b"".join(self._held))
            self._held.clear()
            self._held_bytes = 0
