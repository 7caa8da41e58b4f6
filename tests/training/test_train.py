from __future__ import annotations

import json
import math
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from app.preprocess import Preprocess
from training import optimizers
from training.augment import Distortion
from training.batch_statistics import measure_statistics
from training.batches import Batches
from training.data import Data
from training.interrupt import Interrupted
from training.normalise import Normalise
from training.optimizer import Optimizer
from training.progress import Progress
from training.recipes import NetworkOption, Recipe
from training.run import Diverged, read, write
from training.train import network, train
from training.validation import split
from training.whitening import whitening_kernel

pytestmark = pytest.mark.train

TINY = Recipe(
    name="tiny",
    description="Where is the bar?",
    data="bars",
    network="mnist_1conv",
    epochs=2,
    batch_size=64,
    optimizer=Optimizer("adamw", 2e-3, warmup=0.1, weight_decay=1e-4),
    normalise=Normalise((0.0,), (255.0,)),
    augmentation=Distortion(shift_pixels=0.5),
    seeds=(5, 2),
)
VALIDATION = 100


def bars(train: int = 500, test: int = 150) -> Data:
    """Pictures as MNIST has them, of a bright bar on dark noise; its height is its class."""
    rng = np.random.default_rng(0)

    def pictures(n: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        classes = np.arange(n) % 10
        pixels = rng.integers(0, 40, (n, 28, 28, 1), dtype=np.uint8)
        for picture, place in zip(pixels, classes, strict=True):
            picture[4 + 2 * place : 6 + 2 * place, 6:22] += np.uint8(rng.integers(20, 200))
        return pixels, classes.astype(np.int64)

    return Data(
        "bars",
        tuple("abcdefghij"),
        Preprocess(28, 28, channels=1, layout="digit"),
        *pictures(train),
        *pictures(test),
    )


@dataclass
class Run(Progress):
    """A training run, and what it reported."""

    folder: Path
    model: Any = None
    reports: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    begun: list[tuple[str, int, int, int]] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    ended: int = 0
    breaks_off_after: int | None = None
    asks_to_stop_after: int | None = None

    def train(
        self, recipe: Recipe = TINY, data: Data | None = None, seed: int = 5, validation: int = 0
    ) -> Run:
        self.model = train(recipe, data or bars(), seed, self.folder, validation, self)
        return self

    def begin(
        self,
        title: str,
        epochs: int,
        steps_per_epoch: int,
        finished_epochs: int = 0,
        best_accuracy: float = -math.inf,
    ) -> None:
        self.begun.append((title, epochs, steps_per_epoch, finished_epochs))

    def step(self, done: int, values: Mapping[str, float] | None = None) -> None:
        self.steps.append(done)

    def epoch(self, number: int, row: Mapping[str, float]) -> None:
        self.reports.append((number, dict(row)))
        if number == self.breaks_off_after:
            raise KeyboardInterrupt
        if number == self.asks_to_stop_after:
            os.kill(os.getpid(), signal.SIGINT)

    def end(self, reason: str = "") -> None:
        self.ended += 1

    @property
    def weights(self) -> NDArray[np.float32]:
        return np.concatenate([weight.ravel() for weight in self.model.get_weights()])

    def measured(self) -> list[dict[str, float]]:
        """What was reported, but the time it took."""
        return [{k: v for k, v in row.items() if k != "seconds"} for _, row in self.reports]


def accuracy(model: Any, pixels: NDArray[np.uint8], truth: NDArray[np.int64]) -> float:
    answer = np.asarray(model.predict_on_batch(TINY.normalise(pixels))).argmax(axis=1)
    return float((answer == truth).mean())


def held_out(data: Data, validation: int) -> NDArray[np.int64]:
    return split(data, validation)[1]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run with a holdout."""
    return Run(tmp_path_factory.mktemp("runs") / "tiny-seed5").train(validation=VALIDATION)


def test_the_network_learns(run: Run) -> None:
    data = bars()
    assert accuracy(run.model, data.x_test, data.y_test) > 0.8


def test_the_run_folder_says_what_was_done(run: Run) -> None:
    assert {path.name for path in run.folder.iterdir()} == {
        "run.json",
        "history.json",
        "first_kernel.npy",
        "best.keras",
        "last.keras",
    }
    read_back = read(run.folder)
    assert (read_back.recipe, read_back.seed, read_back.validation) == (TINY, 5, VALIDATION)
    assert read_back.data_sha256 == bars().sha256
    assert read_back.finished


def test_each_epoch_is_reported_once_and_in_order(run: Run) -> None:
    assert [epoch for epoch, _ in run.reports] == [1, 2]
    for epoch, row in run.reports:
        assert row["epoch"] == epoch
        assert set(row) == {
            *("epoch", "seconds", "loss", "accuracy", "learning_rate"),
            *("validation_accuracy", "validation_loss", "validation_images"),
        }
    assert 0 < run.reports[0][1]["seconds"] < run.reports[1][1]["seconds"]
    assert run.reports[0][1]["loss"] > run.reports[1][1]["loss"]


def test_the_history_is_what_was_reported(run: Run) -> None:
    history = json.loads((run.folder / "history.json").read_text())
    assert history == [row for _, row in run.reports]


def test_the_last_validation_accuracy_is_that_of_the_model_returned(run: Run) -> None:
    data = bars()
    chosen = held_out(data, VALIDATION)
    expected = accuracy(run.model, data.x_train[chosen], data.y_train[chosen])
    assert run.reports[-1][1]["validation_accuracy"] == pytest.approx(expected)


def test_what_the_held_out_pictures_are_changes_their_accuracy_and_nothing_else(
    run: Run, tmp_path: Path
) -> None:
    data = bars()
    chosen = held_out(data, VALIDATION)
    data.x_train[chosen] = 255 - data.x_train[chosen]
    other = Run(tmp_path).train(data=data, validation=VALIDATION)
    assert np.array_equal(other.weights, run.weights)
    for row, before in zip(other.measured(), run.measured(), strict=True):
        assert row.pop("validation_accuracy") < before.pop("validation_accuracy") - 0.3
        assert row.pop("validation_loss") > before.pop("validation_loss")
        assert row == before


def test_a_finished_run_is_read_back_and_not_repeated(run: Run) -> None:
    before = {path: path.read_bytes() for path in run.folder.iterdir()}
    again = Run(run.folder).train(validation=VALIDATION)
    assert again.reports == []
    assert np.array_equal(again.weights, run.weights)
    assert {path: path.read_bytes() for path in run.folder.iterdir()} == before


def test_a_finished_run_serves_another_description_and_other_seeds_too(run: Run) -> None:
    same = replace(TINY, description="In other words", seeds=(5, 2, 9))
    assert Run(run.folder).train(same, validation=VALIDATION).reports == []


@pytest.mark.parametrize(
    ("recipe", "data", "seed", "validation"),
    [
        pytest.param(replace(TINY, epochs=1), bars(), 5, VALIDATION, id="recipe"),
        pytest.param(TINY, bars(train=400), 5, VALIDATION, id="data"),
        pytest.param(TINY, bars(), 2, VALIDATION, id="seed"),
        pytest.param(TINY, bars(), 5, 50, id="validation"),
    ],
)
def test_a_finished_run_is_never_handed_out_for_another_nor_overwritten(
    recipe: Recipe, data: Data, seed: int, validation: int, run: Run, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(run.folder, tmp_path / "copy"))
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(FileExistsError, match="run of other facts"):
        Run(folder).train(recipe, data, seed, validation)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


IN_BFLOAT16 = replace(TINY, dtype="mixed_bfloat16")


@pytest.fixture(scope="module")
def run_on_all(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run without a holdout, in bfloat16."""
    return Run(tmp_path_factory.mktemp("runs") / "tiny-seed5").train(IN_BFLOAT16)


def test_without_a_holdout_there_is_no_accuracy_on_one(run_on_all: Run) -> None:
    assert all("validation_accuracy" not in row for _, row in run_on_all.reports)


def test_the_same_seed_gives_the_same_weights(run_on_all: Run, tmp_path: Path) -> None:
    again = Run(tmp_path).train(IN_BFLOAT16)
    assert again.measured() == run_on_all.measured()
    assert np.array_equal(again.weights, run_on_all.weights)


AVERAGED = replace(
    IN_BFLOAT16,
    epochs=3,
    batch_size=8,  # so many steps that there is something to average
    optimizer=replace(TINY.optimizer, kind="muon", average=0.9),
)


WITH_DROPOUT = replace(
    AVERAGED, network="deep_photo", network_options={"stem": 4, "widths": (4, 6)}, augmentation=None
)


@pytest.mark.parametrize("done", [1, 2, 3])  # 3: all epochs done, and nothing saved
@pytest.mark.parametrize("recipe", [AVERAGED, WITH_DROPOUT], ids=["averaged", "dropout"])
def test_a_run_that_was_broken_off_goes_on_as_if_it_had_not_been(
    recipe: Recipe, done: int, tmp_path: Path
) -> None:
    whole = Run(tmp_path / "whole").train(recipe, bars(128))
    broken = Run(tmp_path / "broken", breaks_off_after=done)
    with pytest.raises(KeyboardInterrupt):
        broken.train(recipe, bars(128))
    assert not (broken.folder / "last.keras").exists()
    rest = Run(broken.folder).train(recipe, bars(128))
    assert [epoch for epoch, _ in rest.reports] == list(range(done + 1, 4))
    assert rest.measured() == whole.measured()[done:]
    assert np.array_equal(rest.weights, whole.weights)
    rows = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in json.loads(text)]
        for text in ((run.folder / "history.json").read_text() for run in (whole, rest))
    ]
    assert rows[0] == rows[1]
    assert {path.name for path in rest.folder.iterdir()} == {
        path.name for path in whole.folder.iterdir()
    }


