from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from importlib.metadata import version
from math import inf
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

import app
from app.card import Card
from app.classifier import Classifier, Probabilities
from app.preprocess import pixels_from
from tests.conftest import encode
from tests.training.test_train import TINY, bars
from training import card
from training.build import Stopped, build
from training.calibrate import calibrate, fold
from training.evaluate import measure
from training.export.half import rounded
from training.finish import temperature_of
from training.progress import Progress
from training.run import read
from training.validation import split

pytestmark = pytest.mark.train

RECIPE = replace(TINY, network="mnist_2conv", dtype="mixed_bfloat16", validation=100)
DATA = bars()


class Reports(Progress):
    """Remembers what was reported of which run."""

    def __init__(self) -> None:
        self.epochs: list[tuple[str, int]] = []
        self._run = ""

    def begin(
        self,
        title: str,
        epochs: int,
        steps_per_epoch: int,
        finished_epochs: int = 0,
        best_accuracy: float = -inf,
    ) -> None:
        self._run = title

    def epoch(self, number: int, row: Mapping[str, float]) -> None:
        self.epochs.append((self._run, number))


@dataclass(frozen=True)
class Built:
    """What `build` left behind."""

    folder: Path
    card: Card
    reports: Reports

    @property
    def file(self) -> bytes:
        return (self.folder / "models" / "tiny.onnx").read_bytes()

    def keras_model(self, seed: int) -> Any:
        return keras.saving.load_model(self.folder / "runs" / f"tiny-seed{seed}" / "last.keras")

    def keras_answers(self, seed: int, pixels: NDArray[np.uint8]) -> Probabilities:
        assert self.card.metrics is not None
        model = self.keras_model(seed)
        fold(model, self.card.metrics.temperature or 1.0)
        answer = rounded(model).predict_on_batch(RECIPE.normalise(pixels))
        return np.asarray(answer, np.float32)


def build_in(folder: Path, runs: Path) -> Built:
    reports = Reports()
    return Built(folder, build(RECIPE, DATA, runs, folder / "models", reports), reports)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("build")
    return build_in(folder, folder / "runs")


@pytest.fixture(scope="module")
def answers_from_files(built: Built) -> Probabilities:
    """Each test image as a PNG file, classified on its own as the service does it."""
    classifier = Classifier(built.file)
    return np.stack(
        [
            classifier.classify(classifier.pixels_from(encode(pixels[..., 0]))[None])[0]
            for pixels in DATA.x_test
        ]
    )


def test_one_file_is_written_and_it_is_proven(built: Built) -> None:
    assert [path.name for path in (built.folder / "models").iterdir()] == ["tiny.onnx"]
    assert Classifier(built.file).proven


def test_the_card_returned_is_the_one_in_the_file(built: Built) -> None:
    assert Classifier(built.file).card == built.card


def test_every_seed_is_trained_in_a_run_folder_of_its_own(built: Built) -> None:
    runs = ["tiny-validation", "tiny-seed5", "tiny-seed2"]
    assert built.reports.epochs == [(run, epoch) for run in runs for epoch in (1, 2)]
    assert {path.name for path in (built.folder / "runs").iterdir()} == set(runs)


def test_one_run_leaves_images_out_and_those_that_count_do_not(built: Built) -> None:
    for name, left_out in (("tiny-validation", True), ("tiny-seed5", False), ("tiny-seed2", False)):
        history = built.folder / "runs" / name / "history.json"
        for row in json.loads(history.read_text()):
            assert ("validation_accuracy" in row) == left_out


def test_of_a_recipe_with_one_seed_the_run_that_leaves_images_out_ships(built: Built) -> None:
    folder, reports = built.folder / "one", Reports()
    shutil.copytree(built.folder / "runs" / "tiny-validation", folder / "tiny-validation")
    card = build(replace(RECIPE, seeds=(5,)), DATA, folder, folder / "models", reports)
    assert reports.epochs == []
    assert {path.name for path in folder.iterdir()} == {"tiny-validation", "models"}
    assert card.history is not None
    assert card.history[-1].validation_accuracy is not None
    assert card.metrics is not None
    assert built.card.metrics is not None
    assert card.metrics.temperature == built.card.metrics.temperature
    assert card.metrics.seed_accuracies == {"5": card.metrics.accuracy}


