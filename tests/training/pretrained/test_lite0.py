from __future__ import annotations

import keras
import numpy as np
import pytest

from training.pretrained.lite0 import BLOCKS, lite0

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return lite0()


def test_it_has_as_many_parameters_as_googles(network: keras.Model) -> None:
    assert sum(int(np.prod(weight.shape)) for weight in network.trainable_weights) == 4_652_008


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        ("stem_relu6", (112, 112, 32)),
        ("block1a_project_norm", (112, 112, 16)),
        ("block2b_add", (56, 56, 24)),
        ("block3b_add", (28, 28, 40)),
        ("block4a_expand", (28, 28, 240)),
        ("block4c_add", (14, 14, 80)),
        ("block5c_add", (14, 14, 112)),
        ("block6a_depthwise", (7, 7, 672)),
        ("block6d_add", (7, 7, 192)),
        ("block7a_project_norm", (7, 7, 320)),
        ("head_relu6", (7, 7, 1280)),
        ("pool", (1280,)),
        ("classes", (1000,)),
    ],
)
def test_its_feature_maps_have_the_sizes_of_the_paper(
    network: keras.Model, layer: str, shape: tuple[int, ...]
) -> None:
    assert network.get_layer(layer).output.shape[1:] == shape


def test_what_comes_in_is_added_only_where_its_shape_stays(network: keras.Model) -> None:
    added = {layer.name for layer in network.layers if isinstance(layer, keras.layers.Add)}
    assert added == {f"{block.name}_add" for block in BLOCKS if block.name[-1] != "a"}


def test_every_activation_ends_at_six(network: keras.Model) -> None:
    activations = [layer for layer in network.layers if isinstance(layer, keras.layers.ReLU)]
    assert {float(layer.max_value) for layer in activations} == {6.0}
    assert len(activations) == 1 + 15 + 16 + 1  # stem, expansions, depthwise convolutions, head
