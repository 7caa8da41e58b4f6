"""Over real sockets: what matters is what a client receives, and in how many pieces."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from app.one_write import OneWriteProtocol
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


class Writes(asyncio.Transport):
    """Stands for a socket and keeps what is written, write by write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def close(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        raise AssertionError("nothing here speaks another protocol")


@pytest.mark.parametrize(("protocol", "writes"), [(OneWriteProtocol, 1), (HttpToolsProtocol, 2)])
def test_head_and_body_of_an_answer_are_one_write_where_uvicorn_makes_two(
    protocol: type[HttpToolsProtocol], writes: int
) -> None:
    async def answer() -> list[bytes]:
        config = uvicorn.Config(PlainTextResponse("seven"), lifespan="off", http=protocol)
        config.load()
        transport = Writes()
        connection = protocol(config, ServerState(), {})
        connection.connection_made(transport)
        connection.data_received(request("/"))
        while b"seven" not in b"".join(transport.writes):
            await asyncio.sleep(0)
        connection.connection_lost(None)
        return transport.writes

    sent = asyncio.run(asyncio.wait_for(answer(), 30))
    assert len(sent) == writes
    assert sent[0].startswith(b"HTTP/1.1 200 OK\r\n")
    assert sent[-1].endswith(b"seven")


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
