from __future__ import annotations

import keras
import numpy as np
import pytest

from training.networks import airbench

pytestmark = pytest.mark.train


def test_it_has_the_widths_of_airbench95_and_the_groups_of_airbench96() -> None:
    network = airbench((32, 32, 3), 10)
    shapes = {layer.name: layer.output.shape[1:] for layer in network.layers}
    names = ("whiten", "group1_relu1", "group1_relu3", "group2_relu3", "group3_relu3", "pool")
    assert [shapes[name] for name in names] == [
        (31, 31, 24),
        (15, 15, 128),
        (15, 15, 128),
        (7, 7, 384),
        (3, 3, 384),
        (384,),
    ]
    kernels = 24 * 12 + 9 * (24 * 128 + 2 * 128**2 + 128 * 384 + 5 * 384**2) + 384 * 10
    shifts = 3 * (128 + 384 + 384) + 10  # and no scales
    statistics = 2 * 3 * (128 + 384 + 384)
    assert network.count_params() == kernels + shifts + statistics


def test_what_a_group_pooled_is_added_to_its_third_convolution() -> None:
    network = airbench((16, 16, 3), 2, widths=(4,))
    inputs = network.get_layer("group1_sum").input
    assert [tensor.name for tensor in inputs] == [
        network.get_layer(name).output.name for name in ("group1_relu1", "group1_norm3")
    ]


def test_its_logits_start_at_a_ninth() -> None:
    network = airbench((16, 16, 3), 2, widths=(4,))
    pooled = np.full((1, 4), 9, np.float32)
    assert keras.ops.convert_to_numpy(network.get_layer("scale")(pooled)) == pytest.approx(1)


@pytest.mark.parametrize(("channels", "filters"), [(1, 8), (3, 24)])
def test_its_stem_has_both_signs_of_every_direction(channels: int, filters: int) -> None:
    assert airbench((16, 16, channels), 2, widths=(4,)).get_layer("whiten").filters == filters


def test_its_stem_stays_as_it_starts_while_the_rest_learns() -> None:
    network = airbench((16, 16, 3), 2, widths=(4,))
    before = network.get_weights()
    network.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy")
    rng = np.random.default_rng(0)
    network.train_on_batch(rng.standard_normal((8, 16, 16, 3)), np.eye(2)[np.arange(8) % 2])
    same = [np.array_equal(*pair) for pair in zip(before, network.get_weights(), strict=True)]
    assert same[0]
    assert not any(same[1:])


@pytest.mark.parametrize("name", ["group2_conv2", "group2_conv3"])
def test_its_further_convolutions_start_by_passing_their_input_on(name: str) -> None:
    network = airbench((16, 16, 3), 2, widths=(4, 8))
    map_before = np.random.default_rng(0).random((2, 5, 5, 8)).astype(np.float32)
    answer = network.get_layer(name)(map_before)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(answer), map_before)