def test_ctrl_c_ends_a_run_after_the_epoch_and_saves_what_it_has(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    stopped = Run(tmp_path / "stopped", asks_to_stop_after=1).train(AVERAGED, bars(128))
    assert signal.getsignal(signal.SIGINT) is before
    assert [epoch for epoch, _ in stopped.reports] == [1]
    assert not read(stopped.folder).finished
    saved = keras.saving.load_model(stopped.folder / "last.keras")
    assert np.array_equal(saved.get_weights()[0], stopped.model.get_weights()[0])
    rest = Run(stopped.folder).train(AVERAGED, bars(128))
    whole = Run(tmp_path / "whole").train(AVERAGED, bars(128))
    assert np.array_equal(rest.weights, whole.weights)


def test_ctrl_c_in_the_last_epoch_finishes_the_run_and_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        Run(tmp_path / "stopped", asks_to_stop_after=AVERAGED.epochs).train(AVERAGED, bars(128))
    assert read(tmp_path / "stopped").finished
    whole = Run(tmp_path / "whole").train(AVERAGED, bars(128))
    saved = keras.saving.load_model(read(tmp_path / "stopped").last)
    for one, other in zip(saved.get_weights(), whole.model.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_what_is_saved_is_the_average_and_what_is_gone_on_with_is_not(tmp_path: Path) -> None:
    stopped = Run(tmp_path, asks_to_stop_after=1).train(AVERAGED, bars(128))
    model = network(AVERAGED, (28, 28, 1), 10)
    model.compile(optimizers.build(AVERAGED.optimizer, steps=48), "categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    model.load_weights(read(tmp_path).checkpoint(1))
    last = model.get_weights()
    model.optimizer.finalize_variable_values(model.trainable_variables)
    for kept, average in zip(stopped.model.get_weights(), model.get_weights(), strict=True):
        assert np.array_equal(kept, average)
    assert not np.array_equal(model.get_weights()[0], last[0])


def test_batch_statistics_are_those_of_the_averaged_weights(tmp_path: Path) -> None:
    data = bars(128)
    run = Run(tmp_path).train(WITH_DROPOUT, data)
    saved = [layer.get_weights() for layer in run.model.layers]
    measure_statistics(run.model, Batches(WITH_DROPOUT, data, split(data, 0)[0], 5, 2))
    for before, layer in zip(saved, run.model.layers, strict=True):
        for one, other in zip(before, layer.get_weights(), strict=True):
            assert one == pytest.approx(other, rel=1e-5, abs=1e-7)


def test_what_a_stopped_run_saved_is_not_taken_for_its_end(tmp_path: Path) -> None:
    Run(tmp_path / "run", asks_to_stop_after=1).train(AVERAGED, bars(128))
    broken = Run(tmp_path / "run", breaks_off_after=3)
    with pytest.raises(KeyboardInterrupt):
        broken.train(AVERAGED, bars(128))
    assert not read(broken.folder).finished
    rest = Run(broken.folder).train(AVERAGED, bars(128))
    assert np.array_equal(rest.weights, Run(tmp_path / "whole").train(AVERAGED, bars(128)).weights)


def test_a_training_whose_loss_is_no_number_ends_with_advice(tmp_path: Path) -> None:
    wild = replace(TINY, optimizer=replace(TINY.optimizer, learning_rate=1e30, warmup=0.0))
    with pytest.raises(Diverged, match=r"diverged in epoch 1.*smaller learning rate"):
        Run(tmp_path).train(wild, bars(128))
    assert not read(tmp_path).history
    assert not read(tmp_path).finished


def test_who_watches_is_told_of_every_step_and_of_the_end(run: Run) -> None:
    assert run.begun == [(run.folder.name, 2, 7, 0)]  # 400 pictures in batches of 64
    assert run.steps == [*range(1, 8), *range(1, 8)]
    assert run.ended == 1


def test_a_run_without_its_checkpoint_is_begun_again(tmp_path: Path) -> None:
    broken = Run(tmp_path, breaks_off_after=1)
    with pytest.raises(KeyboardInterrupt):
        broken.train(TINY, bars(64))
    (tmp_path / "checkpoint-1.weights.h5").unlink()
    assert [epoch for epoch, _ in Run(tmp_path).train(TINY, bars(64)).reports] == [1, 2]


def test_a_run_that_goes_on_knows_its_seconds_and_its_best_epoch(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        Run(tmp_path, breaks_off_after=1).train(TINY, bars(128), validation=28)
    best = (tmp_path / "best.keras").read_bytes()
    (row,) = read(tmp_path).history  # as if the first epoch had been long and without a mistake
    row |= {"seconds": 1000.0, "validation_accuracy": 1.0}
    write(tmp_path / "history.json", json.dumps([row]))
    Run(tmp_path).train(TINY, bars(128), validation=28)
    assert read(tmp_path).history[1]["seconds"] > 1000
    assert (tmp_path / "best.keras").read_bytes() == best


def test_the_last_validation_loss_is_the_cross_entropy_of_the_model_returned(run: Run) -> None:
    data = bars()
    chosen = held_out(data, VALIDATION)
    said = np.asarray(run.model.predict_on_batch(TINY.normalise(data.x_train[chosen])))
    likelihood = said[np.arange(len(chosen)), data.y_train[chosen]]
    expected = -np.log(likelihood).mean()
    assert run.reports[-1][1]["validation_loss"] == pytest.approx(expected, rel=1e-4)


def test_the_best_epochs_weights_are_kept_beside_the_last(run: Run) -> None:
    data = bars()
    chosen = held_out(data, VALIDATION)
    best = keras.saving.load_model(run.folder / "best.keras")
    expected = max(row["validation_accuracy"] for _, row in run.reports)
    assert accuracy(best, data.x_train[chosen], data.y_train[chosen]) == pytest.approx(expected)


def test_the_first_kernel_is_kept_as_it_was_before_training(run: Run) -> None:
    before = np.load(run.folder / "first_kernel.npy")
    after = run.model.layers[0].get_weights()[0]
    assert before.shape == after.shape == (3, 3, 1, 32)
    assert not np.array_equal(before, after)
    keras.utils.set_random_seed(5)
    assert np.array_equal(before, network(TINY, (28, 28, 1), 10).layers[0].get_weights()[0])


def test_a_whitened_first_convolution_starts_with_both_signs_of_each_direction(
    tmp_path: Path,
) -> None:
    small: dict[str, NetworkOption] = {"stem": 8, "widths": (4,)}
    recipe = replace(TINY, network="deep_small", network_options=small, whiten=True, epochs=1)
    data = bars(128)
    Run(tmp_path).train(recipe, data, validation=28)
    kernel = np.load(tmp_path / "first_kernel.npy")
    assert np.array_equal(kernel[..., 4:], -kernel[..., :4])
    kept, _ = split(data, 28)
    images = recipe.normalise(data.x_train[np.sort(kept)])  # those that judge teach it nothing
    assert kernel == pytest.approx(whitening_kernel(images, 2, 2, 8), abs=1e-5)


@pytest.mark.parametrize(
    ("recipe", "seed"),
    [
        pytest.param(IN_BFLOAT16, 2, id="seed"),
        pytest.param(TINY, 5, id="dtype"),
        pytest.param(replace(IN_BFLOAT16, label_smoothing=0.2), 5, id="label smoothing"),
    ],
)
def test_another_seed_type_or_label_smoothing_gives_other_weights(
    recipe: Recipe, seed: int, run_on_all: Run, tmp_path: Path
) -> None:
    other = Run(tmp_path).train(recipe, seed=seed)
    assert not np.array_equal(other.weights, run_on_all.weights)


def test_the_seed_decides_the_weights_before_training_too(tmp_path: Path) -> None:
    still = replace(TINY, epochs=1, optimizer=replace(TINY.optimizer, learning_rate=0.0))
    first, second = (Run(tmp_path / str(seed)).train(still, bars(64), seed) for seed in (5, 2))
    assert not np.array_equal(first.weights, second.weights)


def test_the_model_computes_in_float32_whatever_trained_it(run_on_all: Run) -> None:
    read_back = Run(run_on_all.folder).train(IN_BFLOAT16).model
    pixels = TINY.normalise(bars().x_test)
    for model in (run_on_all.model, read_back):
        assert {layer.compute_dtype for layer in model.layers} == {"float32"}
        probabilities = np.asarray(model.predict_on_batch(pixels))
        assert probabilities.dtype == np.float32
        assert np.abs(probabilities.sum(axis=1) - 1).max() < 1e-5  # bfloat16 has 8 bits
    assert keras.config.dtype_policy().name == "float32"


def test_where_no_image_can_judge_a_run_goes_without(tmp_path: Path) -> None:
    run = Run(tmp_path).train(replace(TINY, epochs=1), bars(10), validation=1)
    assert "validation_accuracy" not in run.reports[0][1]
