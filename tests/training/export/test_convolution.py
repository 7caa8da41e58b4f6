from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.layers import (
    BatchNormalization,
    Conv2D,
    DepthwiseConv2D,
    MaxPooling2D,
    SeparableConv2D,
)

from training.export import ExportError, to_onnx
from training.normalise import Normalise

pytestmark = pytest.mark.train

Window = int | tuple[int, int]
PADDINGS = ["valid", "same"]


def attributes_of_conv(exported: Any) -> dict[str, Any]:
    (node,) = [node for node in exported.graph.node if node.op_type == "Conv"]
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("strides", [1, 2, 3, (2, 1)])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5, (3, 1)])
@pytest.mark.parametrize("shape", [(7, 10, 1), (8, 5, 3)])
def test_every_kernel_stride_and_padding_gives_the_same_answers(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    shape: tuple[int, int, int],
    kernel: Window,
    strides: Window,
    padding: str,
) -> None:
    assert_same_answers(classifier(shape, Conv2D(4, kernel, strides=strides, padding=padding)))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("strides", [2, 3])
@pytest.mark.parametrize("size", [3, 4, 5, 6, 7, 8, 9])
def test_every_size_around_a_change_of_the_last_window_gives_the_same_answers(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    size: int,
    strides: int,
    padding: str,
) -> None:
    layer = Conv2D(3, 3, strides=strides, padding=padding)
    assert_same_answers(classifier((size, size, 2), layer))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("kernel", [2, 3, (3, 1)])
@pytest.mark.parametrize("dilation", [2, (1, 3)])
@pytest.mark.parametrize("shape", [(7, 8, 1), (8, 7, 3)])
def test_every_dilation_gives_the_same_answers(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    shape: tuple[int, int, int],
    dilation: Window,
    kernel: Window,
    padding: str,
) -> None:
    layer = Conv2D(4, kernel, dilation_rate=dilation, padding=padding)
    assert_same_answers(classifier(shape, layer))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("kernel", [(5, 6), (5, 1), (1, 6)])
def test_a_kernel_as_large_as_the_image_gives_the_same_answers(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    kernel: Window,
    padding: str,
) -> None:
    assert_same_answers(classifier((5, 6, 3), Conv2D(4, kernel, padding=padding)))


@pytest.mark.parametrize("strides", [1, 2, 3])
def test_a_kernel_larger_than_the_image_gives_the_same_answers(
    classifier: Callable[..., Any], assert_same_answers: Callable[..., Any], strides: int
) -> None:
    assert_same_answers(classifier((3, 4, 2), Conv2D(4, 5, strides=strides, padding="same")))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(("channels", "filters", "groups"), [(4, 6, 2), (3, 3, 3), (3, 6, 3)])
def test_groups_give_the_same_answers(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    channels: int,
    filters: int,
    groups: int,
    padding: str,
) -> None:
    layer = Conv2D(filters, 3, groups=groups, strides=2, padding=padding)
    exported = assert_same_answers(classifier((7, 8, channels), layer))
    assert attributes_of_conv(exported)["group"] == groups


def test_a_convolution_without_bias_has_no_bias_in_the_graph(
    classifier: Callable[..., Any], assert_same_answers: Callable[..., Any]
) -> None:
    model = classifier((7, 8, 3), Conv2D(4, 3, use_bias=False, name="conv1"))
    exported = assert_same_answers(model)
    (node,) = [node for node in exported.graph.node if node.op_type == "Conv"]
    assert list(node.input)[1:] == ["conv1/kernel"]


def test_same_padding_adds_zeros_to_what_has_been_normalised(
    classifier: Callable[..., Any], assert_same_answers: Callable[..., Any]
) -> None:
    model = classifier((5, 5, 1), Conv2D(4, 5, padding="same"))
    assert_same_answers(model, Normalise((250.0,), (40.0,)))


def test_convolutions_behind_each_other_give_the_same_answers(
    classifier: Callable[..., Any], assert_same_answers: Callable[..., Any]
) -> None:
    model = classifier(
        (13, 10, 3),
        Conv2D(4, 3, activation="relu", padding="same"),
        Conv2D(5, 2, strides=(1, 2), padding="same", activation="tanh"),
        MaxPooling2D(2),
        Conv2D(6, (3, 2), activation="relu"),
    )
    assert_same_answers(model)


@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(
    size=st.tuples(st.integers(5, 12), st.integers(5, 12)),
    channels=st.sampled_from([1, 3]),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    strides=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    padding=st.sampled_from(PADDINGS),
    use_bias=st.booleans(),
)
def test_any_convolution_gives_the_same_answers(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    size: tuple[int, int],
    channels: int,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    padding: str,
    use_bias: bool,
) -> None:
    layer = Conv2D(3, kernel, strides=strides, padding=padding, use_bias=use_bias)
    assert_same_answers(classifier((*size, channels), layer))


@pytest.mark.parametrize(
    ("size", "kernel", "strides", "dilation", "expected"),
    [
        ((8, 8), 2, 1, 1, [0, 0, 1, 1]),
        ((8, 8), 3, 2, 1, [0, 0, 1, 1]),
        ((8, 8), 5, 2, 1, [1, 1, 2, 2]),
        ((8, 7), 3, 2, 1, [0, 1, 1, 1]),
        ((7, 8), 4, 1, 1, [1, 1, 2, 2]),
        ((8, 8), 2, 1, (1, 3), [0, 1, 1, 2]),
    ],
)
def test_odd_zero_of_same_padding_goes_to_the_bottom_and_right(
    classifier: Callable[..., Any],
    size: tuple[int, int],
    kernel: Window,
    strides: Window,
    dilation: Window,
    expected: list[int],
) -> None:
    layer = Conv2D(2, kernel, strides=strides, dilation_rate=dilation, padding="same")
    exported = to_onnx(classifier((*size, 1), layer))
    assert attributes_of_conv(exported)["pads"] == expected


