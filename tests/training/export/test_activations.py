from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from keras.layers import (
    ELU,
    Activation,
    Conv2D,
    Dense,
    Flatten,
    LeakyReLU,
    PReLU,
    ReLU,
    Rescaling,
    Softmax,
)

from training.export import ExportError, to_onnx
from training.export.activations import BOUNDS, OPERATORS, OTHERS

pytestmark = pytest.mark.train

FUNCTIONS = sorted({*OPERATORS, *BOUNDS, *OTHERS})


def behind_a_convolution(*layers: Any) -> Any:
    """What comes in lies around 0 and reaches beyond ±6: every branch of a function is taken."""
    before = [Conv2D(4, 3, name="conv1"), Rescaling(4.0)]
    last = Dense(5, activation="softmax")
    return keras.Sequential([keras.Input((6, 5, 3)), *before, *layers, Flatten(), last])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_in_a_convolution_gives_the_same_answers(
    classifier: Callable[..., Any], assert_same_answers: Callable[..., Any], function: str
) -> None:
    assert_same_answers(classifier((6, 5, 3), Conv2D(4, 3, activation=function)))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_in_a_dense_gives_the_same_answers(
    assert_same_answers: Callable[..., Any], function: str
) -> None:
    layers = [Flatten(), Dense(8, activation=function), Dense(5, activation="softmax")]
    assert_same_answers(keras.Sequential([keras.Input((4, 3, 2)), *layers]))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_as_a_layer_gives_the_same_answers(
    assert_same_answers: Callable[..., Any], function: str
) -> None:
    assert_same_answers(behind_a_convolution(Activation(function)))


@pytest.mark.parametrize("function", OPERATORS)
def test_every_function_of_the_table_becomes_its_one_operator(
    function: str, operators: Callable[..., list[str]]
) -> None:
    exported = to_onnx(behind_a_convolution(Activation(function)))
    assert operators(exported) == [
        *("Transpose", "Cast", "Conv", OPERATORS[function][0], "Flatten", "Gemm", "Softmax")
    ]


def test_linear_leaves_no_node(operators: Callable[..., list[str]]) -> None:
    exported = to_onnx(behind_a_convolution(Activation("linear")))
    assert operators(exported) == [*("Transpose", "Cast", "Conv", "Flatten", "Gemm", "Softmax")]


@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(lambda: ReLU(), id="ReLU"),
        pytest.param(lambda: ReLU(max_value=0.7), id="ReLU max_value"),
        pytest.param(lambda: ReLU(max_value=6), id="ReLU max_value 6"),
        pytest.param(lambda: ReLU(negative_slope=0.3), id="ReLU negative_slope"),
        pytest.param(lambda: ReLU(max_value=0.7, negative_slope=0.3), id="ReLU both"),
        pytest.param(lambda: ReLU(threshold=0.5), id="ReLU threshold"),
        pytest.param(lambda: ReLU(threshold=0.5, max_value=2), id="ReLU threshold and max_value"),
        pytest.param(lambda: PReLU(), id="PReLU"),
        pytest.param(lambda: PReLU(shared_axes=[1, 2]), id="PReLU per channel"),
        pytest.param(lambda: PReLU(shared_axes=[3]), id="PReLU per pixel"),
        pytest.param(lambda: LeakyReLU(), id="LeakyReLU"),
        pytest.param(lambda: LeakyReLU(0.05), id="LeakyReLU 0.05"),
        pytest.param(lambda: ELU(), id="ELU"),
        pytest.param(lambda: ELU(0.4), id="ELU 0.4"),
        pytest.param(lambda: Softmax(), id="Softmax"),
        pytest.param(lambda: Softmax(axis=3), id="Softmax axis 3"),
    ],
)
def test_every_activation_layer_gives_the_same_answers(
    assert_same_answers: Callable[..., Any], layer: Callable[[], Any]
) -> None:
    assert_same_answers(behind_a_convolution(layer()))


