from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.training.test_train import TINY as BARS_RECIPE
from tests.training.test_train import bars
from tests.training.transfer.conftest import NORMALISE, stripes
from training import optimizers
from training.data import Data
from training.data.split import File, Split
from training.optimizer import Optimizer
from training.progress import Progress, Row
from training.run import read
from training.train import train
from training.transfer.start import free_last_layers, start, tuning_paid

pytestmark = pytest.mark.train

DATA = stripes()
RECIPE = replace(BARS_RECIPE, normalise=NORMALISE, augmentation=None, flip=True, head_first=True)
ALL, NONE = np.arange(160), np.arange(0)
BARS = bars()
OF_BARS = replace(
    BARS_RECIPE, network="mnist_2conv", head_first=True, optimizer=Optimizer("adamw", 3e-3, 0, 0)
)


def begin(network: keras.Model, folder: Path, **options: Any) -> Any:
    given: dict[str, Any] = {"recipe": RECIPE, "kept": ALL, "held_out": NONE, "seed": 1} | options
    start(network, data=DATA, folder=folder, progress=Progress(), **given)
    return json.loads((folder / "head.json").read_text())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "stripes-seed1"
    folder.mkdir(parents=True)
    return folder


def test_only_the_head_is_new_and_it_answers_as_it_was_judged(
    network: keras.Model, folder: Path
) -> None:
    before = network.get_weights()
    head = begin(network, folder)
    for one, other in zip(before[:-2], network.get_weights()[:-2], strict=True):
        assert (one == other).all()
    answers = network.predict_on_batch(NORMALISE(DATA.x_train))
    assert (answers.argmax(axis=1) == DATA.y_train).mean() == head["accuracy"] > 0.6
    picked = answers[np.arange(160), DATA.y_train]
    assert -np.log(picked).mean() == pytest.approx(head["loss"], abs=1e-4)


def test_held_out_pictures_judge_the_head_and_do_not_teach_it(
    network: keras.Model, folder: Path
) -> None:
    kept, held_out = ALL[::2], ALL[1::2]
    wrong = replace(DATA, y_train=np.where(ALL % 2, 1 - DATA.y_train, DATA.y_train))
    begin(network, folder, kept=kept, held_out=held_out)
    taught = network.get_weights()[-2]
    head = json.loads((folder / "head.json").read_text())
    assert set(head) == {
        *("strength", "loss", "accuracy"),
        *("validation_loss", "validation_accuracy", "validation_images"),
    }  # fmt: skip
    start(network, RECIPE, wrong, kept, held_out, 1, folder, Progress())
    np.testing.assert_allclose(network.get_weights()[-2], taught, rtol=1e-5)
    contrary = json.loads((folder / "head.json").read_text())
    assert contrary["validation_accuracy"] == pytest.approx(1 - head["validation_accuracy"])


def test_copies_of_a_picture_do_not_make_a_head_sure(network: keras.Model, folder: Path) -> None:
    """Without a rule behind the classes, only another copy of a picture could give it away."""
    truth = np.random.default_rng(0).permutation(16) % 2
    copied = replace(DATA, x_train=DATA.x_train[::10].repeat(10, 0), y_train=truth.repeat(10))
    paths = [f"{number}.png" for number in range(160)]
    known = Split(
        *("folder", DATA.labels, DATA.preprocess, 0, 0.2),
        tuple(File(path, "lying", "train", "") for path in paths),
        (),
        tuple(tuple(paths[first : first + 10]) for first in range(0, 160, 10)),
        *((), ()),
    )

    def strength(data: Data) -> float:
        start(network, RECIPE, data, ALL, NONE, 1, folder, Progress())
        return float(json.loads((folder / "head.json").read_text())["strength"])

    assert strength(replace(copied, split=known)) < strength(copied)


def test_mirror_images_teach_only_where_a_recipe_mirrors(
    network: keras.Model, folder: Path
) -> None:
    begin(network, folder)
    with_mirror = network.get_weights()[-2]
    begin(network, folder, recipe=replace(RECIPE, flip=False))
    assert np.abs(network.get_weights()[-2] - with_mirror).max() > 1e-3