@pytest.mark.parametrize("seed", RECIPE.seeds)
def test_whoever_exports_a_run_of_it_later_finds_the_temperature_too(
    built: Built, seed: int
) -> None:
    run = read(built.folder / "runs" / f"tiny-seed{seed}")
    assert built.card.metrics is not None
    assert built.card.metrics.temperature not in (None, 1)
    assert temperature_of(run, DATA) == built.card.metrics.temperature
    more_seeds = replace(run.recipe, seeds=(5, 2, 9), description="Another one.")
    assert temperature_of(replace(run, recipe=more_seeds), DATA) != 1
    elsewhere = replace(run, data_sha256="of other data")
    assert temperature_of(elsewhere, DATA) == 1


def test_the_temperature_is_of_the_images_left_out_and_of_no_other_recipe(built: Built) -> None:
    _, left_out = split(DATA, RECIPE.validation)
    model = keras.saving.load_model(built.folder / "runs" / "tiny-validation" / "last.keras")
    said = np.asarray(model.predict_on_batch(RECIPE.normalise(DATA.x_train[left_out])))
    assert built.card.metrics is not None
    expected = calibrate(said, DATA.y_train[left_out]).temperature
    assert built.card.metrics.temperature == pytest.approx(expected, rel=1e-3)
    run = read(built.folder / "runs" / "tiny-seed5")
    assert temperature_of(replace(run, recipe=replace(run.recipe, epochs=1)), DATA) == 1


def test_pictures_that_are_not_changed_are_answered_as_the_metrics_say(built: Built) -> None:
    assert built.card.metrics is not None
    untouched = [one for one in built.card.robustness if one.strength == 0]
    assert {(one.accuracy, one.images) for one in untouched} == {(built.card.metrics.accuracy, 150)}


def test_the_metrics_are_those_of_the_file_that_ships_on_png_files(
    built: Built, answers_from_files: Probabilities
) -> None:
    metrics = built.card.metrics
    assert metrics is not None
    counted = measure(answers_from_files, DATA.y_test, DATA.labels, metrics.measured_on)
    assert metrics.accuracy == (answers_from_files.argmax(axis=1) == DATA.y_test).mean()
    assert metrics.accuracy_interval == counted.accuracy_interval
    assert metrics.per_class_accuracy == counted.per_class_accuracy
    assert metrics.calibration_error == pytest.approx(counted.calibration_error, abs=1e-5)
    assert metrics.images == 150
    assert metrics.measured_on == (
        "the 150 test images as encoded files, through the service's own path"
    )


def test_the_confusion_counts_the_same_answers(
    built: Built, answers_from_files: Probabilities
) -> None:
    counts = np.array(built.card.confusion)
    assert counts.sum(axis=1).tolist() == np.bincount(DATA.y_test).tolist()
    assert (
        counts.sum(axis=0).tolist()
        == np.bincount(answers_from_files.argmax(axis=1), minlength=10).tolist()
    )
    assert built.card.metrics is not None
    assert np.trace(counts) / counts.sum() == built.card.metrics.accuracy


def test_the_history_is_that_of_the_seed_that_ships(built: Built) -> None:
    rows = json.loads((built.folder / "runs" / "tiny-seed5" / "history.json").read_text())
    history = built.card.history
    assert history is not None
    assert [epoch.loss for epoch in history] == [
        pytest.approx(row["loss"], rel=1e-5) for row in rows
    ]
    assert [epoch.accuracy for epoch in history] == [
        pytest.approx(row["accuracy"], rel=1e-5) for row in rows
    ]
    assert all(epoch.validation_accuracy is None for epoch in history)


def test_the_first_seed_ships(built: Built, answers_from_files: Probabilities) -> None:
    first, second = (built.keras_answers(seed, DATA.x_test) for seed in (5, 2))
    assert np.abs(answers_from_files - first).max() < 1e-4
    assert np.abs(answers_from_files - second).max() > 0.01


def test_the_card_has_the_accuracy_of_every_seed(built: Built) -> None:
    assert built.card.metrics is not None
    accuracies = built.card.metrics.seed_accuracies
    assert list(accuracies) == ["5", "2"]
    assert accuracies["5"] == built.card.metrics.accuracy
    for seed in (5, 2):
        keras_answers = built.keras_answers(seed, DATA.x_test).argmax(axis=1)
        assert accuracies[str(seed)] == pytest.approx((keras_answers == DATA.y_test).mean())


