from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from app.preprocess import Preprocess
from training.augment import Distortion
from training.data import Data
from training.normalise import Normalise
from training.recipes import Recipe
from training.train import HOLDOUT_SEED, Batches, _optimizer, train

pytestmark = pytest.mark.train

TINY = Recipe(
    name="tiny",
    description="Where is the bar?",
    data="bars",
    network="mnist_1conv",
    epochs=2,
    batch_size=64,
    learning_rate=2e-3,
    warmup=0.1,
    weight_decay=1e-4,
    label_smoothing=0.0,
    normalise=Normalise((0.0,), (255.0,)),
    distortion=Distortion(shift_pixels=0.5),
    seeds=(5, 2),
)
HOLDOUT = 100


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
class Run:
    """A training run, and what it reported."""

    folder: Path
    model: Any = None
    reports: list[tuple[int, dict[str, float]]] = field(default_factory=list)

    def train(
        self, recipe: Recipe = TINY, data: Data | None = None, seed: int = 5, holdout: int = 0
    ) -> Run:
        self.model = train(recipe, data or bars(), seed, self.folder, holdout, self._report)
        return self

    def _report(self, epoch: int, row: dict[str, float]) -> None:
        self.reports.append((epoch, dict(row)))

    @property
    def weights(self) -> NDArray[np.float32]:
        return np.concatenate([weight.ravel() for weight in self.model.get_weights()])

    def measured(self) -> list[dict[str, float]]:
        """What was reported, but the time it took."""
        return [{k: v for k, v in row.items() if k != "seconds"} for _, row in self.reports]


def accuracy(model: Any, pixels: NDArray[np.uint8], truth: NDArray[np.int64]) -> float:
    answer = np.asarray(model.predict_on_batch(TINY.normalise(pixels))).argmax(axis=1)
    return float((answer == truth).mean())


def held_out(data: Data, holdout: int) -> NDArray[np.int64]:
    return np.random.default_rng(HOLDOUT_SEED).permutation(len(data.x_train))[:holdout]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run with a holdout."""
    return Run(tmp_path_factory.mktemp("runs") / "tiny-seed5").train(holdout=HOLDOUT)


def test_the_network_learns(run: Run) -> None:
    data = bars()
    assert accuracy(run.model, data.x_test, data.y_test) > 0.8


def test_the_run_folder_says_what_was_done(run: Run) -> None:
    assert {path.name for path in run.folder.iterdir()} == {
        "recipe.json",
        "history.json",
        "final.keras",
    }
    written = json.loads((run.folder / "recipe.json").read_text())
    assert (written.pop("seed"), written.pop("holdout")) == (5, HOLDOUT)
    assert written.pop("data_sha256") == bars().sha256
    decisive = {k: v for k, v in asdict(TINY).items() if k not in ("description", "seeds")}
    assert written == json.loads(json.dumps(decisive))


def test_each_epoch_is_reported_once_and_in_order(run: Run) -> None:
    assert [epoch for epoch, _ in run.reports] == [1, 2]
    for epoch, row in run.reports:
        assert row["epoch"] == epoch
        assert set(row) == {"epoch", "seconds", "loss", "accuracy", "holdout_accuracy"}
    assert 0 < run.reports[0][1]["seconds"] < run.reports[1][1]["seconds"]
    assert run.reports[0][1]["loss"] > run.reports[1][1]["loss"]


def test_the_history_is_what_was_reported(run: Run) -> None:
    history = json.loads((run.folder / "history.json").read_text())
    assert history == [row for _, row in run.reports]


def test_the_last_holdout_accuracy_is_that_of_the_model_returned(run: Run) -> None:
    data = bars()
    chosen = held_out(data, HOLDOUT)
    expected = accuracy(run.model, data.x_train[chosen], data.y_train[chosen])
    assert run.reports[-1][1]["holdout_accuracy"] == pytest.approx(expected)


def test_what_the_held_out_pictures_are_changes_their_accuracy_and_nothing_else(
    run: Run, tmp_path: Path
) -> None:
    data = bars()
    chosen = held_out(data, HOLDOUT)
    data.x_train[chosen] = 255 - data.x_train[chosen]
    data.y_train[chosen] = (data.y_train[chosen] + 1) % 10
    other = Run(tmp_path).train(data=data, holdout=HOLDOUT)
    assert np.array_equal(other.weights, run.weights)
    for row, before in zip(other.measured(), run.measured(), strict=True):
        assert row.pop("holdout_accuracy") < before.pop("holdout_accuracy") - 0.3
        assert row == before


def test_a_finished_run_is_read_back_and_not_repeated(run: Run) -> None:
    before = {path: path.read_bytes() for path in run.folder.iterdir()}
    again = Run(run.folder).train(holdout=HOLDOUT)
    assert again.reports == []
    assert np.array_equal(again.weights, run.weights)
    assert {path: path.read_bytes() for path in run.folder.iterdir()} == before


def test_a_finished_run_serves_another_description_and_other_seeds_too(run: Run) -> None:
    same = replace(TINY, description="In other words", seeds=(5, 2, 9))
    assert Run(run.folder).train(same, holdout=HOLDOUT).reports == []


@pytest.mark.parametrize(
    ("recipe", "data", "seed", "holdout"),
    [
        pytest.param(replace(TINY, epochs=1), bars(), 5, HOLDOUT, id="recipe"),
        pytest.param(TINY, bars(train=400), 5, HOLDOUT, id="data"),
        pytest.param(TINY, bars(), 2, HOLDOUT, id="seed"),
        pytest.param(TINY, bars(), 5, 50, id="holdout"),
    ],
)
def test_a_finished_run_is_never_handed_out_for_another_nor_overwritten(
    recipe: Recipe, data: Data, seed: int, holdout: int, run: Run, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(run.folder, tmp_path / "copy"))
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(FileExistsError, match="finished run of other facts"):
        Run(folder).train(recipe, data, seed, holdout)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


IN_BFLOAT16 = replace(TINY, dtype="mixed_bfloat16")


@pytest.fixture(scope="module")
def run_on_all(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run without a holdout, in bfloat16."""
    return Run(tmp_path_factory.mktemp("runs") / "tiny-seed5").train(IN_BFLOAT16)


