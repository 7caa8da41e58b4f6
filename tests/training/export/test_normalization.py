from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from keras.layers import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
    Rescaling,
)

from training.export import ExportError, to_onnx
from training.normalise import Normalise

pytestmark = pytest.mark.train

PLAIN = ["Transpose", "Cast", "Conv", "Flatten", "Gemm", "Softmax"]  # one convolution, one Dense


@pytest.mark.parametrize("options", [{}, {"use_bias": False}, {"groups": 3, "padding": "same"}])
def test_behind_a_linear_convolution_it_is_folded_into_the_weights(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    operators: Callable[..., list[str]],
    options: dict[str, Any],
) -> None:
    model = classifier((6, 5, 3), Conv2D(6, 3, **options), BatchNormalization())
    assert operators(assert_same_answers(model)) == PLAIN


@pytest.mark.parametrize("use_bias", [True, False])
def test_behind_a_linear_dense_it_is_folded_into_the_weights(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    operators: Callable[..., list[str]],
    use_bias: bool,
) -> None:
    layers = [Flatten(), Dense(6, use_bias=use_bias), BatchNormalization(), Activation("relu")]
    exported = assert_same_answers(classifier((4, 3, 2), *layers))
    assert operators(exported) == [
        *("Transpose", "Cast", "Flatten", "Gemm", "Relu", "Gemm", "Softmax")
    ]


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("epsilon", [1e-3, 0.5])
@pytest.mark.parametrize("activation", [None, "relu"])
def test_scale_center_and_epsilon_count_folded_or_not(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    activation: str | None,
    epsilon: float,
    center: bool,
    scale: bool,
) -> None:
    normalization = BatchNormalization(scale=scale, center=center, epsilon=epsilon)
    model = classifier((6, 5, 3), Conv2D(4, 3, activation=activation), normalization)
    assert_same_answers(model)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(lambda: [], id="first in the net"),
        pytest.param(lambda: [Conv2D(4, 3, activation="relu")], id="activated Conv2D"),
        pytest.param(lambda: [Conv2D(4, 3), Activation("tanh")], id="Activation"),
        pytest.param(lambda: [Conv2D(4, 3), MaxPooling2D(2)], id="MaxPooling2D"),
        pytest.param(lambda: [Conv2D(4, 3), AveragePooling2D(2)], id="AveragePooling2D"),
        pytest.param(lambda: [Conv2D(4, 3), GlobalAveragePooling2D()], id="global pooling"),
        pytest.param(lambda: [Conv2D(4, 3), Dropout(0.5)], id="Dropout"),
        pytest.param(lambda: [Flatten()], id="Flatten"),
        pytest.param(lambda: [Flatten(), Dense(6, activation="relu")], id="activated Dense"),
    ],
)
def test_elsewhere_it_is_one_multiplication_and_one_addition(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    operators: Callable[..., list[str]],
    before: Callable[[], list[Any]],
) -> None:
    model = classifier((6, 5, 3), *before(), BatchNormalization(name="norm1"))
    exported = assert_same_answers(model)
    names = operators(exported)
    assert (names.count("Mul"), names.count("Add")) == (1, 1)
    made = [output for node in exported.graph.node for output in node.output]
    whole = "embedding" if "embedding" in made else "norm1"
    assert made.index(whole) == made.index("norm1/scaled") + 1


def test_several_behind_each_other_are_all_folded(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    operators: Callable[..., list[str]],
) -> None:
    behind = [BatchNormalization(), Rescaling(2.0, [1.0, -1.0, 0.5, 0.0]), BatchNormalization()]
    exported = assert_same_answers(classifier((6, 5, 3), Conv2D(4, 3), *behind))
    assert operators(exported) == ["Transpose", "Cast", "Conv", "Flatten", "Gemm", "Softmax"]


def test_what_is_folded_leaves_the_last_dense_its_logits(
    assert_same_answers: Callable[..., Any],
) -> None:
    layers = [Flatten(), Dense(5), BatchNormalization(), Activation("softmax")]
    exported = assert_same_answers(keras.Sequential([keras.Input((4, 3, 2)), *layers]))
    assert [list(node.output) for node in exported.graph.node][-2:] == [
        ["logits"],
        ["probabilities"],
    ]


@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize("axis", [1, 2, -2])
def test_another_axis_is_refused_folded_or_not(
    classifier: Callable[..., Any], axis: int, activation: str | None
) -> None:
    convolution = Conv2D(4, 3, activation=activation)
    model = classifier((6, 5, 3), convolution, BatchNormalization(axis=axis, name="norm1"))
    with pytest.raises(ExportError, match=rf"'norm1' .*axis {axis};.*axis=-1"):
        to_onnx(model)


def test_the_last_axis_may_be_named_by_its_number(
    classifier: Callable[..., Any], assert_same_answers: Callable[..., Any]
) -> None:
    assert_same_answers(classifier((6, 5, 3), Conv2D(4, 3), BatchNormalization(axis=3)))


