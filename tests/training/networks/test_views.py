from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from training.networks import airbench, load
from training.networks.views import WithMirrorImages, WithShifted

pytestmark = pytest.mark.train

SHAPE, CLASSES = (32, 32, 3), 10
IMAGES = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype(np.float32)


@pytest.fixture(scope="module")
def single() -> Any:
    return airbench(SHAPE, CLASSES, widths=(16, 24))


@pytest.fixture(scope="module")
def both(single: Any) -> Any:
    return with_views(single, mirrored=True)


@pytest.fixture(scope="module")
def all_six(single: Any) -> Any:
    return with_views(single, mirrored=True, shifted=True)


def with_views(single: Any, **views: bool) -> Any:
    network = airbench(SHAPE, CLASSES, widths=(16, 24), **views)
    network.set_weights(single.get_weights())
    return network


def answers(network: Any, images: Any, training: bool = False) -> Any:
    return keras.ops.convert_to_numpy(network(images, training=training))


def moved(images: Any, down: int, right: int) -> Any:
    """By a pixel at most; what comes in is the row and the column next to the edge."""
    frame = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")
    return frame[:, 1 - down : 33 - down, 1 - right : 33 - right]


def softmax_of_mean_logits(probabilities: list[Any]) -> Any:
    product = np.exp(np.mean(np.log(probabilities), axis=0))
    return product / product.sum(axis=1, keepdims=True)


def test_its_logits_are_the_mean_of_those_of_the_picture_and_of_its_mirror_image(
    single: Any, both: Any
) -> None:
    as_it_is, mirrored = answers(single, IMAGES), answers(single, IMAGES[:, :, ::-1])
    assert np.abs(as_it_is - mirrored).max() > 1e-3
    expected = softmax_of_mean_logits([as_it_is, mirrored])
    np.testing.assert_allclose(answers(both, IMAGES), expected, rtol=0, atol=1e-6)


def test_its_logits_are_the_mean_of_those_of_six_views(single: Any, all_six: Any) -> None:
    views = [
        moved(images, step, step) for images in (IMAGES, IMAGES[:, :, ::-1]) for step in (0, 1, -1)
    ]
    each = [answers(single, view) for view in views]
    assert min(np.abs(one - each[0]).max() for one in each[1:]) > 1e-4
    expected = softmax_of_mean_logits(each)
    np.testing.assert_allclose(answers(all_six, IMAGES), expected, rtol=0, atol=1e-6)


def test_the_views_lie_one_after_another_first_the_pictures_as_they_are() -> None:
    both = keras.ops.convert_to_numpy(WithMirrorImages()(IMAGES))
    assert np.array_equal(both, np.concatenate([IMAGES, IMAGES[:, :, ::-1]]))
    three = keras.ops.convert_to_numpy(WithShifted()(IMAGES))
    assert np.array_equal(three, np.concatenate([moved(IMAGES, step, step) for step in (0, 1, -1)]))


def test_it_may_be_moved_and_not_mirrored(single: Any) -> None:
    each = [answers(single, moved(IMAGES, step, step)) for step in (0, 1, -1)]
    network = with_views(single, shifted=True)
    expected = softmax_of_mean_logits(each)
    np.testing.assert_allclose(answers(network, IMAGES), expected, rtol=0, atol=1e-6)


def test_a_picture_and_its_mirror_image_get_the_same_answer(both: Any) -> None:
    mirrored = answers(both, IMAGES[:, :, ::-1])
    np.testing.assert_allclose(answers(both, IMAGES), mirrored, rtol=0, atol=1e-6)


def test_while_it_trains_it_sees_what_it_is_given(single: Any, all_six: Any) -> None:
    once, again = (answers(network, IMAGES, training=True) for network in (single, all_six))
    np.testing.assert_allclose(again, once, rtol=0, atol=1e-6)


def test_it_is_read_back_with_its_layers(all_six: Any, tmp_path: Path) -> None:
    all_six.save(tmp_path / "all.keras")
    loaded = load(tmp_path / "all.keras")
    np.testing.assert_array_equal(answers(loaded, IMAGES), answers(all_six, IMAGES))
