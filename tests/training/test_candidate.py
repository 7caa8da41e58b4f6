from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.card import Normalise
from app.preprocess import Preprocess
from tests.conftest import colour_card, colour_model, foreign_model
from training import networks
from training.candidate import of_file, of_recipe, of_run
from training.data import Data
from training.recipes import RECIPES
from training.run import Run, begin
from training.variants import Variant, vary

pytestmark = pytest.mark.train

ROOT = Path(__file__).parents[2]
NOTHING = np.zeros((0, 28, 28, 1), np.uint8), np.zeros(0, np.int64)
DATA = Data("mnist", tuple("0123456789"), Preprocess(28, 28, channels=1), *NOTHING, *NOTHING)
SMALL = vary(RECIPES["mnist-2conv"], Variant(strides=2, head="global-max"))
SMALL_PARAMETERS = 320 + 18_496 + 65 * 64 + 65 * 10


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A finished run of three epochs, of which the first took longest."""
    run = begin(tmp_path / "a-run", replace(SMALL, epochs=3), DATA, seed=1, validation=10)
    rows = [
        {"epoch": 1, "seconds": 50.0, "loss": 0.5, "accuracy": 0.5, "validation_accuracy": 0.95},
        {"epoch": 2, "seconds": 54.0, "loss": 0.4, "accuracy": 0.6, "validation_accuracy": 0.9},
        {"epoch": 3, "seconds": 57.0, "loss": 0.3, "accuracy": 0.7, "validation_accuracy": 0.8},
    ]
    (run.folder / "history.json").write_text(json.dumps(rows))
    networks.mnist_2conv(strides=2, head="global-max").save(run.last)
    return run


def test_a_recipe_has_layers_and_a_file_and_nothing_that_training_measures() -> None:
    found = of_recipe(SMALL)
    assert found.name == "mnist-2conv-strides2-globalmax"
    assert sum(layer.parameters for layer in found.layers) == SMALL_PARAMETERS
    assert found.run_one_image() is not None
    assert len(found.content) > 2 * 18_496  # a large kernel is stored in two bytes a weight
    assert (found.validation_accuracy, found.test_accuracy, found.seconds_per_epoch) == (None,) * 3


def test_a_file_that_is_older_than_the_weights_says_nothing_of_them(run: Run) -> None:
    path = run.folder / f"{run.recipe.name}.onnx"
    path.write_bytes((ROOT / "models" / "mnist-2conv.onnx").read_bytes())
    os.utime(path, ns=(0, 0))
    found = of_run(run)
    assert found.test_accuracy is None
    assert found.content != path.read_bytes()


def test_a_run_was_judged_after_its_last_epoch_and_timed_by_its_usual_one(run: Run) -> None:
    found = of_run(run)
    assert found.name == "a-run"
    assert sum(layer.parameters for layer in found.layers) == SMALL_PARAMETERS
    assert found.validation_accuracy == 0.8  # the last, which is exported; not the best
    assert found.test_accuracy is None
    assert found.seconds_per_epoch == 4.0  # of 50, 4 and 3: the first also builds the graph


def test_a_run_that_was_measured_has_its_own_file(run: Run) -> None:
    shipped = (ROOT / "models" / "mnist-2conv.onnx").read_bytes()
    (run.folder / f"{run.recipe.name}.onnx").write_bytes(shipped)
    found = of_run(run)
    assert found.content == shipped
    assert found.test_accuracy == of_file(ROOT / "models" / "mnist-2conv.onnx").test_accuracy


def test_a_model_file_tells_what_its_card_says() -> None:
    found = of_file(ROOT / "models" / "mnist-2conv.onnx")
    assert found.name == "mnist-2conv.onnx"
    assert sum(layer.parameters for layer in found.layers) == 121_930
    assert found.test_accuracy is not None
    assert found.test_accuracy > 0.99
    assert found.seconds_per_epoch is not None
    assert 1 < found.seconds_per_epoch < 100
    assert found.run_one_image() is not None


def test_a_model_file_without_metrics_has_no_accuracy(tmp_path: Path) -> None:
    (tmp_path / "colours.onnx").write_bytes(colour_model())
    found = of_file(tmp_path / "colours.onnx")
    assert (found.layers, found.validation_accuracy, found.test_accuracy) == ([], None, None)
    assert found.seconds_per_epoch is None


def test_a_model_from_elsewhere_runs_with_the_card_beside_it(tmp_path: Path) -> None:
    card = colour_card(
        normalise=Normalise(mean=[0.5] * 3, std=[0.5] * 3, layout="NCHW"), output="logits"
    )
    (tmp_path / "foreign.onnx").write_bytes(foreign_model())
    (tmp_path / "foreign.json").write_text(card.model_dump_json())
    assert of_file(tmp_path / "foreign.onnx").run_one_image() is not None
