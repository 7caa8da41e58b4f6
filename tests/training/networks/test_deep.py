from __future__ import annotations

import keras
import numpy as np
import pytest

from training.networks import airbench, deep_photo, deep_small

pytestmark = pytest.mark.train


def test_the_small_one_halves_its_maps_three_times() -> None:
    network = deep_small((28, 28, 1), 10, stem=8, widths=(32, 64, 128))
    shapes = {layer.name: layer.output.shape[1:] for layer in network.layers}
    assert [shapes[name] for name in ("whiten", "group1_add", "group2_add", "group3_add")] == [
        (27, 27, 8),
        (13, 13, 32),
        (6, 6, 64),
        (3, 3, 128),
    ]


def test_the_one_for_photos_halves_its_maps_five_times() -> None:
    network = deep_photo((160, 160, 3), 2)
    shapes = {layer.name: layer.output.shape[1:] for layer in network.layers}
    names = ("stem_relu", "group1_add", "group2_add", "group3_add", "group4_add")
    assert [shapes[name] for name in names] == [
        (80, 80, 32),
        (40, 40, 48),
        (20, 20, 96),
        (10, 10, 192),
        (5, 5, 320),
    ]


@pytest.mark.parametrize("build", [airbench, deep_small, deep_photo])
def test_weights_serve_any_size_of_image(build: type) -> None:
    small, large = build((64, 64, 3), 7), build((96, 80, 3), 7)
    large.set_weights(small.get_weights())
    answer = np.asarray(large(np.zeros((2, 96, 80, 3), np.float32)))
    assert answer.shape == (2, 7)
    assert answer.sum(axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("build", [airbench, deep_small, deep_photo])
def test_whatever_it_is_trained_in_it_answers_in_float32(build: type) -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = build((64, 64, 3), 3)
    finally:
        keras.config.set_dtype_policy("float32")
    assert keras.backend.standardize_dtype(network(np.zeros((1, 64, 64, 3))).dtype) == "float32"
