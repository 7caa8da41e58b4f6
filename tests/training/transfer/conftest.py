"""A network that is quickly asked, and pictures that it can be taught to tell apart."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from app.preprocess import Preprocess
from training.data import Data
from training.normalise import Normalise

NORMALISE = Normalise((127.0,) * 3, (128.0,) * 3)


@pytest.fixture
def network() -> keras.Model:
    """16×16×3 → 12 features → 2 classes; convolutions and norms that know nothing yet."""
    keras.utils.set_random_seed(11)
    image = x = keras.Input((16, 16, 3), name="image")
    for number, (channels, strides) in enumerate([(8, 2), (8, 1), (12, 2)], start=1):
        x = keras.layers.Conv2D(
            channels, 3, strides, padding="same", use_bias=False, name=f"conv{number}"
        )(x)
        x = keras.layers.BatchNormalization(name=f"norm{number}")(x)
        x = keras.layers.ReLU(6.0, name=f"relu{number}")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dense(2, activation="softmax", name="classes")(x)
    return keras.Model(image, x, name="tiny")


def stripes(counts: tuple[int, int] = (80, 80)) -> Data:
    """Two classes of pictures: stripes that lie and stripes that stand, a dark and a light colour.

    What `network` makes of them tells the two apart in some 70 of 100 cases.
    """
    rng = np.random.default_rng(5)

    def some(counts: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        truth = np.repeat([0, 1], counts)
        colours = rng.integers([[0], [166]], [[90], [256]], (len(truth), 2, 3))
        lines = (np.arange(16) + rng.integers(0, 4, (len(truth), 1))) // 2 % 2
        lying = np.stack([colours[i, lines[i]] for i in range(len(truth))])  # N×16×3
        pixels = np.repeat(lying[:, :, None], 16, axis=2).astype(np.uint8)
        pixels[truth == 1] = pixels[truth == 1].swapaxes(1, 2)
        return pixels, truth

    preprocess = Preprocess(16, 16, 3, "crop", "bicubic")
    return Data("stripes", ("lying", "standing"), preprocess, *some(counts), *some((20, 20)))
