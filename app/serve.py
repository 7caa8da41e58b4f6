"""The server processes: one uvicorn per core, each with a listening socket of its own.

Workers that share one socket may share it badly: in 7 of 16 runs one of two took all connections.
With SO_REUSEPORT the kernel spreads them evenly. Knows nothing of requests or of models.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from functools import partial
from ipaddress import ip_address
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import uvicorn
from prometheus_client import start_http_server
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from app import metrics
from app.connection import Connection
from app.keys import ApiKeys
from app.settings import Settings

GRACE_SECONDS = 15  # for requests under way when the service is told to stop
PROVE_SECONDS = 60  # for a new worker to load and prove its models
RETRY_SECONDS = 5  # until another is started in place of one that could not


def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; exits without a free port, sound keys or a model to serve.

    SIGHUP replaces the workers one after the other. A worker that dies is replaced, also if it is
    the only one: the supervisor answers no request itself, so no request can end it.
    """
    port = _free_port(settings.host, settings.port)
    _check_keys(settings)
    _allow_files(2 * settings.max_connections + 256)
    config = uvicorn.Config(
        "app.main:create_app",
        factory=True,
        host=settings.host,
        port=port,
        workers=settings.workers or usable_cores(),
        http=partial(Connection, settings),  # type: ignore[arg-type]
        ws="none",
        lifespan="on",
        server_header=False,
        proxy_headers=False,  # nothing here asks who called
        log_level="error",  # its warnings are of what clients send, who could make them flood
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_worker_healthcheck=PROVE_SECONDS,
    )
    # In memory where there is such a place; a read-only container has no other.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with TemporaryDirectory(prefix="convolu-metrics-", dir=memory) as folder:
        os.environ[metrics.FOLDER_VARIABLE] = folder
        if settings.metrics_port is not None:
            _serve_metrics(settings.host, settings.metrics_port)
        supervisor = _Supervisor(config, [_SocketToCome(settings.host, port)])  # type: ignore[list-item]
        supervisor.needs_key = settings.api_keys_file is not None
        supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        sys.exit(STARTUP_FAILURE)


def _check_keys(settings: Settings) -> None:
    """Exits if the key file is bad: every worker reads it, here that is said once.

    Warns where there is none and others than this machine may call.
    """
    if settings.api_keys_file is not None:
        try:
            ApiKeys(settings.api_keys_file)
        except (OSError, ValueError) as exc:
            print(f"CONVOLU_API_KEYS_FILE: {exc}", file=sys.stderr)
            sys.exit(1)
    elif not _is_loopback(settings.host):
        print(
            f"Anyone who reaches {settings.host}:{settings.port} may call this service: it has no "
            "API keys (CONVOLU_API_KEYS_FILE).",
            file=sys.stderr,
            flush=True,
        )


def _allow_files(count: int) -> None:
    """Let each process open so many files, as far as the system lets it; shells say 1024."""
    import resource  # not on every system that has Python

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost"


def _serve_metrics(host: str, port: int) -> None:
    """The workers' counters on a port of their own, from the supervisor."""
    try:
        server, _ = start_http_server(port, host, metrics.everything())
    except OSError as exc:
        _end_for_port(host, port, exc, "CONVOLU_METRICS_PORT")
    print(f"Metrics: http://{host}:{server.server_port}/metrics", flush=True)


def usable_cores() -> int:
    """Cores this process may use: its CPU affinity, and its control group's quota rounded up."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()  # control groups v2
        return min(cores, max(1, -(-int(quota) // int(period))))
    except (OSError, ValueError):  # no control group, or "max": no quota
        return cores


class _Supervisor(Multiprocess):
    """uvicorn's, which also says when all are ready and outlives whatever happens to its workers.

    uvicorn's own ends when a worker cannot start. At the first start that is right; later it would
    end a service whose other workers serve well, because of a file that they have refused.
    """

    needs_key = False
    _was_ready = False
    _tried_at = 0.0

    def init_processes(self) -> None:
        super().init_processes()
        self._was_ready = all(process.wait_until_ready(PROVE_SECONDS) for process in self.processes)
        if self._was_ready:
            announce(self.config.host, self.config.port, self.needs_key)

    def keep_subprocess_alive(self) -> None:
        for index, process in enumerate(self.processes):
            if self.should_exit.is_set() or _lives(process):
                continue
            process.kill()  # it may be hung
            process.join()
            could_not_start = process.exitcode == STARTUP_FAILURE
            if could_not_start and not self._was_ready:
                self.should_exit.set()
                return
            if could_not_start and time.monotonic() - self._tried_at < RETRY_SECONDS:
                continue
            self._tried_at = time.monotonic()
            metrics.forget_worker(process.pid)
            self.processes[index] = Process(self.config, self.sockets)
            self.processes[index].start()

    def restart_all(self) -> None:
        before = [process.pid for process in self.processes]
        super().restart_all()
        for pid in set(before) - {process.pid for process in self.processes}:
            metrics.forget_worker(pid)


def _lives(process: Process) -> bool:
    """Whether a worker answers a ping. One that dies instead is known at once.

    uvicorn's own question waits its whole time-out for a worker that dies between two lines of it.
    """
    if not process.process.is_alive():
        return False
    try:
        process.parent_conn.send(b"ping")
        answered = process.parent_conn in wait(
            [process.parent_conn, process.process.sentinel], PROVE_SECONDS
        )
        if answered:
            process.parent_conn.recv()
    except (OSError, EOFError):
        return False
    return answered


class _SocketToCome:
    """Stands for a listening socket on its way to a worker: unpickling it there binds a new one."""

    def __init__(self, host: str, port: int) -> None:
        self.address = (host, port)

    def __reduce__(self) -> tuple[object, ...]:
        return _bind_shared, self.address


def _bind_shared(host: str, port: int) -> socket.socket:
    # Its connections inherit both. Without the first, those that a client has not closed yet keep
    # the next start off the port for a minute.
    return _bind(host, port, socket.SO_REUSEADDR, socket.SO_REUSEPORT)


def _bind(host: str, port: int, *options: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        for option in options:
            bound.setsockopt(socket.SOL_SOCKET, option, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


def _free_port(host: str, port: int) -> int:
    """The port, or a free one for 0. Exits if it is taken: SO_REUSEPORT alone would share it."""
    try:
        with _bind(host, port, socket.SO_REUSEADDR) as probe:
            return int(probe.getsockname()[1])
    except OSError as exc:
        _end_for_port(host, port, exc, "--port")


def _end_for_port(host: str, port: int, exc: OSError, setting: str) -> NoReturn:
    print(
        f"Cannot listen on {host}:{port}: {exc.strerror}. Choose another port with {setting}.",
        file=sys.stderr,
    )
    sys.exit(1)


def announce(host: str, port: int, needs_key: bool) -> None:
    """Say where the service is and show a call that works when pasted."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    url = f"http://{shown}:{port}"
    sample = Path("docs/images/coffee.jpg")
    picture = sample if sample.exists() else "picture.png"
    header = '-H "Authorization: Bearer $CONVOLU_KEY" ' if needs_key else ""
    print(
        f"Convolu is ready: {url}/ (the API: {url}/docs)\n\n"
        f"    curl {header}-F file=@{picture} {url}/predict\n",
        flush=True,
    )
