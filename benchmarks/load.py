"""Start a server, drive it with wrk, see what it costs, end it.

wrk is Debian's package of that name. Knows nothing of images or of who is measured.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

HOST = "127.0.0.1"
LUA = Path(__file__).with_name("post.lua")
READY_SECONDS = 120
STOP_SECONDS = 20


@dataclass(frozen=True)
class Post:
    """A request that is sent over and over."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Load:
    """What one run of wrk saw."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Running:
    """A server that has answered."""

    pid: int  # also of its session and of its process group
    port: int
    ready_seconds: float  # from its start to its first answer


@contextmanager
def running(
    command: list[str], port: int, post: Post, environment: dict[str, str], log: IO[bytes]
) -> Iterator[Running]:
    """A server from its start to its end. Raises RuntimeError if it does not come to answer."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        env=os.environ | environment,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        while not _answers(port, post):
            if process.poll() is not None or time.perf_counter() - started > READY_SECONDS:
                raise RuntimeError(f"{command} did not come to answer; see {log.name}")
            time.sleep(0.02)
        yield Running(process.pid, port, time.perf_counter() - started)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):  # children outlive the first of them in some servers
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def drive(port: int, post: Post, connections: int, seconds: int) -> Load:
    """Send `post` from so many connections at once, each as soon as its last is answered.

    Raises RuntimeError if none is answered, or a single one fails or with anything but 2xx.
    """
    with tempfile.NamedTemporaryFile() as file:
        file.write(post.body)
        file.flush()
        headers = "".join(f"{name}: {value}\n" for name, value in post.headers.items())
        output = subprocess.run(
            [
                *("wrk", "--threads", "1", "--connections", str(connections)),
                *("--duration", f"{seconds}s", "--timeout", "60s", "--script", str(LUA)),
                f"http://{HOST}:{port}{post.path}",
            ],
            env=os.environ | {"BODY": file.name, "HEADERS": headers},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    seen = json.loads(output.strip().splitlines()[-1])
    if seen["failed"] or not seen["requests"]:
        raise RuntimeError(f"{seen['failed']} of {seen['requests']} requests failed: a void run")
    return Load(seen["requests"] / seen["seconds"], seen["p50_ms"], seen["p99_ms"])


def session_megabytes(pid: int) -> float:
    """Memory of all processes of a session, in MB; what they share is counted once (PSS)."""
    kilobytes = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            session = (folder / "stat").read_text().rpartition(")")[2].split()[3]
            if int(session) == pid:
                rollup = (folder / "smaps_rollup").read_text()
                kilobytes += int(rollup.partition("\nPss:")[2].split()[0])
        except (OSError, IndexError):  # it has just ended
            continue
    return kilobytes * 1024 / 1e6


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def form(data: bytes, count: int = 1) -> tuple[dict[str, str], bytes]:
    """Headers and body of a form with `count` files named `file`, as a browser sends it."""
    boundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
    part = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="file"; filename="picture"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    body = (part + data + b"\r\n") * count + f"--{boundary}--\r\n".encode()
    return {"Content-Type": f"multipart/form-data; boundary={boundary}"}, body


def _answers(port: int, post: Post) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=READY_SECONDS)
    try:
        connection.request("POST", post.path, post.body, post.headers)
        return 200 <= connection.getresponse().status < 300
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
