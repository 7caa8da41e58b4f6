from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.test_candidate import DATA
from tests.training.test_command_line import run_here
from training.recipes import RECIPES
from training.run import begin
from training.train import network

pytestmark = pytest.mark.train

MODELS = Path(__file__).parents[3] / "models"


def test_recipes_variants_and_model_files_are_put_side_by_side() -> None:
    done = run_here(
        "compare",
        "mnist-1conv",
        "mnist-1conv-strides2",
        MODELS / "mnist-1conv.onnx",
        "--format",
        "json",
    )
    assert done.exit_code == 0, done.output
    plain, strided, shipped = json.loads(done.stdout)
    assert [row["name"] for row in (plain, strided, shipped)] == [
        "mnist-1conv",
        "mnist-1conv-strides2",
        "mnist-1conv.onnx",
    ]
    assert plain["parameters"] == shipped["parameters"] == 693_962
    assert strided["parameters"] == 320 + (6 * 6 * 32 + 1) * 128 + 129 * 10
    assert plain["test_accuracy"] is None
    assert shipped["test_accuracy"] > 0.99
    assert all(row["latency_milliseconds"] > 0 for row in (plain, strided, shipped))


def test_the_table_can_be_sorted() -> None:
    done = run_here("compare", "mnist-1conv", "mnist-1conv-globalmax", "--sort", "parameters")
    assert done.exit_code == 0, done.output
    _, first, second = done.stdout.splitlines()
    assert first.startswith("mnist-1conv-globalmax ")
    assert second.startswith("mnist-1conv ")


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("nonsense", "There is no recipe 'nonsense'."),
        ("nonsense.onnx", "nonsense.onnx: "),
    ],
)
def test_what_is_not_there_ends_with_1_and_one_line(what: str, message: str) -> None:
    refused = run_here("compare", "mnist-1conv", what)
    assert refused.exit_code == 1
    assert refused.stdout == ""
    (line,) = refused.stderr.splitlines()
    assert message in line


def test_a_folder_that_is_no_run_or_has_no_weights_yet_ends_with_1(tmp_path: Path) -> None:
    refused = run_here("compare", tmp_path)
    assert refused.exit_code == 1
    assert "is no run folder" in refused.stderr
    begin(tmp_path / "begun", RECIPES["mnist-1conv"], DATA, 1, 0)
    refused = run_here("compare", tmp_path / "begun")
    assert refused.exit_code == 1
    assert "begun has no weights yet" in refused.stderr


def test_of_all_that_lies_among_the_runs_what_cannot_be_compared_is_left_out(
    tmp_path: Path,
) -> None:
    (tmp_path / "cache").mkdir()
    begin(tmp_path / "begun", RECIPES["mnist-1conv"], DATA, 1, 0)
    done = run_here("compare", tmp_path / "cache", tmp_path / "begun", "mnist-1conv")
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 2
    assert [line.startswith("left out: ") for line in done.stderr.splitlines()] == [True, True]


def test_a_head_alone_was_measured_but_took_no_epochs(tmp_path: Path) -> None:
    recipe = replace(RECIPES["mnist-1conv"], epochs=0, head_first=True)
    run = begin(tmp_path / "head", recipe, DATA, 1, 5)
    network(recipe, (28, 28, 1), 10).save(run.last)
    (run.folder / "head.json").write_text('{"loss": 0.3, "validation_accuracy": 0.8}')
    done = run_here("compare", run.folder, "--format", "json")
    assert done.exit_code == 0, done.output
    (row,) = json.loads(done.stdout)
    assert (row["validation_accuracy"], row["seconds_per_epoch"]) == (0.8, None)
