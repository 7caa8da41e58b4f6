from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.preprocess import Preprocess
from training.data import Data
from training.recipes import RECIPES, Recipe
from training.run import NoRun, begin, epochs, read, run_folder, write

NOTHING = np.zeros((0, 28, 28, 1), np.uint8), np.zeros(0, np.int64)
DATA = Data("nothing", ("a", "b"), Preprocess(28, 28, channels=1), *NOTHING, *NOTHING)
RECIPE = RECIPES["mnist-1conv"]


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_every_recipe_is_read_back_as_it_was(recipe: Recipe, tmp_path: Path) -> None:
    recipe = replace(recipe, variant={"strides": 2, "head": "global-max"})
    begun = begin(tmp_path / "run", recipe, DATA, seed=7, validation=100)
    assert read(tmp_path / "run") == begun


def test_beginning_again_is_the_same_run(tmp_path: Path) -> None:
    first = begin(tmp_path, RECIPE, DATA, 1, 0)
    assert begin(tmp_path, RECIPE, DATA, 1, 0) == first


def test_another_description_or_other_seeds_are_still_the_same_run(tmp_path: Path) -> None:
    first = begin(tmp_path, RECIPE, DATA, 1, 0)
    same = replace(RECIPE, description="In other words", seeds=(4, 5, 6))
    assert begin(tmp_path, same, DATA, 1, 0).folder == first.folder
    assert read(tmp_path) == first  # as it was begun


OTHER = replace(DATA, labels=("a", "b"), y_test=np.ones(1, np.int64))


@pytest.mark.parametrize(
    ("recipe", "data", "seed", "validation"),
    [
        pytest.param(replace(RECIPE, epochs=1), DATA, 1, 0, id="recipe"),
        pytest.param(RECIPE, OTHER, 1, 0, id="data"),
        pytest.param(RECIPE, DATA, 2, 0, id="seed"),
        pytest.param(RECIPE, DATA, 1, 9, id="validation"),
    ],
)
def test_a_folder_is_never_given_to_a_run_of_other_facts(
    recipe: Recipe, data: Data, seed: int, validation: int, tmp_path: Path
) -> None:
    begin(tmp_path, RECIPE, DATA, 1, 0)
    before = (tmp_path / "run.json").read_text()
    with pytest.raises(FileExistsError, match=r"holds a run of other facts .* Move it away"):
        begin(tmp_path, recipe, data, seed, validation)
    assert (tmp_path / "run.json").read_text() == before


def test_what_a_recipe_did_not_do_may_be_no_part_of_it_any_more(tmp_path: Path) -> None:
    begin(tmp_path, RECIPE, DATA, 1, 0)
    path = tmp_path / "run.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps(facts | {"recipe": facts["recipe"] | {"mixup": 0.0}}))
    assert begin(tmp_path, RECIPE, DATA, 1, 0).is_like(begin(tmp_path, RECIPE, DATA, 1, 0))
    path.write_text(json.dumps(facts | {"recipe": facts["recipe"] | {"mixup": 0.2}}))
    with pytest.raises(FileExistsError, match=r"mixup 0\.2 there, None asked"):
        begin(tmp_path, RECIPE, DATA, 1, 0)


def test_the_facts_that_differ_are_said_and_no_others(tmp_path: Path) -> None:
    begin(tmp_path, RECIPE, DATA, 1, 0)
    with pytest.raises(FileExistsError) as caught:
        begin(tmp_path, replace(RECIPE, epochs=RECIPE.epochs + 1), DATA, 1, 9)
    said = f"(validation 0 there, 9 asked; epochs {RECIPE.epochs} there, {RECIPE.epochs + 1} asked)"
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "it has no run.json"),
        ("", "not what this version writes"),
        ("[]", "not what this version writes"),
        ("{}", "not what this version writes"),
        ('{"recipe": {}, "seed": 1}', "not what this version writes"),
    ],
)
def test_what_is_no_run_is_said_so(content: str | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(NoRun, match=message):
        read(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}"])
def test_a_folder_that_holds_no_run_is_not_gone_on_with(content: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(NoRun, match="not what this version writes"):
        begin(tmp_path, RECIPES["mnist-1conv"], DATA, seed=1, validation=0)


def test_a_file_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NoRun, match="no run folder"):
        read(tmp_path / "file")


def test_a_run_is_finished_when_every_epoch_is_done_and_its_weights_are_there(
    tmp_path: Path,
) -> None:
    run = begin(tmp_path, replace(RECIPE, epochs=2), DATA, 1, 0)
    row = {"epoch": 1.0, "seconds": 1.0, "loss": 0.12345678, "accuracy": 0.5}
    assert (run.history, run.finished) == ([], False)
    run.last.touch()
    write(tmp_path / "history.json", json.dumps([row]))
    assert not run.finished
    write(tmp_path / "history.json", json.dumps([row, row | {"validation_accuracy": 0.25}]))
    assert run.finished
    assert [epoch.loss for epoch in epochs(tmp_path)] == [0.123457, 0.123457]
    assert [epoch.validation_accuracy for epoch in epochs(tmp_path)] == [None, 0.25]
    run.last.unlink()
    assert not run.finished


def test_a_run_has_a_folder_by_recipe_and_seed() -> None:
    assert run_folder(Path("runs"), "mnist-1conv", 3) == Path("runs/mnist-1conv-seed3")
