from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from tests.training.test_train import TINY, bars
from training.batch_statistics import IMAGES, measure_statistics
from training.batches import Batches

pytestmark = pytest.mark.train

STILL = replace(TINY, augmentation=None)


def network(*more: keras.layers.Layer) -> keras.Model:
    norm = layers.BatchNormalization(momentum=0.6, name="norm")
    end = [layers.Flatten(), layers.Dense(10, activation="softmax")]
    return keras.Sequential([keras.Input((28, 28, 1)), *more, norm, *end])


def test_the_statistics_are_those_of_all_batches_alike() -> None:
    data = bars(192)
    batches = Batches(STILL, data, np.arange(192), seed=5)
    model = network(layers.Rescaling(3.0))
    measure_statistics(model, batches)
    pixels = 3 * STILL.normalise(data.x_train)
    norm = model.get_layer("norm")
    assert np.asarray(norm.moving_mean) == pytest.approx(pixels.mean(), rel=1e-4)
    of_batches = [3 * batches[index][0] for index in range(3)]
    expected = np.mean([one.var() for one in of_batches])
    assert np.asarray(norm.moving_variance) == pytest.approx(expected, rel=1e-4)
    assert norm.momentum == 0.6


def test_no_weight_is_moved() -> None:
    model = network(layers.Conv2D(4, 3, name="conv"))
    before = [weight.numpy() for weight in model.trainable_variables]
    measure_statistics(model, Batches(TINY, bars(128), np.arange(128), seed=5))
    for one, weight in zip(before, model.trainable_variables, strict=True):
        assert np.array_equal(one, weight.numpy())


class Counted(Batches):
    """Remembers which batches were asked for."""

    asked: tuple[int, ...] = ()

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        self.asked += (index,)
        return super().__getitem__(index)


def test_a_part_of_many_images_is_enough() -> None:
    data = bars(IMAGES + 1000)
    batches = Counted(STILL, data, np.arange(len(data.x_train)), seed=5)
    measure_statistics(network(), batches)
    assert batches.asked == tuple(range(-(-IMAGES // STILL.batch_size)))


def test_without_batch_normalisation_nothing_is_asked() -> None:
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10)])
    batches = Counted(STILL, bars(64), np.arange(64), seed=5)
    measure_statistics(model, batches)
    assert batches.asked == ()
