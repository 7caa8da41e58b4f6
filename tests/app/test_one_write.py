"""Over real sockets: what matters is what a client receives, and in how many pieces."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from benchmarks.load import Post, form, free_port, running
from benchmarks.servers import convolu
from tests.conftest import RED, colour_model


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("models")
    (folder / "colours.onnx").write_bytes(colour_model())
    number = free_port()
    post = Post("/predict", *form(RED))
    with (
        (folder / "log").open("wb") as log,
        running(convolu("colours", folder, number, workers=1), number, post, {}, log),
    ):
        yield number


def request(path: str, body: bytes = b"", more: str = "") -> bytes:
    method = "POST" if body else "GET"
    return (
        f"{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n{more}\r\n".encode()
        + body
    )


def received(connection: socket.socket, size: int = 1 << 22) -> bytes:
    """All that comes until the service closes the connection."""
    pieces = []
    while piece := connection.recv(size):
        pieces.append(piece)
    return b"".join(pieces)


def test_head_and_body_of_an_answer_come_in_one_piece(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        for _ in range(20):
            connection.sendall(request("/predict", RED))
            piece = connection.recv(1 << 16)
            assert piece.startswith(b"HTTP/1.1 200 OK\r\n")
            assert piece.endswith(b"}]}")


def test_requests_that_were_sent_together_are_answered_in_order(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(
            request("/healthz")
            + request("/predict", RED)
            + request("/nothing", more="connection: close\r\n")
        )
        text = received(connection)
    assert re.findall(rb"HTTP/1\.1 (\d+) ", text) == [b"200", b"200", b"404"]


def test_the_last_answer_before_the_connection_closes_is_whole(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(request("/predict", RED, "connection: close\r\n"))
        head, _, body = received(connection).partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head
    assert body.endswith(b"}]}")


def test_a_large_file_arrives_whole_at_a_client_that_reads_slowly(port: int) -> None:
    script = Path(str(files("fastapi_offline") / "static" / "swagger-ui-bundle.js")).read_bytes()
    path = "/docs/assets/swagger-ui-bundle.js"
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(request(path, more="connection: close\r\n"))
        _, _, body = received(connection, size=4096).partition(b"\r\n\r\n")
    assert body == script


def test_a_client_that_leaves_without_reading_harms_nobody(port: int) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            connection.sendall(request("/docs/assets/swagger-ui-bundle.js"))
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(request("/healthz", more="connection: close\r\n"))
        assert received(connection).startswith(b"HTTP/1.1 200 OK")
