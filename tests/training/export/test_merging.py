from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
from keras import layers
from keras.layers import Conv2D, Dense, Flatten, GlobalMaxPooling2D, Reshape

from training.export import ExportError, to_onnx
from training.normalise import Normalise

pytestmark = pytest.mark.train

NORMALISE = Normalise((100.0,) * 3, (60.0,) * 3)
ELEMENTWISE = [
    *(layers.Add, layers.Average, layers.Maximum, layers.Minimum, layers.Multiply),
]


def joined(layer: Any, *branches: Callable[[Any], Any]) -> Any:
    image = keras.Input((6, 5, 3))
    value = layer([branch(image) for branch in branches])
    return keras.Model(image, Dense(5, activation="softmax")(Flatten()(value)))


def conv(filters: int = 4, **options: Any) -> Callable[[Any], Any]:
    return lambda image: Conv2D(filters, 3, padding="same", **options)(image)


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("layer", ELEMENTWISE)
def test_branches_of_one_shape_give_the_same_answers(
    assert_same_answers: Callable[..., Any], layer: Any, count: int
) -> None:
    assert_same_answers(joined(layer(), *[conv() for _ in range(count)]), NORMALISE)


def test_the_second_is_subtracted_from_the_first(assert_same_answers: Callable[..., Any]) -> None:
    assert_same_answers(joined(layers.Subtract(), conv(), conv()), NORMALISE)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(lambda image: Conv2D(4, (6, 5))(image), conv(), id="one pixel, then the map"),
        pytest.param(conv(), lambda image: Conv2D(4, (6, 1))(image), id="one row"),
        pytest.param(conv(), conv(1), id="one channel"),
        pytest.param(conv(), lambda image: GlobalMaxPooling2D()(conv()(image)), id="a vector"),
        pytest.param(conv(), lambda image: Dense(4)(Flatten()(image)), id="a vector of channels"),
        pytest.param(
            conv(),
            lambda image: Reshape((5, 4))(Dense(20)(Flatten()(image))),
            id="a table of columns and channels",
        ),
        pytest.param(
            lambda image: Flatten()(conv()(image)),
            lambda image: Dense(120)(Flatten()(image)),
            id="a flattened map and a vector",
        ),
        pytest.param(
            lambda image: Flatten()(conv()(image)),
            lambda image: Flatten()(conv()(image)),
            id="two flattened maps",
        ),
        pytest.param(
            lambda image: Flatten()(conv(2)(image)),
            lambda image: Flatten()(Conv2D(20, (6, 3))(image)),
            id="two maps of other shapes, flattened to one",
        ),
        pytest.param(conv(), lambda image: layers.LayerNormalization()(conv()(image)), id="lying"),
    ],
)
@pytest.mark.parametrize("layer", [layers.Add, layers.Multiply])
def test_branches_of_several_shapes_broadcast_as_in_keras(
    assert_same_answers: Callable[..., Any], layer: Any, first: Any, second: Any
) -> None:
    assert_same_answers(joined(layer(), first, second), NORMALISE)


@pytest.mark.parametrize("axis", [-1, 1, 2, 3])
def test_maps_are_joined_along_any_axis(assert_same_answers: Callable[..., Any], axis: int) -> None:
    assert_same_answers(joined(layers.Concatenate(axis), conv(), conv(), conv()), NORMALISE)


def test_maps_that_lie_differently_are_joined(assert_same_answers: Callable[..., Any]) -> None:
    lying = lambda image: layers.LayerNormalization()(conv(2)(image))  # noqa: E731
    assert_same_answers(joined(layers.Concatenate(), conv(), lying), NORMALISE)


def test_flattened_maps_are_joined_in_the_order_of_keras(
    assert_same_answers: Callable[..., Any],
) -> None:
    flat = [lambda image: Flatten()(conv(2)(image)), lambda image: Flatten()(conv(3)(image))]
    assert_same_answers(joined(layers.Concatenate(), *flat), NORMALISE)


def test_joining_along_the_batch_is_refused() -> None:
    model = joined(layers.Concatenate(axis=0, name="joined"), conv(), conv())
    with pytest.raises(ExportError, match=r"'joined' .*batch"):
        to_onnx(model)


def test_a_dot_is_refused() -> None:
    flat = lambda image: Flatten()(conv()(image))  # noqa: E731
    with pytest.raises(ExportError, match=r"'dot' \(Dot\) has no translation"):
        to_onnx(joined(layers.Dot(axes=1, name="dot"), flat, flat))


def test_the_scaled_residual_of_inception_gives_the_same_answers(
    assert_same_answers: Callable[..., Any],
) -> None:
    layer = keras.src.applications.inception_resnet_v2.CustomScaleLayer(0.17)
    assert_same_answers(joined(layer, conv(), conv()), NORMALISE)
