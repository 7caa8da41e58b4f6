"""HTTP/1.1 by uvicorn, deaf to offers of another protocol: what comes with one is read as HTTP.

httptools stops at the end of a head that offers an upgrade, and uvicorn drops the body behind it
(Kludex/uvicorn#2722). Java's HttpClient offers HTTP/2 with its first request, also with a POST;
RFC 9110, 7.8 lets a server ignore that. Knows nothing of what is asked.
"""

from __future__ import annotations

import sys

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_FRAMING = (b"content-length", b"transfer-encoding")


class NoUpgradeProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which goes on with another parser where httptools' own has stopped."""

    def data_received(self, data: bytes) -> None:
        """Bytes have come: read them all, also behind a head that offers an upgrade."""
        self._rest = data
        while self._rest:
            self._read, self._rest = self._rest, b""
            super().data_received(self._read)

    def _unsupported_upgrade_warning(self) -> None:
        """The parser has stopped behind a head: set one up that stands there, in its place.

        uvicorn warns here: a log of what clients offer could be made to flood.
        """
        offer = sys.exception()
        assert isinstance(offer, httptools.HttpParserUpgrade)
        self._rest = self._read[offer.args[0] :]
        self.cycle.more_body = True  # the parser that stopped has said otherwise
        self.cycle.message_event.clear()
        framing = [item for item in self.headers if item[0] in _FRAMING]
        lines = [b"POST / HTTP/1.1", *(b"%b: %b" % item for item in framing), b"", b""]
        self.parser = httptools.HttpRequestParser(_BehindTheHead(self))
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self.parser.feed_data(b"\r\n".join(lines))


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
