"""HTTP/1.1 by uvicorn's httptools protocol, but a response leaves in one write instead of two.

uvicorn writes the head of a response and its body one after the other, and uvloop sends each at
once: two system calls and two packets for 700 bytes. Held until the event loop's turn ends they go
together: 7,000 → 7,900 digits per second on two cores with 16 connections (medians of six runs).
"""

from __future__ import annotations

import asyncio

from app.upgrade import NoUpgradeProtocol


class OneWriteProtocol(NoUpgradeProtocol):
    """uvicorn's protocol over a transport that gathers what is written in one turn of the loop."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(_Gathering(transport, self.loop))


class _Gathering(asyncio.Transport):
    """A transport in front of another. What is written goes on when the loop's turn ends."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        # All that is asked of a transport here besides writing and closing.
        self.abort = transport.abort  # type: ignore[method-assign]
        self.get_write_buffer_size = transport.get_write_buffer_size  # type: ignore[method-assign]
        self.get_extra_info = transport.get_extra_info  # type: ignore[method-assign]
        self.is_closing = transport.is_closing  # type: ignore[method-assign]
        self.pause_reading = transport.pause_reading  # type: ignore[method-assign]
        self.resume_reading = transport.resume_reading  # type: ignore[method-assign]
        self.set_protocol = transport.set_protocol  # type: ignore[method-assign]

    def write(self, data: bytes) -> None:  # type: ignore[override]
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held and not self._transport.is_closing():  # else it was cut off meanwhile
            self._transport.write(b"".join(self._held))
        self._held.clear()
