"""The image as operators get it: built without BuildKit, run with nothing that it may write to."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.abuse.conftest import IMAGE_VARIABLE
from tests.container.engine import HARDENED, ROOT, Engine, a_base, an_engine

pytestmark = pytest.mark.container

SEVEN = Path(__file__).parents[2] / "docs" / "images" / "seven.png"
COFFEE = Path(__file__).parents[2] / "docs" / "images" / "coffee.jpg"
IMAGE = "convolu-test"
HOME = "/opt/convolu/service"
BILL = "serve.cdx.json"
MOST_BYTES = 250 * 10**6
STOP_SECONDS = 5


@dataclass(frozen=True)
class Container:
    """A running container whose service has said that it is ready."""

    engine: Engine
    id: str
    port: int

    def run(self, *command: str) -> str:
        """Run a command inside."""
        return self.engine.run("exec", self.id, *command)

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=10)


@contextmanager
def ready(engine: Engine, *options: str, port: int = 8000) -> Iterator[Container]:
    """Run the image, wait until it is ready, and remove the container in the end."""
    container = engine.run("run", "--detach", *HARDENED, *options, IMAGE).strip()
    try:
        is_ready = engine.waits_for(container, "Convolu is ready")
        assert is_ready, engine.run("logs", container)
        yield Container(engine, container, port)
    finally:
        engine.run("rm", "--force", container)


@contextmanager
def on_a_free_port(engine: Engine) -> Iterator[Container]:
    """On this machine's loopback interface: an engine without a bridge publishes no port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    address = ["-e", "CONVOLU_HOST=127.0.0.1", "-e", f"CONVOLU_PORT={port}"]
    with ready(engine, "--network", "host", *address, port=port) as container:
        yield container


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with an_engine() as engine:
        yield engine


@pytest.fixture(scope="module")
def base(engine: Engine) -> str:
    return a_base(engine)


@pytest.fixture(scope="module", autouse=True)
def built(engine: Engine, base: str) -> None:
    options = ["--build-arg", f"BASE_IMAGE={base}"]
    # Under a name, so that it is there for the next build and goes when it is out of date.
    engine.build(ROOT, f"{IMAGE}-build", *options, "--target", "build")
    engine.build(ROOT, IMAGE, *options)


@pytest.fixture(scope="module")
def container(engine: Engine, built: None) -> Iterator[Container]:
    with on_a_free_port(engine) as container:
        yield container


@pytest.fixture(scope="module")
def config(engine: Engine) -> dict[str, Any]:
    found = json.loads(engine.run("image", "inspect", "--format", "{{json .Config}}", IMAGE))
    assert isinstance(found, dict)
    return found


def output_of(engine: Engine, *command: str) -> str:
    """What a command prints in a container of its own that may write, if its user may."""
    return engine.run("run", "--rm", "--network", "none", IMAGE, *command)


def layers(engine: Engine, image: str) -> list[tuple[int, str]]:
    """Bytes and instruction of each layer, the newest first."""
    form = ["--no-trunc", "--human=false", "--format", "{{.Size}} {{.CreatedBy}}"]
    found = re.findall(r"^(\d+) (.*)$", engine.run("history", *form, image), re.MULTILINE)
    return [(int(size), instruction) for size, instruction in found]


def test_its_user_is_a_number_and_not_root(config: dict[str, Any]) -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", config["User"])


def test_it_starts_without_a_shell(config: dict[str, Any]) -> None:
    assert config["Cmd"] == ["python", "-m", "app", "serve"]
    assert not config.get("Entrypoint")


def test_what_it_adds_to_its_base_without_the_models_is_at_most_250_megabytes(
    engine: Engine, base: str
) -> None:
    everything = layers(engine, IMAGE)
    own = everything[: len(everything) - len(layers(engine, base))]
    models = [size for size, instruction in own if f"{HOME}/models" in instruction]
    assert len(models) == 1
    assert models[0] > 0
    assert sum(size for size, _ in own) - models[0] <= MOST_BYTES


def test_it_holds_the_service_the_models_the_licence_and_the_bill_of_materials_alone(
    engine: Engine,
) -> None:
    found = output_of(engine, "find", HOME, "-type", "f", "-not", "-name", "*.pyc").split()
    wanted = [path for folder in ("app", "models") for path in (ROOT / folder).rglob("*.*")]
    wanted = [path for path in wanted if path.is_file() and path.suffix != ".pyc"]
    names = {path.relative_to(ROOT).as_posix() for path in wanted} | {"LICENSE", BILL}
    assert {name.removeprefix(f"{HOME}/") for name in found} == names


def test_it_holds_no_package_but_those_of_the_serving_lock(engine: Engine) -> None:
    code = "from importlib.metadata import distributions as d; print(*{x.name for x in d()})"
    found = output_of(engine, "python", "-c", code).split()
    lock = (ROOT / "requirements" / "serve.txt").read_text()
    locked = set(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))
    assert {re.sub(r"[-_.]+", "-", name).lower() for name in found} <= locked