def test_without_a_holdout_there_is_no_accuracy_on_one(run_on_all: Run) -> None:
    assert all("holdout_accuracy" not in row for _, row in run_on_all.reports)


def test_a_run_that_was_broken_off_is_begun_again_and_the_same_seed_gives_the_same_weights(
    run_on_all: Run, tmp_path: Path
) -> None:
    for name in ("recipe.json", "history.json"):
        (tmp_path / name).write_bytes((run_on_all.folder / name).read_bytes())
    again = Run(tmp_path).train(IN_BFLOAT16)
    assert again.measured() == run_on_all.measured()
    assert np.array_equal(again.weights, run_on_all.weights)


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
    still = replace(TINY, epochs=1, learning_rate=0.0)
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


def test_the_learning_rate_climbs_to_its_peak_and_falls_along_a_cosine_to_0() -> None:
    schedule = _optimizer(replace(TINY, learning_rate=0.5, warmup=0.2), steps=100)._learning_rate
    rates = [float(schedule(step)) for step in (0, 10, 20, 40, 60, 100)]
    a_quarter_down = 0.5 * (1 + np.cos(np.pi / 4)) / 2
    assert rates == pytest.approx([0, 0.25, 0.5, a_quarter_down, 0.25, 0], abs=1e-6)


def test_without_a_warm_up_the_learning_rate_starts_at_its_peak() -> None:
    schedule = _optimizer(replace(TINY, learning_rate=0.5, warmup=0.0), steps=100)._learning_rate
    assert float(schedule(0)) == pytest.approx(0.5)


def test_weights_decay_and_biases_do_not() -> None:
    layer = keras.layers.Dense(3, bias_initializer="ones", kernel_initializer="ones")
    layer.build((None, 2))
    recipe = replace(TINY, learning_rate=0.5, weight_decay=0.1, warmup=0.0)
    optimizer = _optimizer(recipe, steps=100)
    nothing = [keras.ops.zeros_like(variable) for variable in layer.trainable_variables]
    optimizer.apply(nothing, layer.trainable_variables)
    kernel, bias = layer.get_weights()
    assert kernel == pytest.approx(1 - 0.5 * 0.1)
    assert bias == pytest.approx(1)


