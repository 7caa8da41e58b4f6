from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Rescaling,
    Softmax,
)

from training.export import ExportError, to_onnx

pytestmark = pytest.mark.train


def model_of(shape: tuple[int, int, int], *layers: Any) -> Any:
    return keras.Sequential([keras.Input(shape), *layers])


def answer() -> Any:
    return Dense(5, activation="softmax", name="answer")


@settings(max_examples=10, deadline=None, derandomize=True, database=None)
@given(shape=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4)))
def test_a_flatten_of_any_shape_keeps_the_order_of_keras(
    assert_same_answers: Callable[..., Any], shape: tuple[int, int, int]
) -> None:
    assert_same_answers(model_of(shape, Flatten(), answer()))


def test_flatten_behind_a_convolution_keeps_the_order_of_keras(
    assert_same_answers: Callable[..., Any],
) -> None:
    assert_same_answers(model_of((6, 7, 3), Conv2D(4, 3), Flatten(), answer()))


@pytest.mark.parametrize(
    "between",
    [
        pytest.param(lambda: [Dropout(0.5)], id="Dropout"),
        pytest.param(lambda: [Activation("tanh")], id="Activation"),
        pytest.param(lambda: [BatchNormalization()], id="BatchNormalization"),
        pytest.param(lambda: [Rescaling(0.3, 0.1)], id="Rescaling"),
        pytest.param(lambda: [Rescaling([i / 9 for i in range(1, 25)], 0.1)], id="Rescaling each"),
        pytest.param(lambda: [Flatten()], id="a second Flatten"),
        pytest.param(
            lambda: [Dropout(0.5), BatchNormalization(), Activation("relu")], id="all of them"
        ),
    ],
)
def test_what_stands_between_flatten_and_dense_keeps_the_order_of_keras(
    assert_same_answers: Callable[..., Any], between: Callable[[], list[Any]]
) -> None:
    assert_same_answers(model_of((2, 3, 4), Flatten(), *between(), answer()))


def test_dense_layers_behind_each_other_give_the_same_answers(
    assert_same_answers: Callable[..., Any],
) -> None:
    layers = [Flatten(), Dense(9, activation="relu"), Dense(8), Dense(7, activation="tanh")]
    assert_same_answers(model_of((3, 4, 2), *layers, answer()))


def test_a_dense_without_bias_gives_the_same_answers(
    assert_same_answers: Callable[..., Any],
) -> None:
    last = Dense(5, use_bias=False, activation="softmax")
    assert_same_answers(model_of((3, 4, 2), Flatten(), Dense(6, use_bias=False), last))


def test_flatten_of_a_vector_leaves_no_node(
    assert_same_answers: Callable[..., Any],
) -> None:
    layers = [Conv2D(4, 3), GlobalAveragePooling2D(name="pool1"), Flatten(name="flatten")]
    exported = assert_same_answers(model_of((6, 7, 3), *layers, answer()))
    assert "flatten" not in {node.name for node in exported.graph.node}


def test_flatten_of_one_pixel_can_go_straight_into_softmax(
    assert_same_answers: Callable[..., Any],
) -> None:
    assert_same_answers(model_of((4, 5, 3), Conv2D(6, (4, 5)), Flatten(), Softmax()))


@pytest.mark.parametrize("last", [Softmax, lambda: Activation("softmax")])
def test_flatten_of_an_image_straight_into_softmax_answers_in_the_order_of_keras(
    assert_same_answers: Callable[..., Any], last: Callable[[], Any]
) -> None:
    assert_same_answers(model_of((4, 5, 3), Conv2D(2, (3, 3)), Flatten(), last()))


def test_a_dense_on_an_image_is_a_convolution(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    operators: Callable[..., list[str]],
) -> None:
    exported = assert_same_answers(classifier((4, 5, 3), Dense(6, activation="relu")))
    assert operators(exported) == [
        *("Transpose", "Cast", "Conv", "Relu", "Flatten", "Gemm", "Softmax")
    ]


def test_flatten_with_channels_first_is_refused() -> None:
    layers = [Flatten(data_format="channels_first", name="flatten"), answer()]
    with pytest.raises(ExportError, match=r"'flatten' .*channels_last"):
        to_onnx(model_of((2, 3, 4), *layers))


def test_a_quantised_dense_is_refused() -> None:
    model = model_of((4, 5, 3), Flatten(), Dense(6, name="dense1"), answer())
    model.get_layer("dense1").quantize("int8")
    with pytest.raises(ExportError, match="'dense1'"):
        to_onnx(model)
