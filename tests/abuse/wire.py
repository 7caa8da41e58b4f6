"""HTTP by hand: sent is exactly what a test wrote, and answers are read to their end."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterable

from httpx2 import Response

ANSWER_SECONDS = 60  # for a busy machine; what must be quick has a bound of its own

Headers = Iterable[tuple[str, str]]


class Connection:
    """One connection to the service on this machine."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        self.port: int = self._socket.getsockname()[1]

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        """All of it, or as much as the service takes before it closes the connection."""
        try:
            self._socket.sendall(data)
        except ConnectionError:
            return

    def send_until_answered(self, pieces: Iterable[bytes]) -> int:
        """Piece after piece until the service has said something; how many bytes it took."""
        sent = 0
        for piece in pieces:
            readable, _, _ = select.select([self._socket], [], [], 0)
            if readable:
                break
            self.send(piece)
            sent += len(piece)
        return sent

    def end_sending(self) -> None:
        """Tell the service that nothing more will come."""
        self._socket.shutdown(socket.SHUT_WR)

    def answer(self, method: str = "POST") -> Response | None:
        """The next response to its end, or None if the service closed the connection instead."""
        try:
            status_line = self._file.readline()
            if not status_line:
                return None
            headers = []
            while (line := self._file.readline().rstrip(b"\r\n")) != b"":
                name, _, value = line.decode("latin-1").partition(": ")
                headers.append((name, value))
            length = int(dict(headers).get("content-length", 0))
            body = self._file.read(0 if method == "HEAD" else length)
        except ConnectionError:
            return None
        return Response(int(status_line.split()[1]), headers=headers, content=body)

    def rest(self) -> bytes:
        """Whatever else comes until the service closes the connection."""
        try:
            return self._file.read()
        except ConnectionError:
            return b""


def request(
    body: bytes = b"",
    headers: Headers = (),
    path: str = "/predict",
    method: str = "POST",
) -> bytes:
    """A request as a well-behaved client writes it, with its length."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def ask(
    port: int,
    body: bytes = b"",
    headers: Headers = (),
    path: str = "/predict",
    method: str = "POST",
) -> Response:
    """One request on a connection of its own."""
    with Connection(port) as connection:
        connection.send(request(body, headers, path, method))
        answer = connection.answer(method)
    assert answer is not None, "the connection was closed without an answer"
    return answer


BOUNDARY = b"----zq7"


def form(*files: bytes, filename: str = "a.png") -> tuple[bytes, Headers]:
    """A multipart form with these files in the field `file`, and its headers."""
    disposition = f'Content-Disposition: form-data; name="file"; filename="{filename}"'.encode()
    return parts(*((disposition, file) for file in files))


def parts(*named: tuple[bytes, bytes]) -> tuple[bytes, Headers]:
    """A multipart body of parts, each given as its headers and its data, and the body's headers."""
    lines = b"".join(
        b"--%b\r\n%b\r\n\r\n%b\r\n" % (BOUNDARY, headers, data) for headers, data in named
    )
    content_type = f"multipart/form-data; boundary={BOUNDARY.decode()}"
    return lines + b"--%b--\r\n" % BOUNDARY, [("Content-Type", content_type)]