def test_no_file_of_it_belongs_to_the_user_that_runs_it(engine: Engine) -> None:
    assert output_of(engine, "find", "/opt/convolu", "-writable", "-not", "-type", "l") == ""


def test_starting_compiles_nothing(engine: Engine) -> None:
    code = "import app.main, app.serve, app.__main__, app.healthcheck"
    said = output_of(engine, "python", "-v", "-c", code)
    compiled_before = re.findall(rf"^# {HOME}/(app/\S+\.pyc) matches", said, re.MULTILINE)
    assert len(compiled_before) == len([*(ROOT / "app").rglob("*.py")])
    assert re.findall(r"^# code object from (/opt/.*)$", said, re.MULTILINE) == []


@pytest.mark.parametrize(
    ("path", "picture", "model", "label"),
    [
        ("/predict", COFFEE, "imagenet-lite0", "espresso"),
        ("/predict?model=mnist-2conv", SEVEN, "mnist-2conv", "7"),
    ],
)
def test_the_models_that_come_along_answer(
    path: str, picture: Path, model: str, label: str, container: Container
) -> None:
    connection = container.connect()
    connection.request("POST", path, picture.read_bytes(), {"Content-Type": "image/any"})
    answer = json.load(connection.getresponse())
    connection.close()
    assert answer["predictions"][0]["label"] == label
    assert answer["model"] == model


def test_it_says_that_it_is_ready_and_then_one_line_per_request(container: Container) -> None:
    # A library that cannot write its cache, or wants to tell its maker of its use, would complain.
    said = container.engine.run("logs", container.id)
    banner = re.match(r"Convolu is ready: .*\n\n +curl .*\n\n", said)
    assert banner
    for line in said[banner.end() :].splitlines():
        assert set(json.loads(line)) >= {"request_id", "route", "status", "ms"}


def test_its_workers_count_together_although_nothing_is_writable(container: Container) -> None:
    connection = container.connect()
    for _ in range(20):
        connection.request("GET", "/models")
        connection.getresponse().read()
    counts = []
    for _ in range(4):
        fresh = container.connect()  # another connection, and so perhaps another worker
        fresh.request("GET", "/metrics")
        text = fresh.getresponse().read().decode()
        fresh.close()
        found = re.search(r'requests_total{model="",route="/models",status="200"} (\d+)', text)
        assert found
        counts.append(int(found[1]))
    connection.close()
    assert min(counts) >= 20
    assert len(set(counts)) == 1


def test_none_of_its_processes_has_a_privilege(container: Container) -> None:
    said = container.run("sh", "-c", "cat /proc/[0-9]*/status || true")
    processes = said.count("\nPid:")
    assert processes >= 2  # the service's and cat
    for line in (
        r"Uid:\t10001\t10001\t10001\t10001",
        r"CapEff:\t0+",
        r"CapPrm:\t0+",
        r"NoNewPrivs:\t1",
    ):
        assert len(re.findall(f"^{line}$", said, re.MULTILINE)) == processes


@pytest.mark.parametrize(
    "folder", ["/", "/tmp", "/var/tmp", "/opt/convolu", HOME, f"{HOME}/models"]
)
def test_nothing_can_be_written(container: Container, folder: str) -> None:
    with pytest.raises(AssertionError, match="Read-only file system"):
        container.run("touch", f"{folder}/file")


def test_the_health_check_tells_health_from_sickness(
    container: Container, config: dict[str, Any]
) -> None:
    form, *command = config["Healthcheck"]["Test"]
    assert form == "CMD"  # without a shell
    container.run(*command)
    nobody_listens = ["exec", "-e", "CONVOLU_PORT=1", container.id]
    assert not container.engine.says_yes(*nobody_listens, *command)


def test_any_user_can_run_it_and_no_network_is_needed(
    engine: Engine, config: dict[str, Any]
) -> None:
    # Here it also listens where its own settings say.
    with ready(engine, "--user", "12345:0", "--network", "none") as container:
        container.run(*config["Healthcheck"]["Test"][1:])


def test_sigterm_ends_it_soon_and_well_even_if_a_client_stays_connected(engine: Engine) -> None:
    with on_a_free_port(engine) as container:
        connection = container.connect()
        connection.request("GET", "/healthz")
        assert connection.getresponse().read()
        engine.run("kill", "--signal", "TERM", container.id)
        assert engine.run("wait", container.id, seconds=STOP_SECONDS).strip() == "0"
        connection.close()


@pytest.mark.parametrize(
    "file", ["test_pictures", "test_forms", "test_transport", "test_mutants", "test_leaks"]
)
def test_it_withstands_all_that_the_service_withstands(
    engine: Engine, built: None, file: str
) -> None:
    """In a process of its own, because a fixture of a file is made once in each."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"tests/abuse/{file}.py"],
        cwd=ROOT,
        env=engine.environment | {IMAGE_VARIABLE: IMAGE},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert " skipped" not in done.stdout.splitlines()[-1]