@pytest.mark.parametrize("layer", [lambda: ReLU(max_value=0.7), lambda: Activation("relu6")])
def test_the_bounds_of_a_clip_are_scalars(layer: Callable[[], Any]) -> None:
    exported = to_onnx(behind_a_convolution(layer()))
    (clip,) = [node for node in exported.graph.node if node.op_type == "Clip"]
    shapes = {weight.name: list(weight.dims) for weight in exported.graph.initializer}
    assert [shapes[name] for name in list(clip.input)[1:]] == [[], []]


def test_relu_with_a_threshold_and_a_slope_is_refused() -> None:
    layer = ReLU(threshold=0.5, negative_slope=0.1, name="relu1")
    with pytest.raises(ExportError, match=r"'relu1' .*negative_slope=0.1 and threshold=0.5"):
        to_onnx(behind_a_convolution(layer))


def test_prelu_of_a_flattened_map_gives_the_same_answers(
    assert_same_answers: Callable[..., Any],
) -> None:
    assert_same_answers(behind_a_convolution(Flatten(), PReLU()))


@pytest.mark.parametrize("axis", [1, 2, -2, [1, 2]])
def test_softmax_along_another_axis_is_refused(axis: int | list[int]) -> None:
    with pytest.raises(ExportError, match=r"'softmax1' \(Softmax\).*axis=-1"):
        to_onnx(behind_a_convolution(Softmax(axis=axis, name="softmax1")))


def test_a_softmax_with_a_mask_is_refused() -> None:
    image = keras.Input((6, 5, 3))
    scores = Dense(3)(Flatten()(image))
    answer = Softmax(name="softmax1")(scores, mask=np.array([True, False, True]))
    with pytest.raises(ExportError, match=r"'softmax1' \(Softmax\) has a mask"):
        to_onnx(keras.Model(image, answer))


@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(lambda f: Conv2D(4, 1, activation=f, name="act1"), id="Conv2D"),
        pytest.param(lambda f: Activation(f, name="act1"), id="Activation"),
    ],
)
@pytest.mark.parametrize("function", ["log_sigmoid", "glu", "squareplus"])
def test_an_unknown_function_is_refused_with_those_that_are_known(
    function: str, layer: Callable[[str], Any]
) -> None:
    with pytest.raises(ExportError, match=rf"'act1'.*'{function}'.*leaky_relu, linear, mish"):
        to_onnx(behind_a_convolution(layer(function)))


def test_a_layer_as_an_activation_is_refused() -> None:
    layer = Conv2D(4, 1, activation=LeakyReLU(0.05), name="conv2")
    with pytest.raises(ExportError, match=r"'conv2' .*'LeakyReLU'"):
        to_onnx(behind_a_convolution(layer))


def test_a_function_that_only_shares_its_name_with_a_known_one_is_refused() -> None:
    def gelu(x: Any) -> Any:
        return keras.activations.gelu(x, approximate=True)

    with pytest.raises(ExportError, match=r"'act1'.*'gelu'"):
        to_onnx(behind_a_convolution(Activation(gelu, name="act1")))


@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(lambda f: Conv2D(4, 1, activation=f, name="act1"), id="Conv2D"),
        pytest.param(lambda f: Activation(f, name="act1"), id="Activation"),
    ],
)
def test_a_function_of_ones_own_called_linear_is_refused(layer: Callable[[Any], Any]) -> None:
    def linear(x: Any) -> Any:
        return keras.ops.sin(x)

    with pytest.raises(ExportError, match=r"'act1'.*'linear'"):
        to_onnx(behind_a_convolution(layer(linear)))


def test_the_gelu_of_keras_ops_is_refused_because_it_is_another(
    assert_same_answers: Callable[..., Any],
) -> None:
    assert_same_answers(behind_a_convolution(Activation(keras.ops.silu)))
    with pytest.raises(ExportError, match=r"'act1'.*'gelu'"):
        to_onnx(behind_a_convolution(Activation(keras.ops.gelu, name="act1")))


def test_the_attributes_of_an_operator_are_those_of_the_keras_layer() -> None:
    exported = to_onnx(behind_a_convolution(LeakyReLU(0.05, name="leaky1")))
    (node,) = [node for node in exported.graph.node if node.name == "leaky1"]
    assert onnx.helper.get_node_attr_value(node, "alpha") == pytest.approx(0.05)
