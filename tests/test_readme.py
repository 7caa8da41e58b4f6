"""README is true: its calls run as they stand, its tree and numbers are those of the files."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.classifier import Classifier
from tests.app.test_serve import announced_url, started

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PACKAGES = ("app/", "training/", "benchmarks/")


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert found, language
    return found[1]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with started("--port", "0", "--workers", "1", "--default-model", "imagenet-lite0") as process:
        yield announced_url(process)


def run(command: list[str], code: str | None = None) -> str:
    return subprocess.run(
        command, input=code, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def test_the_curl_line_answers_as_shown(url: str) -> None:
    line = block("sh").replace("http://127.0.0.1:8000", url)
    answer = json.loads(run(["sh", "-c", line]))
    shown = json.loads(block("json").replace(", …", ""))
    best, shown_best = answer["predictions"][0], shown["predictions"][0]
    assert (answer["model"], answer["version"]) == (shown["model"], shown["version"])
    assert best["label"] == shown_best["label"]
    # The last of float32's decimals differ between kinds of processor.
    assert best["probability"] == pytest.approx(shown_best["probability"], abs=1e-4)


def test_the_python_call_works(url: str) -> None:
    code = block("python").replace("http://127.0.0.1:8000", url)
    first = run([sys.executable, "-W", "ignore::ResourceWarning", "-"], code).splitlines()
    assert len(first) == 3
    assert first[0].startswith("espresso ")


def test_the_javascript_call_works(url: str) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node (Debian package nodejs) is not here to run the JavaScript call")
    code = (
        'import { readFile } from "node:fs/promises";\n'
        'const file = new Blob([await readFile("docs/images/coffee.jpg")]);\n'
        + block("js").replace("http://127.0.0.1:8000", url)
    )
    assert run([node, "--input-type=module", "-"], code).startswith("espresso ")


def test_the_tree_names_every_module_and_folder_of_each_package_and_nothing_else() -> None:
    tree = README.partition("<!-- tree -->")[2]
    package, named = "", set()
    for indent, name in re.findall(r"^( *)(\S+/|\S+\.py) ", tree, re.MULTILINE):
        if not indent:
            package = name
        elif len(indent) == 2 and package in PACKAGES:
            named.add(package + name)
    there = set()
    for package in PACKAGES:
        there |= {f"{package}{path.name}" for path in (ROOT / package).glob("*.py")}
        there |= {f"{package}{path.parent.name}/" for path in (ROOT / package).glob("*/*.py")}
    assert named - {"app/web/"} == {path for path in there if not path.endswith("__init__.py")}


def test_every_file_that_the_pages_link_to_is_there() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "models/README.md"]:
        for link in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_accuracies_are_those_on_the_cards() -> None:
    table = README.partition("<!-- models -->")[2].partition("Measured once")[0]
    for path in sorted((ROOT / "models").glob("*.onnx")):
        card = Classifier(path.read_bytes()).card
        row = next(line for line in table.splitlines() if f"`{path.stem}`" in line)
        if card.published is not None:
            assert f"{card.published.accuracy:.1%}, published, not measured" in row
            continue
        metrics = card.metrics
        assert metrics is not None
        seeds = list(metrics.seed_accuracies.values())
        assert f"{metrics.accuracy:.2%}" in row
        assert f"{sum(seeds) / len(seeds):.2%}" in row
