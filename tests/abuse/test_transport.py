"""Hostile HTTP: what is no HTTP at all, what hides a second request, what never ends."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.abuse.conftest import MARKER, Service, check_flat, check_log, check_refusal
from tests.abuse.pictures import picture
from tests.abuse.wire import Connection, request
from tests.conftest import RED

LIMIT = 10 * 1024 * 1024  # bytes of a body, as the service has it by default
HIDDEN = f"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-ID: {MARKER}\r\n\r\n".encode()
GET = b"GET /healthz HTTP/1.1\r\n"
POST = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

NO_HTTP = {
    "zeros": b"\x00\x01\x02\x03\r\n\r\n",
    "TLS": bytes.fromhex("16030100a5010000a10303") + bytes(150),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "SOCKS": b"\x05\x01\x00",
    "version 3": b"GET / HTTP/3.0\r\nHost: x\r\n\r\n",
    "version none": b"GET / HTTP/\r\nHost: x\r\n\r\n",
    "method in small letters": b"get / HTTP/1.1\r\nHost: x\r\n\r\n",
    "method of 5 KB": b"A" * 5000 + b" / HTTP/1.1\r\nHost: x\r\n\r\n",
    "no path": b"GET  HTTP/1.1\r\nHost: x\r\n\r\n",
    "no path but a port": b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n",
    "path of UTF-8": "GET /ü HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    "path with NUL": b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "path with a blank": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "header without colon": GET + b"Host\r\n\r\n",
    "blank before the colon": GET + b"Host : x\r\n\r\n",
    "folded header": GET + b"Host: x\r\n y\r\n\r\n",
    "NUL in a header": GET + b"Host: x\r\nA: \x00\r\n\r\n",
    "CR in a header": GET + b"Host: x\r\nA: b\rc\r\n\r\n",
    "line feeds alone": GET.replace(b"\r", b"") + b"Host: x\n\n",
}
SMUGGLED = {
    "length and chunks": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\naaaa",
    "one length twice": POST + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\naaaa",
    "a list of lengths": POST + b"Content-Length: 4, 4\r\n\r\naaaa",
    "two numbers": POST + b"Content-Length: 4 4\r\n\r\naaaa",
    "length -1": POST + b"Content-Length: -1\r\n\r\n",
    "length +5": POST + b"Content-Length: +5\r\n\r\naaaaa",
    "length 0x10": POST + b"Content-Length: 0x10\r\n\r\n" + b"a" * 16,
    "length 2⁶⁴": POST + b"Content-Length: 18446744073709551616\r\n\r\n",
    "length 2⁶⁴+5": POST + b"Content-Length: 18446744073709551621\r\n\r\naaaaa",
    "no length": POST + b"Content-Length: \r\n\r\n",
    "gzip": POST + b"Transfer-Encoding: gzip\r\n\r\n",
    "chunks inside gzip": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "xchunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks and identity": CHUNKED[:-2] + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "chunks behind a tab": POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "a chunk of zz": CHUNKED + b"zz\r\naa\r\n0\r\n\r\n",
    "a chunk of -1": CHUNKED + b"-1\r\naa\r\n0\r\n\r\n",
    "a chunk of 2⁶⁴": CHUNKED + b"10000000000000000\r\naa\r\n0\r\n\r\n",
    "a chunk of 0x2": CHUNKED + b"0x2\r\naa\r\n0\r\n\r\n",
    "a chunk's end of XX": CHUNKED + b"2\r\naaXX0\r\n\r\n",
    "a chunk too long": CHUNKED + b"2\r\naabb\r\n0\r\n\r\n",
    "chunks with line feeds": CHUNKED + b"2\naa\n0\n\n",
    "an extension with CR": CHUNKED + b"2;a=\rb\r\naa\r\n0\r\n\r\n",
    "an extension with LF": CHUNKED + b"2;a\nb\r\naa\r\n0\r\n\r\n",
    "after the last request": GET + b"Host: x\r\nConnection: close\r\n\r\n",
    "after HTTP/1.0": b"GET /healthz HTTP/1.0\r\n\r\n",
}


@pytest.mark.parametrize("kind", NO_HTTP)
def test_what_is_no_http_is_refused_and_the_connection_closed(service: Service, kind: str) -> None:
    began = time.perf_counter()
    with Connection(service.port) as connection:
        connection.send(NO_HTTP[kind])
        answer = connection.answer()
        assert answer is None or answer.status_code == 400
        assert connection.rest() == b""
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize("kind", SMUGGLED)
def test_no_request_hides_in_another(service: Service, kind: str) -> None:
    with Connection(service.port) as connection:
        connection.send(SMUGGLED[kind] + HIDDEN)
        answer = connection.answer()
        last = kind in {"after the last request", "after HTTP/1.0"}
        assert answer is None or answer.status_code == (200 if last else 400)
        assert connection.rest() == b""


@pytest.mark.parametrize("hosts", [[], ["a b"], ["x/../admin"], ["a", "b"], [MARKER + "@x:99999"]])
def test_nothing_depends_on_the_host(service: Service, hosts: list[str]) -> None:
    lines = "".join(f"Host: {host}\r\n" for host in hosts)
    for path, status in (("/healthz", 200), ("/gone", 404)):
        with Connection(service.port) as connection:
            connection.send(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
            answer = connection.answer()
        assert answer is not None
        assert answer.status_code == status
        assert MARKER not in answer.text + str(answer.headers)


# --- Bodies ---


def chunks(data: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        piece = data[at : at + size]
        yield b"%x\r\n%b\r\n" % (len(piece), piece)


def endless() -> Iterator[bytes]:
    while True:
        yield b"10000\r\n" + bytes(65536) + b"\r\n"


def test_a_body_in_a_million_chunks_is_read(service: Service) -> None:
    data = picture("PNG").ljust(1_000_000, b"\0")
    began = time.perf_counter()
    with Connection(service.port) as connection:
        connection.send(CHUNKED + b"".join(chunks(data, 1)) + b"0\r\n\r\n")
        answer = connection.answer()
    assert answer is not None
    assert answer.status_code == 200
    assert time.perf_counter() - began < 20  # 0.5 s here


def test_a_body_without_end_is_refused_while_it_is_sent(service: Service) -> None:
    with Connection(service.port) as connection:
        connection.send(CHUNKED)
        sent = connection.send_until_answered(endless())
        answer = connection.answer()
    assert answer is not None, "reset before the client could read the answer"
    check_refusal(answer, 413, "body_too_large")
    assert LIMIT < sent < 4 * LIMIT  # what lies in the buffers of both sides comes on top


@pytest.mark.parametrize("length", [LIMIT + 1, 50_000_000, 2**63, 2**64 - 1])
def test_a_body_announced_too_large_is_refused_before_it_is_sent(
    service: Service, length: int
) -> None:
    with Connection(service.port) as connection:
        connection.send(POST + f"Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n".encode())
        answer = connection.answer()
    assert answer is not None
    check_refusal(answer, 413, "body_too_large")  # and no "100 Continue" before it


def test_a_client_that_waits_for_leave_gets_it(service: Service) -> None:
    with Connection(service.port) as connection:
        connection.send(
            POST + f"Content-Length: {len(RED)}\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        leave = connection.answer()
        assert leave is not None
        assert leave.status_code == 100
        connection.send(RED)
        answer = connection.answer()
    assert answer is not None
    assert answer.status_code == 200


def test_a_browser_that_sends_fifty_megabytes_can_read_why_not(service: Service) -> None:
    with Connection(service.port) as connection:
        connection.send(POST + b"Content-Length: 50000000\r\n\r\n")
        for _ in range(50):  # as a browser does: it reads when it has sent
            connection.send(bytes(1_000_000))
        answer = connection.answer()
    assert answer is not None, "reset before the client could read the answer"
    check_refusal(answer, 413, "body_too_large")


# --- Clients ---


def test_a_hundred_requests_sent_together_are_answered_in_order(service: Service) -> None:
    kinds = [(RED, 200), (b"", 400), (b"a", 415), (RED[:50], 422)]
    sent = [kinds[number % 4] for number in range(100)]
    with Connection(service.port) as connection:
        connection.send(
            b"".join(
                request(body, [("X-Request-ID", str(number))])
                for number, (body, _) in enumerate(sent)
            )
        )
        for number, (_, status) in enumerate(sent):
            answer = connection.answer()
            assert answer is not None
            assert answer.status_code == status
            assert answer.headers["x-request-id"] == str(number)


def test_clients_that_leave_in_the_middle_leave_nothing_behind(service: Service) -> None:
    before = service.workers()
    whole = request(picture("PNG"))
    for number in range(200):
        with Connection(service.port) as connection:
            connection.send(whole[: 20 + number * (len(whole) - 21) // 200])
    check_flat(service, before, 20)
    check_log(service)
    assert all(json.loads(line)["status"] < 500 for line in service.lines)
    assert service.temporary_files() == []
