from __future__ import annotations

import keras
import numpy as np
import pytest

from training.networks import deep_photo, deep_small

pytestmark = pytest.mark.train


def test_the_small_one_has_the_size_of_airbench95_and_its_feature_maps() -> None:
    network = deep_small((32, 32, 3), 10)
    shapes = {layer.name: layer.output.shape[1:] for layer in network.layers}
    assert [shapes[name] for name in ("whiten", "group1_add", "group2_add", "group3_add")] == [
        (31, 31, 24),
        (15, 15, 128),
        (7, 7, 384),
        (3, 3, 384),
    ]
    assert network.count_params() == 4_610_114


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


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_stem_stays_as_it_starts_while_the_rest_learns(frozen: bool) -> None:
    network = deep_small((16, 16, 3), 2, widths=(4,), frozen_stem=frozen)
    before = network.get_weights()
    network.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy")
    rng = np.random.default_rng(0)
    network.train_on_batch(rng.standard_normal((8, 16, 16, 3)), np.eye(2)[np.arange(8) % 2])
    same = [np.array_equal(*pair) for pair in zip(before, network.get_weights(), strict=True)]
    assert same[:2] == [frozen, frozen]  # kernel and bias of the stem
    assert not any(same[2:])


@pytest.mark.parametrize("build", [deep_small, deep_photo])
def test_weights_serve_any_size_of_image(build: type) -> None:
    small, large = build((64, 64, 3), 7), build((96, 80, 3), 7)
    large.set_weights(small.get_weights())
    answer = np.asarray(large(np.zeros((2, 96, 80, 3), np.float32)))
    assert answer.shape == (2, 7)
    assert answer.sum(axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("build", [deep_small, deep_photo])
def test_whatever_it_is_trained_in_it_answers_in_float32(build: type) -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = build((64, 64, 3), 3)
    finally:
        keras.config.set_dtype_policy("float32")
    assert keras.backend.standardize_dtype(network(np.zeros((1, 64, 64, 3))).dtype) == "float32"
