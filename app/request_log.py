"""One line of JSON per request on standard output; never a path, a file name or a body.

Lines are held until the event loop's turn ends and written together: with the counting in
`app.metrics` a line each cost a seventh of the service's speed, most of it in the system call.
A write is never over PIPE_BUF bytes, so that lines of several workers do not mix in a pipe (POSIX,
write()). A pipe that nobody empties takes no line, and stops no request: how many lines were lost
is said in the first one after.
"""

from __future__ import annotations

import asyncio
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from select import PIPE_BUF

import orjson

STDOUT = 1
_MOST_BYTES = PIPE_BUF - 64  # of lines in one write; the rest is for how many were lost


class RequestLog:
    """The lines of one process, on their way out."""

    def __init__(self, descriptor: int = STDOUT) -> None:
        self._descriptor = _that_never_waits(descriptor)
        self._lost = 0
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
        key: str | None = None,
    ) -> None:
        """A request was answered. On the loop.

        `body_bytes` as announced, None if it was not; `key` is the name of the API key.
        """
        fields = {
            "time": datetime.now(UTC),
            "request_id": request_id,
            "method": method,
            "route": route,
            "model": model,
            "status": status,
            "ms": round(seconds * 1000, 2),
            "bytes": body_bytes,
        }
        if key is not None:
            fields["key"] = key
        line = orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)
        if self._held_bytes + len(line) > _MOST_BYTES:
            self._write()
        if not self._held:
            asyncio.get_running_loop().call_soon(self._write)
        self._held.append(line)
        self._held_bytes += len(line)

    def _write(self) -> None:
        if not self._held:
            return
        lines = self._held
        if self._lost:
            lines = [orjson.dumps({"lost_lines": self._lost}) + b"\n", *lines]
        try:
            os.write(self._descriptor, b"".join(lines))
        except OSError:  # full, or nobody reads it any more: no reason not to answer
            self._lost += len(self._held)
        else:
            self._lost = 0
        self._held.clear()
        self._held_bytes = 0


def _that_never_waits(descriptor: int) -> int:
    """The same pipe or terminal, opened again so that a full one is an error at once.

    Setting O_NONBLOCK on the descriptor itself would set it for every process that shares it.
    """
    if not Path(f"/proc/self/fd/{descriptor}").exists():
        return descriptor
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):  # a file never waits; a socket has no name
        return descriptor
    try:
        return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:  # it belongs to another user
        return descriptor