STILL = replace(
    TINY, batch_size=8, normalise=Normalise((0.0,), (1.0,)), distortion=Distortion()
)  # pixels as they are


def numbered(n: int) -> NDArray[np.uint8]:
    """Pictures that say in each pixel which they are."""
    return np.repeat(np.arange(n, dtype=np.uint8), 16).reshape(n, 4, 4, 1)


def batches_of(n: int, recipe: Recipe = STILL, seed: int = 5) -> Batches:
    return Batches(recipe, numbered(n), np.arange(n) % 10, 10, seed)


def order_of(batches: Batches) -> list[int]:
    return [int(number) for i in range(len(batches)) for number in batches[i][0][:, 0, 0, 0]]


@pytest.mark.parametrize(
    ("n", "sizes"), [(20, [8, 8, 4]), (16, [8, 8]), (17, [8, 8, 1]), (5, [5]), (8, [8])]
)
def test_only_the_last_batch_is_smaller(n: int, sizes: list[int]) -> None:
    batches = batches_of(n)
    assert len(batches) == len(sizes)
    assert [len(batches[i][0]) for i in range(len(batches))] == sizes
    assert [len(batches[i][1]) for i in range(len(batches))] == sizes


def test_every_epoch_has_every_picture_once_and_in_another_order() -> None:
    batches = batches_of(100)
    orders = []
    for _ in range(3):
        orders.append(order_of(batches))
        assert sorted(orders[-1]) == list(range(100))
        batches.on_epoch_end()
    assert len({tuple(order) for order in orders} | {tuple(range(100))}) == 4


def test_every_picture_keeps_its_label() -> None:
    batches = batches_of(100)
    for i in range(len(batches)):
        pixels, targets = batches[i]
        assert pixels.dtype == targets.dtype == np.float32
        assert np.array_equal(targets, np.eye(10)[pixels[:, 0, 0, 0].astype(int) % 10])


def test_the_seed_decides_the_order_and_another_gives_another() -> None:
    assert order_of(batches_of(100)) == order_of(batches_of(100))
    assert order_of(batches_of(100)) != order_of(batches_of(100, seed=2))


def test_pixels_are_distorted_and_then_normalised() -> None:
    recipe = replace(STILL, normalise=Normalise((10.0,), (2.0,)), distortion=TINY.distortion)
    pixels, _ = Batches(recipe, np.full((1, 9, 9, 1), 20, np.uint8), np.zeros(1, int), 10, 5)[0]
    assert pixels[0, 4, 4, 0] == 5  # the middle stays 20
    assert pixels.min() < 5  # at a border comes 0 in: as −5, and blended


def test_a_picture_is_bent_another_way_in_each_epoch_by_each_seed_and_in_each_batch() -> None:
    recipe = replace(STILL, batch_size=1, distortion=Distortion(shift_pixels=3))
    same = np.random.default_rng(0).integers(0, 256, (1, 9, 9, 1), dtype=np.uint8).repeat(4, axis=0)

    def bent(seed: int, epoch: int) -> list[bytes]:
        batches = Batches(recipe, same, np.zeros(4, int), 10, seed)
        for _ in range(epoch):
            batches.on_epoch_end()
        return [batches[i][0].tobytes() for i in range(4)]

    assert bent(5, 0) == bent(5, 0)
    assert len({*bent(5, 0), *bent(5, 1), *bent(2, 0)}) == 12


def test_keras_takes_each_epochs_own_order() -> None:
    taken: dict[int, dict[int, list[int]]] = {}

    class Seen(Batches):
        def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            pixels, targets = super().__getitem__(index)
            taken.setdefault(self._epoch, {})[index] = pixels[:, 0, 0, 0].astype(int).tolist()
            return pixels, targets

    batches = Seen(STILL, numbered(20), np.arange(20) % 10, 10, 5)
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
    )
    model.compile(loss="categorical_crossentropy")
    model.fit(batches, epochs=3, verbose=0, shuffle=False)
    orders = [  # of the three last: Keras looks at the data before it begins the first
        tuple(number for _, batch in sorted(taken[epoch].items()) for number in batch)
        for epoch in sorted(taken)[-3:]
    ]
    assert all(sorted(order) == list(range(20)) for order in orders)
    assert len(set(orders)) == 3
