"""The real thing: processes, sockets, signals."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Thread

import httpx2
import pytest

from app.keys import new_key
from app.serve import usable_cores
from benchmarks.faults.change import listening
from tests.conftest import RED

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 60  # for a busy machine; a start takes about one


@contextmanager
def started(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "app", "serve", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | environment,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def announced_url(process: subprocess.Popen[str]) -> str:
    """The address that the service prints once it is ready."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"ready: (http://\S+)/ ", line):
            return found[1]
    raise AssertionError("the service ended before it was ready")


@contextmanager
def log_read_aside(process: subprocess.Popen[str]) -> Iterator[list[str]]:
    """Read what the service prints while it runs, for many requests: a pipe has an end."""
    lines: list[str] = []
    assert process.stdout is not None
    thread = Thread(target=lines.extend, args=(process.stdout,))
    thread.start()
    try:
        yield lines
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE_SECONDS)
        thread.join()


def test_a_service_starts_again_while_a_client_still_holds_a_connection_to_the_last() -> None:
    with started("--port", "0", "--workers", "1") as process:
        url = announced_url(process)
        host, _, port = url.removeprefix("http://").partition(":")
        client = socket.create_connection((host, int(port)))
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
    with client, started("--port", port, "--workers", "1") as process:
        assert announced_url(process) == url


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_service_says_where_it_is_answers_and_stops_when_told(
    models_folder: Path, workers: str
) -> None:
    with started("--port", "0", "--workers", workers, "--models", str(models_folder)) as process:
        url = announced_url(process)
        with httpx2.Client(base_url=url) as client:
            for _ in range(20):
                answer = client.post("/predict", files={"file": RED})
                assert answer.json()["predictions"][0]["label"] == "red"
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0
    assert "Traceback" not in rest


