from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.keys import ApiKeys
from tests.conftest import BLUE, RED

ROOT = Path(__file__).parents[2]


def convolu(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for name, data in {"red.png": RED, "blue.png": BLUE, "text.txt": b"no image"}.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_predict_prints_one_line_of_json_per_file(models_folder: Path, pictures: Path) -> None:
    files = [str(pictures / "red.png"), str(pictures / "blue.png")]
    done = convolu("predict", *files, "--models", str(models_folder), "--top-k", "1")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["file"] for line in lines] == files
    assert [line["predictions"][0]["label"] for line in lines] == ["red", "blue"]
    assert len(lines[0]["predictions"]) == 1


def test_predict_goes_on_after_a_bad_file_and_says_so_at_the_end(
    models_folder: Path, pictures: Path
) -> None:
    files = [str(pictures / name) for name in ("text.txt", "missing.png", "red.png")]
    done = convolu("predict", *files, "--models", str(models_folder))
    text, missing, red = (json.loads(line) for line in done.stdout.splitlines())
    assert text["error"]["code"] == "unsupported_image"
    assert "No such file" in missing["error"]["detail"]
    assert red["predictions"][0]["label"] == "red"
    assert done.returncode == 1
    assert done.stderr == ""


def test_an_unknown_model_is_one_clear_line(models_folder: Path, pictures: Path) -> None:
    arguments = ("--models", str(models_folder), "--model", "none")
    done = convolu("predict", str(pictures / "red.png"), *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "The models here are: colours.\n"


def test_models_lists_what_a_folder_holds(models_folder: Path) -> None:
    done = convolu("models", "--models", str(models_folder))
    assert done.returncode == 0
    assert "colours" in done.stdout
    assert "unproven" in done.stdout


def test_a_folder_without_models_is_one_clear_line(tmp_path: Path) -> None:
    done = convolu("models", "--models", str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1


def test_a_key_is_shown_once_and_its_line_is_for_the_file(tmp_path: Path) -> None:
    done = convolu("key", "front-end.1")
    assert done.returncode == 0
    assert re.fullmatch(r"front-end\.1 [0-9a-f]{64}\n", done.stdout)
    said = re.fullmatch(r"The key, shown only now: ([\w-]{43})\n", done.stderr)
    assert said
    (tmp_path / "keys").write_text(done.stdout)
    assert ApiKeys(tmp_path / "keys").name_of([(b"x-api-key", said[1].encode())]) == "front-end.1"


@pytest.mark.parametrize("name", ["front end", "", "ä", "n" * 65, "#comment"])
def test_a_name_that_no_key_can_have_is_one_clear_line(name: str) -> None:
    done = convolu("key", name)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("A name is of letters, digits")
    assert done.stderr.count("\n") == 1


def test_the_installed_command_is_the_same_program() -> None:
    script = Path(sys.executable).with_name("convolu")
    if not script.exists():
        pytest.skip("the project is not installed here; `make test` installs it")
    done = subprocess.run([script, "version"], capture_output=True, text=True, check=True)
    assert done.stdout == convolu("version").stdout
