"""One client's connection: how long it may take, how much it may send before it is a request.

uvicorn waits for ever for a request that does not come and takes headers of any size; here both
have bounds, and what is not HTTP gets the one shape of errors. Knows nothing of routes or images.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.edge import EXCESS
from app.errors import BadRequest, ConvoluError, HeadersTooLarge
from app.one_write import OneWriteProtocol
from app.problems import problem_body
from app.routes.images import ANSWER
from app.settings import Settings
from app.uploads import DEADLINE

_GRACE_SECONDS = 1  # for a route to say that the deadline is over before the connection closes
_LINGER_SECONDS = 2  # in which idle clients may yet send, and are told that it was the last time


class Connection(OneWriteProtocol):
    """uvicorn's protocol with bounds on time, headers and the number of connections."""

    def __init__(self, settings: Settings, **rest: Any) -> None:
        super().__init__(**rest)
        self._max_header_bytes = settings.max_header_bytes
        self._max_connections = settings.max_connections
        self._timeout_seconds = settings.receive_timeout_seconds
        self._deadline: float | None = None  # while something is on its way
        self._in_headers = False
        self._header_bytes = 0  # at most: what has come since the headers could begin
        self._excess = self._stopping = False
        self._unread_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected. One too many is told so; with twice as many, it is cut off."""
        super().connection_made(transport)
        self._excess = len(self.connections) > self._max_connections
        self._deadline = self.loop.time() + self._timeout_seconds
        self._in_headers = True
        self._timer = self.loop.call_at(self._deadline, self._check)
        if len(self.connections) > 2 * self._max_connections:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left: what was not begun for it need not be."""
        if self._timer is not None:
            self._timer.cancel()
        if self.cycle is not None and not self.cycle.response_complete:
            answer = self.cycle.scope["state"].get(ANSWER)
            if answer is not None:
                answer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes have come, of a request or between two."""
        if self._deadline is None:
            self._deadline = self.loop.time() + self._timeout_seconds
        if self._in_headers:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._in_headers and self._header_bytes > self._max_header_bytes:
            self.send_400_response("")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._deadline is None:  # a pipelined request that came with the end of the last
            self._deadline = self.loop.time() + self._timeout_seconds
        state: dict[str, object] = self.scope["state"]
        state[DEADLINE] = self._deadline
        if self._excess:
            state[EXCESS] = True

    def on_headers_complete(self) -> None:
        self._in_headers = False
        # Counted exactly only where the bytes that came may be too many, or are not known because
        # they came with the end of another request.
        if not 0 < self._header_bytes <= self._max_header_bytes:
            exactly = sum(len(name) + len(value) for name, value in self.headers)
            self._header_bytes = len(self.url) + exactly
            if self._header_bytes > self._max_header_bytes:
                raise OverflowError  # httptools stops, and uvicorn answers as to what is not HTTP
        super().on_headers_complete()
        if self._stopping:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        self._deadline = None
        self._in_headers, self._header_bytes = True, 0
        self.scope["state"].pop(DEADLINE, None)  # all is here: nobody need watch the time
        super().on_message_complete()
        if not self.pipeline:  # else uvicorn pauses until its turn
            # A large body has paused it, and who does not read does not hear that its client left.
            self.flow.resume_reading()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Answer what cannot be a request, in the one shape of errors, and hang up."""
        self._in_headers = False
        error: ConvoluError
        if self._header_bytes > self._max_header_bytes:
            error = HeadersTooLarge(
                f"Request line and headers may have {self._max_header_bytes} bytes together. "
                "Send fewer or shorter ones."
            )
        else:
            error = BadRequest("Expected a request as RFC 9112 has it. Check what sends it.")
        request_id = secrets.token_hex(16)
        body = problem_body(error, request_id)
        head = (
            b"content-type: application/problem+json\r\ncontent-length: %d\r\n"
            b"x-request-id: %s\r\nconnection: close\r\n\r\n" % (len(body), request_id.encode())
        )
        self.transport.write(STATUS_LINE[error.status] + head + body)
        self.transport.close()

    def shutdown(self) -> None:
        """The service stops: what is under way is answered, and told that it is the last.

        An idle client may be sending at this very moment: it gets a moment to.
        """
        self._stopping = True
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False
        else:
            self.loop.call_later(_LINGER_SECONDS, self._close_if_idle)

    def _close_if_idle(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def _check(self) -> None:
        """Runs once per time-out, or when one is over: does this client take too long?"""
        now = self.loop.time()
        unread_bytes = self.transport.get_write_buffer_size()
        if unread_bytes and unread_bytes == self._unread_bytes:  # it has read nothing since
            self.transport.abort()
            return
        self._unread_bytes = unread_bytes
        due = now + self._timeout_seconds if self._deadline is None else self._deadline
        if now >= due and self._route_waits():  # it has the same deadline, and an answer for it
            due += _GRACE_SECONDS
        if now < due:
            self._timer = self.loop.call_at(due, self._check)
        else:
            self.transport.abort()

    def _route_waits(self) -> bool:
        return not self._in_headers and self.cycle is not None and not self.cycle.response_started
