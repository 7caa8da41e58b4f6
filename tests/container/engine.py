"""A container engine and a base image, so that the image is built and run for real.

The engine is the one that answers, or else a private one that lives as long as the tests. Where no
registry of images answers, Debian's packages make the base. What takes long is kept for the next
run: the private engine's images in the user's cache folder, which may be deleted at any time.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer

import pytest

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "convolu-container"
INSTALL = "apt-get install --no-install-recommends docker.io debootstrap"
START_SECONDS = 60

# How the image is run in every test: README's line, with the limits of a small machine.
HARDENED = (
    *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    # Enough for two workers, as many as these tests start however many cores there are.
    *("--pids-limit", "128", "--memory", "1g", "--env", "CONVOLU_WORKERS=2"),
)

DEBIAN = "convolu-test-debian"
BASE = "convolu-test-base"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# pip's other settings are about this machine's files or about its user.
PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "default-timeout")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True)
class Engine:
    """The docker command, bound to one engine."""

    environment: dict[str, str] = field(repr=False)  # it may hold secrets

    def run(self, *arguments: str | Path, seconds: float = 60) -> str:
        """`docker` with these arguments → what it printed. Fails with all that it said."""
        done = subprocess.run(
            ["docker", *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )
        assert done.returncode == 0, f"docker {arguments[0]}: {done.stdout[-4000:]}"
        return done.stdout

    def says_yes(self, *arguments: str | Path, seconds: float = 60) -> bool:
        """Does `docker` with these arguments succeed?"""
        try:
            self.run(*arguments, seconds=seconds)
        except (AssertionError, subprocess.TimeoutExpired):
            return False
        return True

    def build(self, folder: Path, tag: str, *options: str) -> None:
        """Build a folder's Dockerfile. Steps that an earlier build did are not done again."""
        before = self._id_of(tag)
        # The build's network is this machine's: the private engine has no other.
        proxies = [f"--build-arg={name}" for name in PROXIES if name in os.environ]
        network = ["--network", "host", *proxies]
        self.run("build", *network, *options, "--tag", tag, folder, seconds=1200)
        if before and before != self._id_of(tag):
            self.says_yes("rmi", before)  # no if something else still needs it

    def _id_of(self, image: str) -> str | None:
        if not self.says_yes("image", "inspect", image):
            return None
        return self.run("image", "inspect", "--format", "{{.Id}}", image).strip()

    def waits_for(self, container: str, text: str) -> bool:
        """Does the container say this, before it ends and before it is too late?"""
        with subprocess.Popen(
            ["docker", "logs", "--follow", container],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as logs:
            assert logs.stdout is not None
            too_late = Timer(START_SECONDS, logs.kill)
            too_late.start()
            try:
                return any(text in line for line in logs.stdout)
            finally:
                too_late.cancel()
                logs.kill()


@contextmanager
def an_engine() -> Iterator[Engine]:
    """The engine that answers here, or a private one. Skips where there can be neither."""
    if shutil.which("docker") is None:
        pytest.skip(f"needs a container engine: {INSTALL}")
    # The builder without BuildKit, because the Dockerfile must do without.
    here = Engine(os.environ | {"DOCKER_BUILDKIT": "0"})
    if here.says_yes("version"):
        yield here
    elif shutil.which("dockerd") is None or os.geteuid() != 0:
        pytest.skip(f"needs a container engine that answers, or root and dockerd: {INSTALL}")
    else:
        with _private_engine() as host:
            environment = here.environment | {"DOCKER_HOST": host}
            environment.pop("DOCKER_CONTEXT", None)  # would win over DOCKER_HOST
            yield Engine(environment)


@contextmanager
def _private_engine() -> Iterator[str]:
    CACHE.mkdir(parents=True, exist_ok=True)
    log = CACHE / "dockerd.log"
    with (
        TemporaryDirectory(prefix="convolu-engine-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready,
        log.open("w") as output,
    ):
        host, notify = f"unix://{folder}/docker.sock", f"{folder}/ready.sock"
        ready.bind(notify)
        ready.settimeout(1)
        command = (
            # In a mount namespace of its own, so that its mounts end with it.
            *("unshare", "--mount", "dockerd", "--host", host),
            *("--data-root", f"{CACHE}/data", "--exec-root", f"{folder}/exec"),
            # In the cache folder: a second engine on the same data must not start.
            *("--pidfile", f"{CACHE}/dockerd.pid"),
            # It makes no bridge, no packet filter rule and no forwarding: they would outlive it.
            *("--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"),
        )
        daemon = subprocess.Popen(
            command,
            env=os.environ | {"NOTIFY_SOCKET": notify},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the tests, which need the engine to tidy up
        )
        try:
            assert _is_ready(ready, daemon), f"dockerd: {log.read_text()[-4000:]}"
            yield host
        finally:
            daemon.terminate()  # which also ends what it started
            daemon.wait(START_SECONDS)


def _is_ready(ready: socket.socket, daemon: subprocess.Popen[bytes]) -> bool:
    for _ in range(START_SECONDS):
        try:
            return b"READY=1" in ready.recv(4096)
        except TimeoutError:
            if daemon.poll() is not None:
                return False
    return False


def a_base(engine: Engine) -> str:
    """The Dockerfile's own base if it can be had, else Debian; with what this machine's pip needs.

    The product's Dockerfile knows nothing of a machine's certificates, indexes and proxies.
    """
    dockerfile = (ROOT / "Dockerfile").read_text()
    default = re.findall(r"^ARG BASE_IMAGE=(\S+)$", dockerfile, re.MULTILINE)[0]
    for image in (default, DEBIAN):
        if engine.says_yes("image", "inspect", image):
            break
    else:
        image = default
        if not engine.says_yes("pull", default, seconds=300):
            image = DEBIAN
            _bootstrap(engine)
    with TemporaryDirectory() as folder:
        Path(folder, "pip.conf").write_text(_pip_conf())
        steps = [f"FROM {image}", "COPY pip.conf /etc/pip.conf"]
        if CERTIFICATES.exists():  # else the image's own will do
            shutil.copy(CERTIFICATES, folder)
            steps.append(f"COPY {CERTIFICATES.name} {CERTIFICATES}")
        Path(folder, "Dockerfile").write_text("\n".join(steps))
        engine.build(Path(folder), BASE)
    return BASE


def _bootstrap(engine: Engine) -> None:
    if shutil.which("debootstrap") is None or os.geteuid() != 0:
        pytest.skip(f"needs a registry of images, or root and debootstrap: {INSTALL}")
    CACHE.mkdir(parents=True, exist_ok=True)
    # Not in /tmp, which may be mounted nodev.
    with TemporaryDirectory(dir=CACHE) as folder:
        packages = "python3,python3-venv,ca-certificates"
        done = subprocess.run(
            ("debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", "root"),
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, f"debootstrap: {done.stdout[-4000:]}"
        files = ("--directory=root", "--exclude=./var/cache/apt/archives/*.deb", ".")
        subprocess.run(("tar", "--create", "--file=root.tar", *files), cwd=folder, check=True)
        engine.run("import", f"{folder}/root.tar", DEBIAN, seconds=300)


def _pip_conf() -> str:
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    settings = {}
    # From the last to the first, which are the environment's and win: `:env:.timeout='180'`.
    for line in reversed(listed.splitlines()):
        name, _, value = line.partition("=")
        settings[name.rpartition(".")[2]] = str(ast.literal_eval(value))
    lines = ["[global]", f"cert = {CERTIFICATES}"]
    for name in PIP_SETTINGS:
        words = [word for word in settings.get(name, "").split() if not word.startswith("file:")]
        if words:
            lines.append(f"{name} = {' '.join(words)}")
    return "\n".join(lines) + "\n"
