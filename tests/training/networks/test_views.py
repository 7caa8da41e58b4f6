from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from training.networks import deep_small, load

pytestmark = pytest.mark.train

SHAPE, CLASSES = (32, 32, 3), 10
IMAGES = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype(np.float32)


@pytest.fixture(scope="module")
def single() -> Any:
    return deep_small(SHAPE, CLASSES, widths=(16, 24))


@pytest.fixture(scope="module")
def both(single: Any) -> Any:
    network = deep_small(SHAPE, CLASSES, widths=(16, 24), mirrored=True)
    network.set_weights(single.get_weights())
    return network


def answers(network: Any, images: Any, training: bool = False) -> Any:
    return keras.ops.convert_to_numpy(network(images, training=training))


def test_its_logits_are_the_mean_of_those_of_the_picture_and_of_its_mirror_image(
    single: Any, both: Any
) -> None:
    as_it_is, mirrored = answers(single, IMAGES), answers(single, IMAGES[:, :, ::-1])
    assert np.abs(as_it_is - mirrored).max() > 1e-3
    product = np.sqrt(as_it_is * mirrored)  # softmax of the mean of the logits
    expected = product / product.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(answers(both, IMAGES), expected, rtol=0, atol=1e-6)


def test_a_picture_and_its_mirror_image_get_the_same_answer(both: Any) -> None:
    mirrored = answers(both, IMAGES[:, :, ::-1])
    np.testing.assert_allclose(answers(both, IMAGES), mirrored, rtol=0, atol=1e-6)


def test_while_it_trains_it_sees_what_it_is_given(single: Any, both: Any) -> None:
    once, again = (answers(network, IMAGES, training=True) for network in (single, both))
    np.testing.assert_allclose(again, once, rtol=0, atol=1e-6)


def test_it_is_read_back_with_its_layers(both: Any, tmp_path: Path) -> None:
    both.save(tmp_path / "both.keras")
    loaded = load(tmp_path / "both.keras")
    np.testing.assert_array_equal(answers(loaded, IMAGES), answers(both, IMAGES))