@pytest.mark.parametrize(
    ("scale", "offset"),
    [
        (1 / 255, 0.0),
        (1 / 127.5, -1.0),
        ([0.01, 0.02, -0.03], [0.5, -1.0, 2.0]),
        ([0.01, 0.02, -0.03], 0.5),
        (0.01, [0.5, -1.0, 2.0]),
    ],
)
def test_rescaling_by_a_number_or_by_one_per_channel_gives_the_same_answers(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    scale: float | list[float],
    offset: float | list[float],
) -> None:
    assert_same_answers(
        classifier((6, 5, 3), Rescaling(scale, offset), Conv2D(4, 3, padding="same"))
    )


@pytest.mark.parametrize(
    ("scale", "offset"), [(np.ones((3, 1, 1)), 0.0), (0.5, np.ones((6, 1))), (np.ones(5), 0.0)]
)
def test_rescaling_by_places_is_refused(
    classifier: Callable[..., Any], scale: Any, offset: Any
) -> None:
    layer = Rescaling(scale, offset, name="odd")
    with pytest.raises(ExportError, match=r"'odd'.*one number, or one for each channel"):
        to_onnx(classifier((6, 5, 1 if np.size(scale) == 5 else 3), Conv2D(3, 1), layer))


def test_rescaling_behind_global_pooling_gives_the_same_answers(
    classifier: Callable[..., Any], assert_same_answers: Callable[..., Any]
) -> None:
    layers = [Conv2D(3, 3), GlobalAveragePooling2D(), Rescaling([1.5, 2.0, -2.5], 0.3)]
    assert_same_answers(classifier((6, 5, 3), *layers))


NORMALISE = Normalise((100.0,) * 3, (60.0,) * 3)


@pytest.mark.parametrize(
    "chain",
    [
        pytest.param(lambda: [layers.LayerNormalization()], id="of channels"),
        pytest.param(lambda: [layers.LayerNormalization(scale=False)], id="without scale"),
        pytest.param(lambda: [layers.LayerNormalization(center=False)], id="without shift"),
        pytest.param(lambda: [layers.LayerNormalization(axis=[1, 2, 3])], id="of the map"),
        pytest.param(lambda: [layers.LayerNormalization(axis=(-2, -1))], id="of rows"),
        pytest.param(lambda: [layers.LayerNormalization(epsilon=0.1), Conv2D(3, 2)], id="epsilon"),
        pytest.param(lambda: [GlobalAveragePooling2D(), layers.LayerNormalization()], id="vector"),
        pytest.param(lambda: [layers.GroupNormalization(2)], id="two groups"),
        pytest.param(lambda: [layers.GroupNormalization(4)], id="a group for each channel"),
        pytest.param(lambda: [layers.GroupNormalization(-1, epsilon=0.1)], id="instances"),
        pytest.param(lambda: [layers.GroupNormalization(1, scale=False)], id="one, no scale"),
        pytest.param(lambda: [layers.GroupNormalization(2, center=False)], id="two, no shift"),
        pytest.param(lambda: [layers.UnitNormalization()], id="unit pixels"),
        pytest.param(lambda: [Flatten(), layers.UnitNormalization()], id="unit vector"),
        pytest.param(
            lambda: [layers.LayerNormalization(), layers.GroupNormalization(2)], id="in a row"
        ),
    ],
)
def test_normalising_by_the_picture_at_hand_gives_the_same_answers(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    chain: Callable[[], list[Any]],
) -> None:
    before = Conv2D(4, 3, activation="tanh")
    assert_same_answers(classifier((6, 5, 3), before, *chain()), NORMALISE)


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize(
    ("mean", "variance"), [(1.5, 4.0), ([1.0, -2.0, 0.5], [4.0, 0.25, 1.0]), (0.0, 0.0)]
)
def test_normalization_gives_the_same_answers(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    mean: Any,
    variance: Any,
    invert: bool,
) -> None:
    layer = layers.Normalization(mean=mean, variance=variance, invert=invert)
    assert_same_answers(classifier((6, 5, 3), Conv2D(3, 3), layer), NORMALISE)


def test_rescaling_and_normalization_in_a_row_are_one(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    operators: Callable[..., list[str]],
) -> None:
    chain = [Rescaling(1 / 255), layers.Normalization(mean=[0.4] * 3, variance=[0.05] * 3)]
    exported = assert_same_answers(classifier((6, 5, 3), *chain))
    assert operators(exported)[2:-3] == ["Mul", "Add"]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: layers.LayerNormalization(axis=1, name="odd"), r"axes \[1\]"),
        (lambda: layers.LayerNormalization(axis=[1, 2], name="odd"), r"axes \[1, 2\]"),
        (lambda: layers.GroupNormalization(2, axis=1, name="odd"), "axis 1"),
        (lambda: layers.UnitNormalization(axis=1, name="odd"), "axis 1"),
        (lambda: layers.RMSNormalization(name="odd"), "has no translation"),
    ],
)
def test_what_normalises_along_other_axes_is_refused(
    classifier: Callable[..., Any], layer: Callable[[], Any], message: str
) -> None:
    with pytest.raises(ExportError, match=f"'odd'.*({message})"):
        to_onnx(classifier((6, 5, 3), Conv2D(4, 3, padding="same"), layer()))
