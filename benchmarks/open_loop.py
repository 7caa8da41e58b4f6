"""Requests at a steady rate, whether or not the ones before were answered, and what became of each.

A client that waits for its answer before it asks again slows down with the server and hides what
overload does to everybody else; here each request has its time, and is timed from it. Knows
nothing of what is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections import deque
from dataclasses import dataclass

from benchmarks.load import HOST, Post

WAIT_SECONDS = 30  # for an answer; who waits longer has lost it
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Outcome:
    """What became of one request."""

    due: float  # when it should have been sent, seconds from the start
    seconds: float  # from then to the end of its answer
    status: int  # 0: no answer came, although the connection had been accepted; -1: it was refused
    retry_after: bool = False
    version: str = ""  # of the model that answered


def raw(post: Post) -> bytes:
    """The request as it goes over the wire."""
    headers = "".join(f"{name}: {value}\r\n" for name, value in post.headers.items())
    head = f"POST {post.path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(post.body)}\r\n"
    return (head + headers + "\r\n").encode() + post.body


class Client:
    """Sends requests on connections that it keeps, as the HTTP clients of most languages do."""

    def __init__(self, port: int, keep: bool = True) -> None:
        self._port = port
        self._keep = keep
        self._idle: deque[Connection] = deque()

    async def send(self, request: bytes, due: float, start: float) -> Outcome:
        """One request to its answer; what goes wrong is an outcome too."""

        def outcome(status: int, retry_after: bool = False, version: str = "") -> Outcome:
            return Outcome(due, time.perf_counter() - start - due, status, retry_after, version)

        try:
            connection = await self._connection()
        except OSError:
            return outcome(-1)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                head, body = await self._exchange(connection, request)
        except (OSError, EOFError, TimeoutError):
            connection[1].transport.abort()
            return outcome(0)
        answer = json.loads(body)
        return outcome(
            int(head[9:12]), b"\r\nretry-after: " in head.lower(), answer.get("version", "")
        )

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._idle:
            writer = self._idle.pop()[1]
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _connection(self) -> Connection:
        while self._idle:
            reader, writer = self._idle.pop()
            if not (reader.at_eof() or writer.transport.is_closing()):
                return reader, writer
            writer.close()
        return await asyncio.open_connection(HOST, self._port)

    async def _exchange(self, connection: Connection, request: bytes) -> tuple[bytes, bytes]:
        reader, writer = connection
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        if writer.transport.get_write_buffer_size():  # answered before all was sent: no more of it
            writer.transport.abort()
        elif not self._keep or b"\r\nconnection: close" in head.lower():
            writer.close()
        else:
            self._idle.append(connection)
        return head, body


async def fire(
    port: int, request: bytes, per_second: float, seconds: float, keep: bool = True
) -> list[Outcome]:
    """Send at a steady rate; one outcome for each, in order."""
    start, sent = time.perf_counter(), []
    async with Client(port, keep) as client:
        for number in range(int(per_second * seconds)):
            due = number / per_second
            pause = start + due - time.perf_counter()
            if pause > 0:
                await asyncio.sleep(pause)
            sent.append(asyncio.create_task(client.send(request, due, start)))
        return list(await asyncio.gather(*sent))


async def closed_loop(port: int, request: bytes, clients: int, seconds: float) -> float:
    """Answers per second to so many clients that each wait for theirs: what the server can do."""
    end = time.perf_counter() + seconds

    async def one() -> int:
        answered = 0
        async with Client(port) as client:
            while time.perf_counter() < end:
                answered += (await client.send(request, 0, 0)).status == 200
        return answered

    return sum(await asyncio.gather(*(one() for _ in range(clients)))) / seconds


def quantile(values: list[float], share: float) -> float:
    """The value that `share` of them do not exceed; 0 if there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