def test_runs_on_the_same_pictures_share_their_features(network: keras.Model, folder: Path) -> None:
    begin(network, folder)
    other = folder.with_name("stripes-seed2")
    other.mkdir()
    begin(network, other, seed=2)
    assert len(list((folder.parent / "features").iterdir())) == 1


def test_only_the_smallest_maps_and_the_head_learn_and_no_norm(network: keras.Model) -> None:
    before = {layer.name: layer.get_weights() for layer in network.layers}
    free_last_layers(network)
    network.compile(
        optimizers.build(Optimizer("adamw", 1e-2, 0, 0), steps=5), "sparse_categorical_crossentropy"
    )
    for _ in range(5):
        network.train_on_batch(NORMALISE(DATA.x_train), DATA.y_train)
    changed = {
        layer.name
        for layer in network.layers
        if any(
            (one != other).any()
            for one, other in zip(before[layer.name], layer.get_weights(), strict=True)
        )
    }
    assert changed == {"conv3", "classes"}


def test_where_a_network_ends_in_pooling_what_is_before_it_learns() -> None:
    """VGG16 ends so: the smallest map of all is made without weights."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(4, 3, padding="same", name="early"),
            layers.MaxPooling2D(),
            layers.Conv2D(4, 3, padding="same", name="late1"),
            layers.Conv2D(4, 3, padding="same", name="late2"),
            layers.MaxPooling2D(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, name="classes"),
        ]
    )
    free_last_layers(model)
    learning = {layer.name for layer in model.layers if layer.trainable and layer.weights}
    assert learning == {"late1", "late2", "classes"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose first convolution stayed as it began."""
    folder = tmp_path_factory.mktemp("runs") / "bars"
    train(OF_BARS, BARS, 5, folder, 100, Progress())
    return folder


def test_a_run_begins_with_the_head_and_tunes_what_is_free(trained: Path) -> None:
    run = read(trained)
    assert run.head["accuracy"] > 0.9  # a random network tells bars apart already
    model = keras.saving.load_model(run.last)
    first = np.load(trained / "first_kernel.npy")
    assert (model.get_layer("conv1").get_weights()[0] == first).all()
    assert run.measured == run.history[-1]
    assert tuning_paid(run) == (run.history[-1]["validation_loss"] < run.head["validation_loss"])


def test_a_network_that_was_saved_can_be_trained_in_all_its_layers(trained: Path) -> None:
    model = keras.saving.load_model(read(trained).last)
    assert all(layer.trainable for layer in model.layers)


def test_the_same_seed_gives_the_same_weights(trained: Path, tmp_path: Path) -> None:
    again = train(OF_BARS, BARS, 5, tmp_path / "bars", 100, Progress())
    once = keras.saving.load_model(read(trained).last)
    for one, other in zip(once.get_weights(), again.get_weights(), strict=True):
        assert (one == other).all()


class Stop(Progress):
    """Breaks off after the first epoch."""

    def epoch(self, number: int, row: Row) -> None:
        raise KeyboardInterrupt


def test_a_run_that_was_broken_off_goes_on_as_if_it_had_not_been(
    trained: Path, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(OF_BARS, BARS, 5, tmp_path / "bars", 100, Stop())
    rest = train(OF_BARS, BARS, 5, tmp_path / "bars", 100, Progress())
    once = keras.saving.load_model(read(trained).last)
    for one, other in zip(once.get_weights(), rest.get_weights(), strict=True):
        assert (one == other).all()
    assert read(tmp_path / "bars").head == read(trained).head


def test_without_epochs_the_head_alone_is_the_result(tmp_path: Path) -> None:
    folder = tmp_path / "bars"
    model = train(replace(OF_BARS, epochs=0), BARS, 5, folder, 100, Progress())
    run = read(folder)
    assert run.finished
    assert run.history == []
    assert run.measured == run.head
    answers = model.predict(BARS_RECIPE.normalise(BARS.x_test), verbose=0).argmax(axis=1)
    assert (answers == BARS.y_test).mean() > 0.9
