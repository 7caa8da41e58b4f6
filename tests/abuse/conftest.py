"""One real service for each file of hostile inputs, and what must be true after every one of them.

The service runs as in production: two workers, warnings as Python has them by default.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from httpx2 import Response

from tests.abuse.wire import Connection, ask, request
from tests.app.test_serve import DEADLINE_SECONDS, ROOT
from tests.conftest import GREEN, check_problem, colour_model, mosaic_model
from tests.container.engine import HARDENED

IMAGE_VARIABLE = "CONVOLU_ABUSE_IMAGE"  # tests/container sets it, and runs all of this again
LOG_KEYS = ["time", "request_id", "method", "route", "model", "status", "ms", "bytes"]
MARKER = "zq7marker"  # stands in every hostile text, and must come out nowhere


@dataclass(frozen=True)
class Worker:
    """What one worker process holds."""

    resident_megabytes: float
    threads: int
    files: int


@dataclass(frozen=True)
class Service:
    """A running service, seen from outside."""

    process: subprocess.Popen[str]
    pid: int  # of the supervisor, the workers' parent
    port: int
    folder: Path  # its models, its temporary files, what it writes to standard error
    lines: list[str] = field(repr=False)  # of its standard output, as they come

    def workers(self) -> dict[int, Worker]:
        """Its worker processes by their ids."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return {
            int(child): _worker(Path("/proc", child))
            for child in children
            if b"spawn_main" in Path("/proc", child, "cmdline").read_bytes()
        }

    def errors(self) -> str:
        """What it has written to standard error."""
        return (self.folder / "errors").read_text(errors="replace")

    def temporary_files(self) -> list[Path]:
        return list((self.folder / "temporary").iterdir())


def _worker(folder: Path) -> Worker:
    status = (folder / "status").read_text()
    resident, threads = (
        int(status.partition(f"{name}:")[2].split()[0]) for name in ("VmRSS", "Threads")
    )
    return Worker(resident * 1024 / 1e6, threads, len(list((folder / "fd").iterdir())))


@contextmanager
def running_service(folder: Path) -> Iterator[Service]:
    """A service with the models `mosaic` (the default), `colours` and `digits`."""
    if not Path("/proc/self/task").exists():
        pytest.skip("processes are looked at through Linux' /proc")
    for name in ("models", "temporary"):
        (folder / name).mkdir()
    (folder / "models" / "colours.onnx").write_bytes(colour_model())
    (folder / "models" / "mosaic.onnx").write_bytes(mosaic_model())
    shutil.copy(ROOT / "models" / "mnist-2conv.onnx", folder / "models" / "digits.onnx")
    image = os.environ.get(IMAGE_VARIABLE)
    if image is None:
        command = [sys.executable, "-m", "app", "serve", "--port", "0", "--workers", "2"]
        command += ["--models", str(folder / "models"), "--default-model", "mosaic"]
    else:
        command = _in_a_container(image, folder)
    with (folder / "errors").open("w") as errors:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | {"TMPDIR": str(folder / "temporary")},
        )
    assert process.stdout is not None
    lines: list[str] = []
    reader = threading.Thread(target=lines.extend, args=(process.stdout,))
    try:
        banner = "".join(process.stdout.readline() for _ in range(4))
        found = re.search(r"ready: http://127.0.0.1:(\d+)/ ", banner)
        assert found, banner + (folder / "errors").read_text()
        reader.start()
        pid = process.pid if image is None else _pid_in(folder)
        yield Service(process, pid, int(found[1]), folder, lines)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        finally:
            if reader.is_alive():
                reader.join()
            process.stdout.close()


def _in_a_container(image: str, folder: Path) -> list[str]:
    """The command that runs the image in the foreground, hardened, with the folder's models."""
    settings = {"HOST": "127.0.0.1", "PORT": "0", "MODELS": "/models", "DEFAULT_MODEL": "mosaic"}
    return [
        *("docker", "run", "--rm", "--cidfile", str(folder / "container"), *HARDENED),
        *("--network", "host", "--volume", f"{folder}/models:/models:ro"),
        *(f"--env=CONVOLU_{name}={value}" for name, value in settings.items()),
        image,
    ]


def _pid_in(folder: Path) -> int:
    """The first process of the container, as this machine numbers it."""
    form = ["--format", "{{.State.Pid}}", (folder / "container").read_text()]
    found = subprocess.run(["docker", "inspect", *form], capture_output=True, check=True)
    return int(found.stdout)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all tests of a file; in the end its log must be in order."""
    with running_service(tmp_path_factory.mktemp("service")) as service:
        yield service
    assert service.process.returncode == 0
    check_log(service)


@pytest.fixture(autouse=True)
def _unharmed(service: Service) -> Iterator[None]:
    """After every test the same workers live, and the next good request is answered right."""
    before = service.workers().keys()
    assert len(before) == 2
    yield
    answer = ask(service.port, GREEN, path="/predict?model=colours")
    assert answer.status_code == 200
    assert answer.json()["predictions"][0]["label"] == "green"
    assert service.workers().keys() == before, "a worker was replaced"


def check_log(service: Service) -> None:
    """Standard output is JSON of known keys, line by line; no fault is on standard error."""
    for line in service.lines:
        # A pipe that is read too slowly, as docker's on a busy machine, costs lines and says so.
        assert list(json.loads(line)) in (LOG_KEYS, ["lost_lines"]), line
        assert MARKER not in line
    errors = service.errors()
    assert "Traceback" not in errors, errors
    assert "ERROR" not in errors, errors
    assert "Warning" not in errors, errors
    assert MARKER not in errors, errors


def check_refusal(answer: Response, status: int, code: str) -> None:
    """The one shape of errors; nothing that was sent comes back."""
    check_problem(answer, status)
    assert answer.json()["code"] == code
    assert MARKER.encode() not in answer.content
    assert answer.headers["x-content-type-options"] == "nosniff"


@contextmanager
def connections_to_each(service: Service, count: int) -> Iterator[list[Connection]]:
    """So many connections to each worker: the kernel chooses, so they are made until it is so."""
    found: dict[int, list[Connection]] = {pid: [] for pid in service.workers()}
    with ExitStack() as stack:
        while any(len(connections) < count for connections in found.values()):
            connection = stack.enter_context(Connection(service.port))
            connection.send(request(GREEN))
            connection.answer()  # its worker has accepted it
            mine = found[_worker_of(service, connection)]
            if len(mine) < count:
                mine.append(connection)
        yield [connection for connections in found.values() for connection in connections]


def _worker_of(service: Service, connection: Connection) -> int:
    """Which process holds the other end (proc(5), /proc/net/tcp and /proc/PID/fd)."""
    ends = (f":{service.port:04X}", f":{connection.port:04X}")
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    inode = next(row[9] for row in rows if (row[1][-5:], row[2][-5:]) == ends)
    for pid in service.workers():
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                if os.readlink(descriptor) == f"socket:[{inode}]":
                    return pid
    raise AssertionError("no worker holds the connection")


def check_flat(service: Service, before: dict[int, Worker], most: float) -> None:
    """Memory has grown by no more than `most` MB in any worker; threads and files not at all."""
    for _ in range(1000):  # each request gives the workers a turn, in which they see who has left
        after = service.workers()
        if all(after[pid].files <= before[pid].files for pid in before):
            break
        ask(service.port, GREEN)
    for pid, worker in before.items():
        assert after[pid].resident_megabytes <= worker.resident_megabytes + most, (before, after)
        assert after[pid].threads == worker.threads, (before, after)
        assert after[pid].files <= worker.files, (before, after)
