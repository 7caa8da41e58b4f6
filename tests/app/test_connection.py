"""Bounds on what a client may send and how long it may take, over real sockets."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import fastapi_offline
import pytest

from benchmarks.load import form
from tests.app.test_serve import announced_url, log_read_aside, started
from tests.conftest import RED, colour_model

TIMEOUT_SECONDS = 1.0
LATE_SECONDS = 10.0  # how late a busy machine may be
MAX_HEADER_BYTES = 1024
MAX_CONNECTIONS = 6
ORIGIN = "https://page.example"
SETTINGS = {
    "CONVOLU_RECEIVE_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS),
    "CONVOLU_MAX_HEADER_BYTES": str(MAX_HEADER_BYTES),
    "CONVOLU_MAX_CONNECTIONS": str(MAX_CONNECTIONS),
    "CONVOLU_CORS_ORIGINS": ORIGIN,
}
HEAD = f"Host: x\r\nOrigin: {ORIGIN}\r\n"
POST = f"POST /predict HTTP/1.1\r\n{HEAD}Content-Type: image/png\r\n"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("models")
    (folder / "colours.onnx").write_bytes(colour_model())
    with started("--port", "0", "--workers", "1", "--models", str(folder), **SETTINGS) as process:
        port = int(announced_url(process).rpartition(":")[2])
        with log_read_aside(process):
            yield port


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=LATE_SECONDS)


def ask(
    client: socket.socket, request: str | bytes = f"GET /healthz HTTP/1.1\r\n{HEAD}\r\n"
) -> str:
    client.sendall(request.encode() if isinstance(request, str) else request)
    return response_of(client)


def response_of(client: socket.socket) -> str:
    """One response to its end by Content-Length; what came until the end if there was none."""
    received = b""
    while not (whole := re.search(rb"content-length: (\d+)\r\n.*?\r\n\r\n", received, re.S)) or (
        len(received) < whole.end() + int(whole[1])
    ):
        try:
            more = client.recv(65536)
        except ConnectionResetError:
            more = b""
        if not more:
            break
        received += more
    return received.decode()


def check_problem(response: str, status: int, code: str) -> None:
    head, _, body = response.partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert "content-type: application/problem+json" in head
    assert "connection: close" in head
    problem = json.loads(body)
    assert (problem["status"], problem["code"]) == (status, code)
    assert f"x-request-id: {problem['request_id']}" in head


def drip(client: socket.socket, start: str, drop: bytes) -> tuple[float, str]:
    """Send the start, then a drop ten times per time-out, until the server ends it."""
    client.sendall(start.encode())
    client.settimeout(TIMEOUT_SECONDS / 10)
    began, received = time.perf_counter(), b""
    while (seconds := time.perf_counter() - began) < LATE_SECONDS:
        try:
            more = client.recv(65536)
            if not more:
                return seconds, received.decode()
            received += more
        except TimeoutError:
            client.sendall(drop)
        except ConnectionError:
            return seconds, received.decode()
    raise AssertionError("the server never ended it")


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        pytest.param("", b"", id="silence"),
        pytest.param("", b"\r\n", id="empty lines before a request"),
        pytest.param("GET /heal", b"t", id="a request line"),
        pytest.param("GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"a", id="a header"),
        pytest.param("GET / HTTP/1.1\r\nHost: x\r\n", b"a: b\r\n", id="many headers"),
        pytest.param(
            f"POST /predict?model=none HTTP/1.1\r\n{HEAD}Content-Length: 9999\r\n\r\n",
            b"a",
            id="a body that was refused already",
        ),
    ],
)
def test_a_client_that_never_comes_to_an_end_is_dropped_when_its_time_is_over(
    port: int, start: str, drop: bytes
) -> None:
    with connect(port) as client:
        seconds, received = drip(client, start, drop)
    assert seconds >= TIMEOUT_SECONDS * 0.9
    assert ("404" in received) == ("none" in start)


@pytest.mark.parametrize(
    "framing", ["Content-Length: 9999\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"]
)
def test_a_body_that_takes_too_long_is_told_so_and_dropped(port: int, framing: str) -> None:
    drop = b"1\r\na\r\n" if "chunked" in framing else b"a"
    with connect(port) as client:
        seconds, response = drip(client, POST + framing, drop)
    assert seconds >= TIMEOUT_SECONDS * 0.9
    check_problem(response, 408, "request_timeout")
    assert f"access-control-allow-origin: {ORIGIN}" in response


def test_a_slow_body_that_arrives_in_time_is_answered(port: int) -> None:
    with connect(port) as client:
        client.sendall(f"{POST}Content-Length: {len(RED)}\r\n\r\n".encode())
        for byte in RED[:-1]:
            client.sendall(bytes([byte]))
        assert '"label":"red"' in ask(client, RED[-1:])


def test_each_request_on_a_connection_has_the_whole_time(port: int) -> None:
    with connect(port) as client:
        began = time.perf_counter()
        while time.perf_counter() - began < 2 * TIMEOUT_SECONDS:
            assert ask(client).startswith("HTTP/1.1 200")


def test_a_client_that_does_not_read_its_answer_is_dropped(models_folder: Path) -> None:
    arguments = ("--port", "0", "--workers", "1", "--models", str(models_folder))
    with started(*arguments, **SETTINGS) as process, socket.socket() as client:
        port = int(announced_url(process).rpartition(":")[2])
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", port))
        request = f"GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\n{HEAD}\r\n".encode()
        client.sendall(request * 5)  # more than the kernel keeps for a reader that does not read
        assert process.stdout is not None
        lines = (line for line in process.stdout if line.startswith("{"))
        log = [json.loads(next(lines)) for _ in range(2)]
        assert log[1]["ms"] >= TIMEOUT_SECONDS * 900  # until then it was being sent
        received = 0
        while more := client.recv(1 << 20):
            received += len(more)
        script_bytes = (
            Path(fastapi_offline.__file__).parent / "static/swagger-ui-bundle.js"
        ).stat()
        assert received < 5 * script_bytes.st_size


def test_a_client_that_leaves_before_its_answer_is_heard_of_though_its_body_was_large(
    models_folder: Path,
) -> None:
    """A large body pauses reading, and who does not read does not see a connection end."""
    photo = (Path(__file__).parents[2] / "benchmarks/pictures/photo-12mp.jpg").read_bytes()
    headers, body = form(photo, count=10)  # 0.1 s of work
    head = f"POST /predict HTTP/1.1\r\n{HEAD}Content-Length: {len(body)}\r\n"
    head += f"Content-Type: {headers['Content-Type']}\r\n\r\n"
    arguments = ("--port", "0", "--workers", "1", "--models", str(models_folder))
    with started(*arguments) as process:
        with connect(int(announced_url(process).rpartition(":")[2])) as client:
            client.sendall(head.encode() + body)
        assert process.stdout is not None
        line = next(line for line in process.stdout if line.startswith("{"))
    assert json.loads(line)["status"] == 499


def headers_of(count: int) -> str:
    """A request whose line and headers count as so many bytes: names and values, and the URL."""
    rest = count - len("/healthz") - len("HostxX-Long")
    return f"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: {'a' * rest}\r\n\r\n"


def test_headers_as_large_as_allowed_are_read(port: int) -> None:
    with connect(port) as client:
        assert ask(client, headers_of(MAX_HEADER_BYTES)).startswith("HTTP/1.1 200")
        assert ask(client, headers_of(MAX_HEADER_BYTES)).startswith("HTTP/1.1 200")


@pytest.mark.parametrize(
    "request_text",
    [
        pytest.param(headers_of(MAX_HEADER_BYTES + 1), id="one byte more"),
        pytest.param(f"GET /{'a' * 100_000} HTTP/1.1\r\nHost: x\r\n\r\n", id="a long URL"),
        pytest.param(
            "GET / HTTP/1.1\r\nHost: x\r\n" + "a: b\r\n" * 10_000 + "\r\n", id="many headers"
        ),
        pytest.param("GET / HTTP/1.1\r\nX-Endless: " + "a" * 2000, id="a header without an end"),
        pytest.param("GET /" + "a" * 2000, id="a URL without an end"),
    ],
)
def test_larger_headers_are_refused(port: int, request_text: str) -> None:
    with connect(port) as client:
        check_problem(ask(client, request_text), 431, "headers_too_large")


@pytest.mark.parametrize(
    "request_text",
    [
        "nonsense\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ],
    ids=["nonsense", "TLS", "a version to come", "a negative length"],
)
def test_what_is_not_http_gets_the_one_shape_of_errors(port: int, request_text: str) -> None:
    with connect(port) as client:
        check_problem(ask(client, request_text), 400, "bad_request")


def test_one_connection_too_many_is_told_so_and_probes_are_answered(port: int) -> None:
    idle = [connect(port) for _ in range(MAX_CONNECTIONS)]
    try:
        for client in idle:
            assert ask(client).startswith("HTTP/1.1 200")
        with connect(port) as one_more:
            response = ask(one_more, f"GET /models HTTP/1.1\r\n{HEAD}\r\n")
            check_problem(response, 503, "overloaded")
            assert "retry-after: 1" in response
            assert f"access-control-allow-origin: {ORIGIN}" in response
        with connect(port) as probe:
            assert ask(probe, f"GET /readyz HTTP/1.1\r\n{HEAD}\r\n").startswith("HTTP/1.1 200")
        assert ask(idle[0], f"GET /models HTTP/1.1\r\n{HEAD}\r\n").startswith("HTTP/1.1 200")
    finally:
        for client in idle:
            client.close()


def test_with_twice_as_many_connections_the_next_is_cut_off(port: int) -> None:
    idle = [connect(port) for _ in range(2 * MAX_CONNECTIONS)]
    try:
        for client in idle[:MAX_CONNECTIONS]:
            assert ask(client).startswith("HTTP/1.1 200")
        with connect(port) as one_more:
            assert response_of(one_more) == ""
    finally:
        for client in idle:
            client.close()


def test_an_idle_client_is_told_that_the_service_stops_before_it_is_cut_off(
    models_folder: Path,
) -> None:
    arguments = ("--port", "0", "--workers", "1", "--models", str(models_folder))
    with started(*arguments) as process:
        port = int(announced_url(process).rpartition(":")[2])
        with connect(port) as client:
            assert "connection: close" not in ask(client)
            process.send_signal(signal.SIGTERM)
            with pytest.raises(OSError):  # noqa: PT012
                while True:  # until nobody listens any more
                    connect(port).close()
            response = ask(client)
            assert response.startswith("HTTP/1.1 200")
            assert "connection: close" in response
        assert process.wait(LATE_SECONDS) == 0
