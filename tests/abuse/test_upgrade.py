"""Offers of another protocol: ignored, and not one byte that comes with them is lost."""

from __future__ import annotations

import pytest

from tests.abuse.conftest import MARKER, Service
from tests.abuse.test_transport import CHUNKED, GET, HIDDEN, POST, chunks
from tests.abuse.wire import Connection, ask, request
from tests.conftest import GREEN, RED


@pytest.mark.parametrize("upgrade", ["websocket", "h2c", "TLS/1.0", MARKER])
@pytest.mark.parametrize("chunked", [False, True])
def test_an_offer_of_another_protocol_is_ignored_and_what_comes_with_it_is_read(
    service: Service, upgrade: str, chunked: bool
) -> None:
    """Java's HttpClient offers HTTP/2 with the first request that it sends."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\nUpgrade: %b\r\n"
    if chunked:
        post = CHUNKED[:-2] + offer % upgrade.encode() + b"\r\n"
        post += b"".join(chunks(RED, 30)) + b"0\r\n\r\n"
    else:
        post = POST + offer % upgrade.encode() + b"Content-Length: %d\r\n\r\n" % len(RED) + RED
    get = GET + b"Host: x\r\n" + offer % upgrade.encode() + b"\r\n"
    alone = ask(service.port, RED).content
    for cut in range(0, len(post), 23):
        with Connection(service.port) as connection:
            connection.send(post[:cut])
            ask(service.port, GREEN)  # a turn for the service
            connection.send(post[cut:] + get * 2 + request(RED))
            answers = [connection.answer() for _ in range(4)]
        assert [answer.status_code if answer else 0 for answer in answers] == [200] * 4
        assert answers[0] is not None
        assert answers[0].content == alone


def test_a_hundred_offers_sent_together_are_ignored_one_by_one(service: Service) -> None:
    with Connection(service.port) as connection:
        get = GET + b"Host: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        connection.send(get * 100 + HIDDEN.replace(MARKER.encode(), b"last"))
        answers = [connection.answer() for _ in range(101)]
        assert [answer.status_code if answer else 0 for answer in answers] == [200] * 101
        assert answers[100] is not None
        assert answers[100].headers["x-request-id"] == "last"


@pytest.mark.parametrize("length", ["4", "4\r\nTransfer-Encoding: chunked", "-1"])
def test_no_request_hides_behind_an_offer(service: Service, length: str) -> None:
    with Connection(service.port) as connection:
        head = POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
        connection.send(head + f"Content-Length: {length}\r\n\r\naaa".encode() + HIDDEN)
        answer = connection.answer()
        assert answer is None or answer.status_code in {400, 415}
        assert MARKER not in connection.rest().decode()
