"""HTTP/1.1 by uvicorn, deaf to offers of another protocol: what comes with one is read as HTTP.

httptools stops at the end of a head that offers an upgrade, and uvicorn drops the body behind it
(Kludex/uvicorn#2722). Java's HttpClient offers HTTP/2 with its first request, also with a POST;
RFC 9110, 7.8 lets a server ignore that. Knows nothing of what is asked.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

_FRAMING = (b"content-length", b"transfer-encoding")


class NoUpgradeProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a parser that goes on where httptools' own stops."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.parser = _Parser(self)  # type: ignore[assignment]


class _Parser:
    """httptools' parser, and another for each head at which one has stopped."""

    def __init__(self, protocol: HttpToolsProtocol) -> None:
        self._protocol = protocol
        self._parse_into(protocol)

    def feed_data(self, data: bytes) -> None:
        while True:
            try:
                return self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                data = data[offer.args[0] :]
                self._read_on()

    def _read_on(self) -> None:
        """Set up a parser that stands behind the head, where the body begins if there is one."""
        cycle = self._protocol.cycle
        cycle.more_body = True  # the parser that stopped has said otherwise
        cycle.message_event.clear()
        framing = [item for item in self._protocol.headers if item[0] in _FRAMING]
        lines = [b"POST / HTTP/1.1", *(b"%b: %b" % item for item in framing), b"", b""]
        self._parse_into(_BehindTheHead(self._protocol))
        self._parser.feed_data(b"\r\n".join(lines))

    def _parse_into(self, target: object) -> None:
        self._parser = httptools.HttpRequestParser(target)
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        # All that uvicorn asks of a parser besides.
        self.get_http_version = self._parser.get_http_version
        self.get_method = self._parser.get_method
        self.should_keep_alive = self._parser.should_keep_alive
        self.should_upgrade = self._parser.should_upgrade


class _BehindTheHead:
    """Tells the protocol what a parser finds, but for the first head, which it has heard."""

    def __init__(self, protocol: HttpToolsProtocol) -> None:
        self._protocol = protocol
        self._heard = True
        self.on_body = protocol.on_body
        self.on_message_complete = protocol.on_message_complete

    def on_message_begin(self) -> None:
        if not self._heard:
            self._protocol.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._heard:
            self._protocol.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._heard:
            self._protocol.on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self._heard:
            self._protocol.on_headers_complete()
        self._heard = False
