"""The service keeps what its OpenAPI document promises: Schemathesis asks it all it can think of.

All its checks are on, its draws are the same on every run, and it talks to a real server; what it
cannot know is in schemathesis_hooks.py. About ten seconds a service.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.keys import new_key
from tests.app.pooled import pooled_model
from tests.app.test_serve import ROOT, announced_url, started

EXAMPLES = 100  # for each operation, besides the edges of each schema, which are always tried
RUN = ("run", "--checks", "all", "--generation-deterministic", "--max-examples", str(EXAMPLES))
HOOKS = "tests.app.schemathesis_hooks"


def ask_everything(
    models: Path, *options: str, key: str = "", **environment: str
) -> tuple[subprocess.CompletedProcess[str], str]:
    """Start a service, let Schemathesis ask it → its run, and all that the service said."""
    arguments = ("--port", "0", "--workers", "1", "--models", str(models), *options)
    with started(*arguments, **environment) as process, ThreadPoolExecutor() as reader:
        url = announced_url(process)
        assert process.stdout is not None
        said = reader.submit(process.stdout.read)  # a log that nobody reads holds up the service
        brought = ["--header", f"Authorization: Bearer {key}"] if key else []
        arguments = (*RUN, "--no-color", *brought, f"{url}/openapi.json")
        run = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", *arguments],
            cwd=models.parent,  # where it keeps what it found, for the next run
            env=os.environ | {"SCHEMATHESIS_HOOKS": HOOKS, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        process.terminate()
        return run, said.result()


def statuses_of(route: str, log: str) -> set[int]:
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return {line["status"] for line in lines if line["route"] == route}


def test_whatever_it_is_asked_it_answers_as_its_document_says(models_folder: Path) -> None:
    (models_folder / "pooled.onnx").write_bytes(pooled_model())
    run, log = ask_everything(
        models_folder, "--default-model", "pooled", CONVOLU_MAX_IMAGES_PER_REQUEST="3"
    )
    assert run.returncode == 0, run.stdout
    assert "Traceback" not in log
    # It is worth something only if images got through, and each kind of refusal was seen.
    for route in ("/predict", "/embed"):
        assert statuses_of(route, log) >= {200, 400, 404, 405, 413, 415, 422}, route
    assert statuses_of("/seen", log) >= {200, 400, 404, 415}
    for route in ("/inside", "/explain"):
        assert statuses_of(route, log) >= {200, 400, 404, 415, 422}, route


def test_without_its_default_model_too(models_folder: Path) -> None:
    run, log = ask_everything(models_folder, "--default-model", "gone")
    assert run.returncode == 0, run.stdout
    assert "Traceback" not in log
    assert statuses_of("/readyz", log) >= {503}
    assert statuses_of("/predict", log) >= {503}


def test_with_keys_it_answers_as_its_document_says_and_without_one_nothing(
    models_folder: Path, tmp_path: Path
) -> None:
    key, line = new_key("schemathesis")
    (tmp_path / "keys").write_text(line)
    run, log = ask_everything(models_folder, key=key, CONVOLU_API_KEYS_FILE=str(tmp_path / "keys"))
    assert run.returncode == 0, run.stdout
    assert "Traceback" not in log
    assert key not in log
    assert statuses_of("/predict", log) >= {200, 400, 404, 415}
    # Half of the time it leaves the key out or makes one up.
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    keyless = [one for one in lines if "key" not in one]
    assert {one["status"] for one in keyless if one["route"] == "other"} == {401}
    assert {one["route"] for one in keyless} == {"other", "/healthz", "/readyz"}
