from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from training.networks import mnist_1conv, mnist_2conv

pytestmark = pytest.mark.train

# Layer, output shape, parameters: as printed in the lecture.
ONE_CONVOLUTION = [
    ("Conv2D", (26, 26, 32), 320),
    ("MaxPooling2D", (13, 13, 32), 0),
    ("Flatten", (5408,), 0),
    ("Dense", (128,), 692_352),
    ("Dense", (10,), 1290),
]
TWO_CONVOLUTIONS = [
    ("Conv2D", (26, 26, 32), 320),
    ("MaxPooling2D", (13, 13, 32), 0),
    ("Conv2D", (11, 11, 64), 18_496),
    ("AveragePooling2D", (5, 5, 64), 0),
    ("Flatten", (1600,), 0),
    ("Dense", (64,), 102_464),
    ("Dense", (10,), 650),
]
NETWORKS = [
    pytest.param(mnist_1conv, "mnist-1conv", ONE_CONVOLUTION, 693_962, id="mnist-1conv"),
    pytest.param(mnist_2conv, "mnist-2conv", TWO_CONVOLUTIONS, 121_930, id="mnist-2conv"),
]


@pytest.mark.parametrize(("network", "name", "rows", "total"), NETWORKS)
def test_the_layer_table_is_the_one_of_the_lecture(
    network: Callable[[], Any], name: str, rows: list[tuple[str, tuple[int, ...], int]], total: int
) -> None:
    model = network()
    assert model.name == name
    assert model.input_shape == (None, 28, 28, 1)
    assert [
        (type(layer).__name__, layer.output.shape[1:], layer.count_params())
        for layer in model.layers
    ] == rows
    assert model.count_params() == total


@pytest.mark.parametrize(
    ("network", "activations"),
    [
        (mnist_1conv, ["relu", "relu", "softmax"]),
        (mnist_2conv, ["relu", "relu", "relu", "softmax"]),
    ],
)
def test_hidden_layers_use_relu_and_the_last_softmax(
    network: Callable[[], Any], activations: list[str]
) -> None:
    layers = [layer for layer in network().layers if hasattr(layer, "activation")]
    assert [layer.activation.__name__ for layer in layers] == activations


@pytest.mark.parametrize("network", [mnist_1conv, mnist_2conv])
def test_an_untrained_network_gives_a_softmax_over_ten_digits(network: Callable[[], Any]) -> None:
    images = np.random.default_rng(0).uniform(size=(3, 28, 28, 1)).astype(np.float32)
    probabilities = np.asarray(network().predict_on_batch(images))
    assert probabilities.shape == (3, 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