def test_the_card_names_the_model_the_labels_and_the_data(built: Built) -> None:
    card = built.card
    assert (card.name, card.description) == ("tiny", "Where is the bar?")
    assert card.labels == list("abcdefghij")
    assert card.preprocess == DATA.preprocess
    assert card.license
    assert card.author
    assert card.dataset is not None
    assert (card.dataset.name, card.dataset.sha256) == ("bars", DATA.sha256)


def test_the_card_has_the_layers_of_the_network(built: Built) -> None:
    names = [layer.name for layer in built.card.layers]
    assert names == ["conv1", "pool1", "conv2", "pool2", "flatten", "dense1", "dense2"]
    assert sum(layer.parameters for layer in built.card.layers) == 121_930


def test_the_card_has_the_recipe_and_the_seed_that_ships(built: Built) -> None:
    recipe = built.card.recipe
    assert recipe is not None
    assert (recipe["seed"], recipe["data"], recipe["epochs"]) == (5, "bars", 2)
    assert recipe["optimizer"] == {
        "kind": "adamw",
        "learning_rate": 2e-3,
        "warmup": 0.1,
        "weight_decay": 1e-4,
    }
    assert recipe["augmentation"] == {"shift_pixels": 0.5, "elastic_sigma_pixels": 4.0}


def test_the_card_does_not_say_what_the_recipe_does_not_do(built: Built) -> None:
    assert built.card.recipe is not None
    assert not {"flip", "whiten", "variant", "preprocess"} & set(built.card.recipe)


def test_the_card_says_what_it_was_made_with_and_when(built: Built) -> None:
    made_with = built.card.made_with
    assert made_with["keras"] == keras.__version__
    assert made_with["onnx"] == version("onnx")
    assert made_with["convolu"] == app.__version__
    assert made_with[keras.backend.backend()]
    assert abs(date.today() - date.fromisoformat(made_with["date"])) <= timedelta(days=1)


def test_the_proof_holds_what_keras_says_of_its_pictures(built: Built) -> None:
    assert built.card.proof is not None
    images = built.card.proof.images
    pixels = np.stack([pixels_from(image.data, DATA.preprocess) for image in images])
    proven = np.array([image.probabilities for image in images])
    assert np.abs(proven - built.keras_answers(5, pixels)).max() < 1e-6


def test_building_again_trains_nothing_and_measures_the_same(built: Built, tmp_path: Path) -> None:
    runs = sorted((built.folder / "runs").rglob("*.*"))
    before = [path.read_bytes() for path in runs]
    again = build_in(tmp_path, built.folder / "runs")
    assert again.reports.epochs == []
    assert [path.read_bytes() for path in runs] == before
    assert again.card.metrics == built.card.metrics
    assert again.card.proof == built.card.proof


def test_a_training_that_was_stopped_makes_no_model(tmp_path: Path) -> None:
    class Impatient(Progress):
        def epoch(self, number: int, row: Mapping[str, float]) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped, match="tiny-validation was stopped after epoch 1 of 2"):
        build(RECIPE, DATA, tmp_path / "runs", tmp_path / "models", Impatient())
    assert not (tmp_path / "models").exists()


def test_ctrl_c_in_a_last_epoch_begins_no_other_seed(tmp_path: Path) -> None:
    class Impatient(Progress):
        def epoch(self, number: int, row: Mapping[str, float]) -> None:
            if number == RECIPE.epochs:
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped, match="tiny-validation is finished; the same command goes on"):
        build(RECIPE, DATA, tmp_path / "runs", tmp_path / "models", Impatient())
    assert [folder.name for folder in (tmp_path / "runs").iterdir()] == ["tiny-validation"]


def test_in_a_checkout_the_card_names_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "convolu"
    (checkout / "training").mkdir(parents=True)
    git = ["git", "-C", str(checkout), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "ours"], check=True)
    monkeypatch.setattr(card, "__file__", str(checkout / "training" / "card.py"))
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    assert card.made_with()["commit"] == head.stdout[:12]


def test_of_a_project_that_it_is_installed_in_no_commit_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """training/ lies in the .venv of a checkout of something else."""
    inside = tmp_path / "theirs" / ".venv" / "training"
    inside.mkdir(parents=True)
    git = ["git", "-C", str(tmp_path / "theirs"), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "theirs"], check=True)
    monkeypatch.setattr(card, "__file__", str(inside / "card.py"))
    assert "commit" not in card.made_with()


def test_a_machine_without_git_builds_a_card_without_a_commit(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "commit" not in build_in(tmp_path, built.folder / "runs").card.made_with
