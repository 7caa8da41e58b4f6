"""The import rule of docs/design.md: imports point one way, and importing does nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# From left to right: a module may import what stands before it, never what stands behind.
ORDER = [
    "app.errors",
    "app.memory",
    "app.digit",
    "app.jpeg",
    "app.pieces",
    "app.decode",
    "app.steps",
    "app.preprocess",
    "app.card",
    "app.classifier",
    "app.inside",
    "app.inside.graph",
    "app.inside.geometry",
    "app.inside.network",
    "app.inside.layer_table",
    "app.inside.session",
    "app.inside.feature_maps",
    "app.inside.window",
    "app.inside.slide",
    "app.inside.backwards",
    "app.inside.head",
    "app.inside.occlusion",
    "app.inside.explain",
    "app.inside.look",
    "app.jobs",
    "app.answers",
    "app.batcher",
    "app.settings",
    "app.metrics",
    "app.registry",
    "app.watch",
    "app.multipart",
    "app.held_bodies",
    "app.uploads",
    "app.problems",
    "app.request_log",
    "app.keys",
    "app.edge",
    "app.schemas",
    "app.routes",
    "app.main",
    "app.upgrade",
    "app.one_write",
    "app.connection",
    "app.serve",
    "app.__main__",
    "app.healthcheck",
]
TRAINING_MAY_IMPORT = {
    *("app", "app.errors", "app.decode", "app.preprocess", "app.card", "app.classifier")
}
SERVING_KNOWS_NOTHING_OF = ["training", "keras", "tensorflow", "onnx", "scipy", "matplotlib"]


def modules(package: str) -> dict[str, Path]:
    paths = sorted((ROOT / package).rglob("*.py"))
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    return {name.removesuffix(".__init__"): path for name, path in zip(names, paths, strict=True)}


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {node.module or ""}
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def place(module: str) -> int:
    if module.startswith("app.routes"):
        module = "app.routes"
    return ORDER.index(module)


def test_every_module_of_the_service_has_its_place_in_the_order() -> None:
    assert {place(name) for name in modules("app") if name != "app"} == set(range(len(ORDER)))


@pytest.mark.parametrize("name", [name for name in modules("app") if name != "app"])
def test_the_service_imports_only_what_stands_before_it(name: str) -> None:
    known = set(modules("app")) - {"app"}
    imported = imports_of(modules("app")[name]) & known
    assert all(
        place(other) < place(name) or other.startswith("app.routes") for other in imported
    ), f"{name} imports {sorted(imported)}"


@pytest.mark.parametrize("name", list(modules("training")))
def test_training_imports_only_the_left_end_of_the_service(name: str) -> None:
    known = set(modules("app"))
    assert imports_of(modules("training")[name]) & known <= TRAINING_MAY_IMPORT


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def test_the_service_starts_without_anything_that_training_needs() -> None:
    loaded = run("import sys, app.main, app.serve; print(*sys.modules)").split()
    assert not set(SERVING_KNOWS_NOTHING_OF) & set(loaded)


def test_importing_starts_no_thread_reads_no_environment_and_says_nothing() -> None:
    code = (
        "import os, threading; os.environ['CONVOLU_PORT'] = 'no number';"
        "import app.__main__, app.main; assert threading.active_count() == 1"
    )
    assert run(code) == ""