@pytest.mark.parametrize(
    ("size", "kernel", "strides", "dilation", "expected"),
    [
        ((8, 8), 1, 1, 1, [0, 0, 0, 0]),
        ((8, 8), 1, 3, 1, [0, 0, 0, 0]),
        ((9, 9), 2, 3, 1, [0, 0, 0, 0]),
        ((8, 8), 3, 1, 1, [1, 1, 1, 1]),
        ((7, 7), 3, 2, 1, [1, 1, 1, 1]),
        ((8, 8), (3, 1), 1, 1, [1, 0, 1, 0]),
        ((8, 8), (1, 5), 1, 1, [0, 2, 0, 2]),
        ((8, 8), 3, 1, 2, [2, 2, 2, 2]),
        ((8, 8), 2, 1, 2, [1, 1, 1, 1]),
        ((8, 8), 3, 1, (1, 3), [1, 3, 1, 3]),
    ],
)
def test_even_zeros_of_same_padding_go_to_both_sides(
    classifier: Callable[..., Any],
    size: tuple[int, int],
    kernel: Window,
    strides: Window,
    dilation: Window,
    expected: list[int],
) -> None:
    layer = Conv2D(2, kernel, strides=strides, dilation_rate=dilation, padding="same")
    exported = to_onnx(classifier((*size, 1), layer))
    assert attributes_of_conv(exported)["pads"] == expected


def test_valid_padding_adds_no_zeros(classifier: Callable[..., Any]) -> None:
    exported = to_onnx(classifier((8, 8, 1), Conv2D(2, 3, strides=2)))
    assert attributes_of_conv(exported)["pads"] == [0, 0, 0, 0]


def test_the_kernel_lies_as_filters_channels_height_width(classifier: Callable[..., Any]) -> None:
    model = classifier((7, 8, 3), Conv2D(4, (2, 5), name="conv1"))
    exported = to_onnx(model)
    kernels = {
        weight.name: onnx.numpy_helper.to_array(weight) for weight in exported.graph.initializer
    }
    kernel = model.get_layer("conv1").get_weights()[0]
    assert kernels["conv1/kernel"].shape == (4, 3, 2, 5)
    np.testing.assert_array_equal(kernels["conv1/kernel"][3, 2, 1], kernel[1, :, 2, 3])


def test_channels_first_is_refused(classifier: Callable[..., Any]) -> None:
    model = classifier((8, 8, 8), Conv2D(2, 3, data_format="channels_first", name="conv1"))
    with pytest.raises(ExportError, match=r"'conv1' \(Conv2D\).*channels_last"):
        to_onnx(model)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize("bias", [True, False])
def test_depthwise_convolutions_give_the_same_answers(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    padding: str,
    strides: int,
    multiplier: int,
    bias: bool,
) -> None:
    layer = DepthwiseConv2D(
        (3, 2),
        strides=strides,
        padding=padding,
        depth_multiplier=multiplier,
        use_bias=bias,
        activation="relu",
    )
    assert_same_answers(classifier((7, 6, 3), layer))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_separable_convolutions_give_the_same_answers(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    padding: str,
    strides: int,
    multiplier: int,
    bias: bool,
) -> None:
    layer = SeparableConv2D(
        5,
        (3, 2),
        strides=strides,
        padding=padding,
        depth_multiplier=multiplier,
        use_bias=bias,
        activation="tanh",
    )
    assert_same_answers(classifier((7, 6, 3), layer))


@pytest.mark.parametrize(
    "layer", [lambda: DepthwiseConv2D(3, dilation_rate=2), lambda: SeparableConv2D(4, 2)]
)
def test_dilated_and_plain_ones_in_a_row_give_the_same_answers(
    classifier: Callable[..., Any], assert_same_answers: Callable[..., Any], layer: Any
) -> None:
    assert_same_answers(classifier((8, 9, 2), layer(), Conv2D(3, 2)))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(lambda **o: DepthwiseConv2D(3, depth_multiplier=2, **o), id="depthwise"),
        pytest.param(lambda **o: SeparableConv2D(5, 3, **o), id="separable"),
    ],
)
def test_a_batch_normalization_behind_them_is_folded(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    operators: Callable[..., list[str]],
    layer: Any,
    bias: bool,
) -> None:
    model = classifier((7, 6, 3), layer(use_bias=bias), BatchNormalization())
    assert {"Mul", "Add"}.isdisjoint(operators(assert_same_answers(model)))


def test_the_depthwise_half_of_a_separable_convolution_has_names_of_its_own(
    classifier: Callable[..., Any],
) -> None:
    exported = to_onnx(classifier((7, 6, 3), SeparableConv2D(5, 3, name="separable1")))
    assert [node.name for node in exported.graph.node][2:4] == [
        "separable1/depthwise",
        "separable1",
    ]
    assert [weight.name for weight in exported.graph.initializer][:3] == [
        "separable1/depthwise/kernel",
        "separable1/kernel",
        "separable1/bias",
    ]