def test_connections_are_shared_by_the_workers(models_folder: Path) -> None:
    with started("--port", "0", "--workers", "2", "--models", str(models_folder)) as process:
        port = int(announced_url(process).rpartition(":")[2])
        listening = subprocess.run(
            ["ss", "--listening", "--tcp", "--numeric", "--no-header", f"sport = :{port}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if listening.returncode:
            pytest.skip("ss (Debian package iproute2) is not here to count sockets")
        assert len(listening.stdout.splitlines()) == 2


def test_the_call_that_is_printed_works_when_pasted(models_folder: Path) -> None:
    with started("--port", "0", "--workers", "1", "--models", str(models_folder)) as process:
        announced_url(process)
        assert process.stdout is not None
        command = next(line for line in process.stdout if "curl" in line)
        output = subprocess.run(
            command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    assert '"predictions":[' in output


def test_a_port_that_is_taken_ends_the_start_with_one_clear_line(models_folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with started("--port", port, "--models", str(models_folder)) as process:
            output, _ = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 1
    assert output.count("\n") == 1
    assert f"127.0.0.1:{port}" in output
    assert "--port" in output


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_folder_without_models_ends_the_start_with_a_clear_line(
    tmp_path: Path, workers: str
) -> None:
    arguments = ("--port", "0", "--workers", workers, "--models", str(tmp_path))
    with started(*arguments) as process:
        output, _ = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 3
    assert "it holds no *.onnx file" in output
    assert "Traceback" not in output


def test_every_option_is_also_an_environment_variable(models_folder: Path) -> None:
    environment = {
        "CONVOLU_PORT": "0",
        "CONVOLU_WORKERS": "1",
        "CONVOLU_MODELS": str(models_folder),
        "CONVOLU_CORS_ORIGINS": "https://page.example",
    }
    with started(**environment) as process:
        request = urllib.request.Request(
            announced_url(process) + "/healthz", headers={"Origin": "https://page.example"}
        )
        with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as response:
            assert response.headers["Access-Control-Allow-Origin"] == "https://page.example"


def test_origins_are_given_by_a_repeatable_option(models_folder: Path) -> None:
    origins = ("https://a.example", "http://localhost:5173")
    options = [part for origin in origins for part in ("--cors-origin", origin)]
    with started(
        "--port", "0", "--workers", "1", "--models", str(models_folder), *options
    ) as process:
        url = announced_url(process)
        for origin in origins:
            response = httpx2.get(f"{url}/healthz", headers={"origin": origin})
            assert response.headers["access-control-allow-origin"] == origin


def test_a_setting_that_makes_no_sense_ends_the_start_with_one_clear_line() -> None:
    with started("--cors-origin", "*") as process:
        output, _ = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 1
    assert output.startswith("CONVOLU_CORS_ORIGINS: ")
    assert output.count("\n") == 1


@pytest.mark.parametrize("content", [None, "frontend secret\n"], ids=["missing", "malformed"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_key_file_that_cannot_be_read_ends_the_start_with_one_clear_line(
    models_folder: Path, tmp_path: Path, content: str | None, workers: str
) -> None:
    keys = tmp_path / "keys"
    if content is not None:
        keys.write_text(content)
    arguments = ("--port", "0", "--workers", workers, "--models", str(models_folder))
    with started(*arguments, CONVOLU_API_KEYS_FILE=str(keys)) as process:
        output, _ = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 1
    assert output.startswith("CONVOLU_API_KEYS_FILE: ")
    assert output.count("\n") == 1
    assert "secret" not in output


def test_with_keys_the_call_that_is_printed_takes_the_key_from_the_environment(
    models_folder: Path, tmp_path: Path
) -> None:
    key, line = new_key("terminal")
    (tmp_path / "keys").write_text(line)
    arguments = ("--port", "0", "--workers", "1", "--models", str(models_folder))
    with started(*arguments, CONVOLU_API_KEYS_FILE=str(tmp_path / "keys")) as process:
        announced_url(process)
        assert process.stdout is not None
        command = next(line for line in process.stdout if "curl" in line)
        output = subprocess.run(
            command,
            shell=True,
            cwd=ROOT,
            env=os.environ | {"CONVOLU_KEY": key},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    assert '"predictions":[' in output


def test_the_healthcheck_follows_readiness(models_folder: Path) -> None:
    def healthcheck(port: str) -> int:
        return subprocess.run(
            [sys.executable, "-m", "app.healthcheck"],
            cwd=ROOT,
            env=os.environ | {"CONVOLU_PORT": port},
            check=False,
        ).returncode

    arguments = ("--port", "0", "--workers", "1", "--models", str(models_folder))
    with started(*arguments) as process:
        port = announced_url(process).rpartition(":")[2]
        assert healthcheck(port) == 0
    assert healthcheck(port) == 1
    with started(*arguments, "--default-model", "gone") as process:
        assert healthcheck(announced_url(process).rpartition(":")[2]) == 1


def test_there_is_at_least_one_core_and_no_more_than_the_machine_has() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_metrics_on_a_port_of_their_own_are_nowhere_else(models_folder: Path) -> None:
    arguments = ("--port", "0", "--workers", "2", "--models", str(models_folder))
    with started(*arguments, CONVOLU_METRICS_PORT="0") as process:
        assert process.stdout is not None
        found = re.search(r"Metrics: (http://\S+)", process.stdout.readline())
        assert found
        url = announced_url(process)
        for _ in range(5):
            assert httpx2.post(f"{url}/predict", content=RED).status_code == 200
        assert httpx2.get(f"{url}/metrics").status_code == 404
        page = httpx2.get(found[1]).text
    assert 'convolu_requests_total{model="colours",route="/predict",status="200"} 5.0' in page
    assert "convolu_workers 2.0" in page


@pytest.mark.parametrize(
    ("host", "keys", "warns"),
    [
        ("127.0.0.1", False, False),
        ("localhost", False, False),
        ("0.0.0.0", False, True),
        ("0.0.0.0", True, False),
    ],
)
def test_a_service_that_anyone_may_call_says_so(
    tmp_path: Path, host: str, keys: bool, warns: bool
) -> None:
    (tmp_path / "keys").write_text("")
    environment = {"CONVOLU_API_KEYS_FILE": str(tmp_path / "keys")} if keys else {}
    # Without models it ends before it listens, and has said this first.
    arguments = ("--port", "0", "--workers", "1", "--models", str(tmp_path / "none"))
    with started(*arguments, "--host", host, **environment) as process:
        output, _ = process.communicate(timeout=DEADLINE_SECONDS)
    assert ("Anyone who reaches" in output) == warns


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGHUP])
def test_a_single_worker_is_replaced_when_it_dies_and_when_that_is_asked(
    models_folder: Path, signal_number: signal.Signals
) -> None:
    arguments = ("--port", "0", "--workers", "1", "--models", str(models_folder))
    with started(*arguments) as process:
        url = announced_url(process)
        (before,) = workers_of(process.pid)
        killed = before if signal_number == signal.SIGKILL else process.pid
        with log_read_aside(process):
            os.kill(killed, signal_number)
            deadline = time.monotonic() + DEADLINE_SECONDS
            while before in workers_of(process.pid) and time.monotonic() < deadline:
                answers(url)
            while not answers(url) and time.monotonic() < deadline:
                pass
            assert before not in workers_of(process.pid)
            assert answers(url)


def test_a_worker_that_cannot_start_again_does_not_end_the_others(models_folder: Path) -> None:
    """The only model is replaced by a broken one: who serves the old one serves on."""
    arguments = ("--port", "0", "--workers", "2", "--models", str(models_folder))
    with started(*arguments) as process:
        url = announced_url(process)
        port = int(url.rpartition(":")[2])
        good = models_folder / "colours.onnx"
        good.rename(models_folder / "kept")
        good.write_bytes(b"broken")
        os.kill(workers_of(process.pid)[0], signal.SIGKILL)
        assert process.stdout is not None
        assert any("No model can be served" in line for line in process.stdout)
        with log_read_aside(process):
            assert all(answers(url) for _ in range(20))
            (models_folder / "kept").replace(good)
            deadline = time.monotonic() + DEADLINE_SECONDS
            while listening(port) < 2 and time.monotonic() < deadline:
                assert answers(url)
            assert listening(port) == 2
            assert all(answers(url) for _ in range(20))


def test_a_shells_limit_on_open_files_is_none_on_connections(models_folder: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    arguments = ("--port", "0", "--workers", "1", "--models", str(models_folder))
    resource.setrlimit(resource.RLIMIT_NOFILE, (80, hard))
    try:
        with started(*arguments) as process:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            url = announced_url(process)
            with ExitStack() as stack:
                for _ in range(100):
                    client = stack.enter_context(httpx2.Client(base_url=url))
                    assert client.get("/models").status_code == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_worker_out_of_files_comes_back_when_clients_leave(models_folder: Path) -> None:
    arguments = ("--port", "0", "--workers", "1", "--models", str(models_folder))
    with started(*arguments) as process:
        url = announced_url(process)
        assert answers(url)
        (worker,) = workers_of(process.pid)
        files = len(list(Path(f"/proc/{worker}/fd").iterdir()))
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (files + 5, files + 5))
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        many = [socket.create_connection(address) for _ in range(50)]
        for client in many:
            client.close()
        assert answers(url)
        assert workers_of(process.pid) == [worker]
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=DEADLINE_SECONDS)
    assert said.count("\n") < 20  # no flood


def workers_of(pid: int) -> list[int]:
    """The service's children that answer requests, or will."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(OSError):  # it has just ended
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
    return found


def answers(url: str) -> bool:
    try:
        return httpx2.post(f"{url}/predict", content=RED).status_code == 200
    except httpx2.TransportError:
        return False
