from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from training import networks
from training.networks import EmptyFeatureMap
from training.variants import CHOICES, LECTURE, Variant

pytestmark = pytest.mark.train

Rows = list[tuple[str, tuple[int, ...], int]]  # layer, output shape, parameters

# As printed in the lecture.
MNIST_1CONV: Rows = [
    ("Conv2D", (26, 26, 32), 320),
    ("MaxPooling2D", (13, 13, 32), 0),
    ("Flatten", (5408,), 0),
    ("Dense", (128,), 692_352),
    ("Dense", (10,), 1290),
]
MNIST_2CONV: Rows = [
    ("Conv2D", (26, 26, 32), 320),
    ("MaxPooling2D", (13, 13, 32), 0),
    ("Conv2D", (11, 11, 64), 18_496),
    ("AveragePooling2D", (5, 5, 64), 0),
    ("Flatten", (1600,), 0),
    ("Dense", (64,), 102_464),
    ("Dense", (10,), 650),
]
CIFAR10_SIMPLE: Rows = [
    ("Conv2D", (30, 30, 32), 896),
    ("MaxPooling2D", (15, 15, 32), 0),
    ("Dropout", (15, 15, 32), 0),
    ("Flatten", (7200,), 0),
    ("Dense", (512,), 3_686_912),
    ("Dropout", (512,), 0),
    ("Dense", (10,), 5_130),
]
# Worked out by hand.
CATS_DOGS: Rows = [
    ("Conv2D", (158, 158, 32), 896),
    ("MaxPooling2D", (79, 79, 32), 0),
    ("Conv2D", (77, 77, 64), 18_496),
    ("MaxPooling2D", (38, 38, 64), 0),
    ("Conv2D", (36, 36, 128), 73_856),
    ("MaxPooling2D", (18, 18, 128), 0),
    ("Dropout", (18, 18, 128), 0),
    ("Flatten", (41_472,), 0),
    ("Dense", (128,), 5_308_544),
    ("Dropout", (128,), 0),
    ("Dense", (2,), 258),
]
MNIST_2CONV_ALL_CHANGED: Rows = [
    ("Conv2D", (14, 14, 32), 320),
    ("AveragePooling2D", (7, 7, 32), 0),
    ("Conv2D", (4, 4, 64), 18_496),
    ("AveragePooling2D", (2, 2, 64), 0),
    ("GlobalMaxPooling2D", (64,), 0),
    ("Dense", (64,), 4_160),
    ("Dense", (10,), 650),
]

# Image, then the layers with their filters or units, as the lecture draws them.
PLANS = {
    "mnist_1conv": ((28, 28, 1), "conv32 max head dense128 dense10"),
    "mnist_2conv": ((28, 28, 1), "conv32 max conv64 average head dense64 dense10"),
    "cifar10_simple": ((32, 32, 3), "conv32 max dropout head dense512 dropout dense10"),
    "cats_dogs": (
        (160, 160, 3),
        "conv32 max conv64 max conv128 max dropout head dense128 dropout dense2",
    ),
}
POOLINGS = (None, *CHOICES["pooling"])  # the lecture mixes them in one network
VARIANTS = [
    Variant(*values)
    for values in product(CHOICES["strides"], CHOICES["padding"], POOLINGS, CHOICES["head"])
]


def table(model: Any) -> Rows:
    return [
        (type(layer).__name__, tuple(layer.output.shape[1:]), layer.count_params())
        for layer in model.layers
    ]


def by_hand(network: str, variant: Variant) -> Rows:
    """The table as the lecture computes it: n_out = ⌊(n + 2p − k) / s⌋ + 1."""
    (n, _, channels), plan = PLANS[network]
    pools = {"max": "MaxPooling2D", "average": "AveragePooling2D"}
    heads = {
        "global-average": "GlobalAveragePooling2D",
        "global-max": "GlobalMaxPooling2D",
    }
    shape: tuple[int, ...] = (n, n, channels)
    rows: Rows = []
    for layer in plan.split():
        kind = layer.rstrip("0123456789")
        size, parameters = int(layer.removeprefix(kind) or 0), 0
        if kind == "conv":
            padding = 1 if variant.padding == "same" else 0
            n = (n + 2 * padding - 3) // (variant.strides or 1) + 1
            parameters = (3 * 3 * channels + 1) * size
            channels, name = size, "Conv2D"
            shape = (n, n, channels)
        elif kind in pools:
            n = (n - 2) // 2 + 1
            name = pools[variant.pooling or kind]
            shape = (n, n, channels)
        elif kind == "head":
            name = heads.get(variant.head or "", "Flatten")
            shape = (n * n * channels if name == "Flatten" else channels,)
        elif kind == "dense":
            name, parameters = "Dense", (shape[0] + 1) * size
            shape = (size,)
        else:
            name = "Dropout"
        rows.append((name, shape, parameters))
    return rows


@pytest.mark.parametrize(
    ("network", "rows", "total"),
    [
        ("mnist_1conv", MNIST_1CONV, 693_962),
        ("mnist_2conv", MNIST_2CONV, 121_930),
        ("cifar10_simple", CIFAR10_SIMPLE, 3_692_938),
        ("cats_dogs", CATS_DOGS, 5_402_050),
    ],
)
def test_without_changes_the_table_is_the_one_of_the_lecture(
    network: str, rows: Rows, total: int
) -> None:
    model = getattr(networks, network)()
    assert model.name == network.replace("_", "-")
    assert model.input_shape == (None, *PLANS[network][0])
    assert table(model) == rows
    assert model.count_params() == total


def test_a_variant_with_everything_changed_has_the_table_that_was_worked_out_by_hand() -> None:
    model = networks.mnist_2conv(strides=2, padding="same", pooling="average", head="global-max")
    assert model.name == "mnist-2conv-strides2-same-average-globalmax"
    assert table(model) == MNIST_2CONV_ALL_CHANGED


@pytest.mark.parametrize("network", PLANS)
def test_every_variant_has_the_table_that_the_formulas_of_the_lecture_give(network: str) -> None:
    assert len(VARIANTS) == 2 * 2 * 3 * 3
    for variant in VARIANTS:
        model = getattr(networks, network)(**variant.changes)
        assert table(model) == by_hand(network, variant), variant


@pytest.mark.parametrize("network", LECTURE)
def test_to_say_what_the_lecture_has_already_changes_no_layer(network: str) -> None:
    said = getattr(networks, network)(**LECTURE[network].changes)
    assert table(said) == table(getattr(networks, network)())


@pytest.mark.parametrize("network", PLANS)
def test_hidden_layers_use_relu_and_the_last_softmax(network: str) -> None:
    model = getattr(networks, network)()
    activations = [
        layer.activation.__name__ for layer in model.layers if hasattr(layer, "activation")
    ]
    assert set(activations[:-1]) == {"relu"}
    assert activations[-1] == "softmax"


def test_the_dropout_rates_are_those_of_the_lecture() -> None:
    model = networks.cifar10_simple()
    assert [model.get_layer(name).rate for name in ("dropout1", "dropout2")] == [0.25, 0.5]


@pytest.mark.parametrize("network", PLANS)
def test_an_untrained_network_gives_a_softmax_over_any_number_of_classes(network: str) -> None:
    image = PLANS[network][0]
    images = np.random.default_rng(0).uniform(size=(2, *image)).astype(np.float32)
    model = getattr(networks, network)(classes=7, head="global-average")
    probabilities = np.asarray(model.predict_on_batch(images))
    assert probabilities.shape == (2, 7)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("side", "changes", "layer", "left"),
    [
        (2, {}, "conv1", "2×2"),
        (3, {}, "pool1", "1×1"),
        (7, {}, "conv2", "2×2"),
        (9, {}, "pool2", "1×1"),
        (20, {"strides": 2}, "pool2", "1×1"),
        (9, {"strides": 2, "padding": "same"}, "pool2", "1×1"),
    ],
)
def test_a_variant_that_leaves_nothing_of_the_image_names_the_layer_and_what_is_left(
    side: int, changes: dict[str, Any], layer: str, left: str
) -> None:
    with pytest.raises(EmptyFeatureMap, match=rf"{layer} slides .* over a feature map of {left},"):
        networks.mnist_2conv(image=(side, side, 1), **changes)


@pytest.mark.parametrize(("side", "changes"), [(10, {}), (21, {"strides": 2})])
def test_one_pixel_more_is_enough(side: int, changes: dict[str, Any]) -> None:
    assert networks.mnist_2conv(image=(side, side, 1), **changes).get_layer("pool2")
