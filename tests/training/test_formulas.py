from __future__ import annotations

import re
from typing import Any

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from app.card import Layer
from training import networks
from training.export.layer_table import layer_table
from training.export.translate import translate
from training.formulas import formulas

pytestmark = pytest.mark.train


def worked_out(formula: str) -> tuple[int, int]:
    """The number that a formula comes to, and the one it claims."""
    left, right = re.split(r" = (?=[\d,]+$)", formula.partition(", of which")[0])
    for symbol, operator in {"⌊": "(", "⌋": ")", "/": "//", "·": "*", "−": "-", ",": ""}.items():
        left = left.replace(symbol, operator)
    assert re.fullmatch(r"[\d ()+*/-]+", left)
    return eval(left), int(right.replace(",", ""))


def table_of(*stack: Any, image: tuple[int, int, int]) -> list[Layer]:
    model = keras.Sequential([keras.Input(image), *stack])
    return layer_table(model, translate(model)[1])


def test_the_formulas_are_the_ones_of_the_lecture_with_the_numbers_filled_in() -> None:
    model = networks.mnist_2conv()
    found = formulas(layer_table(model, translate(model)[1]), (28, 28, 1))
    assert found == [
        {
            "output": "(28 − 3)/1 + 1 = 26",
            "parameters": "(3·3·1 + 1)·32 = 320",
            "multiply-adds": "26·26·32·3·3·1 = 194,688",
            "receptive field": "1 + (3 − 1) = 3",
        },
        {"output": "(26 − 2)/2 + 1 = 13", "receptive field": "3 + (2 − 1) = 4"},
        {
            "output": "(13 − 3)/1 + 1 = 11",
            "parameters": "(3·3·32 + 1)·64 = 18,496",
            "multiply-adds": "11·11·64·3·3·32 = 2,230,272",
            "receptive field": "4 + (3 − 1)·2 = 8",
        },
        {"output": "⌊(11 − 2)/2⌋ + 1 = 5", "receptive field": "8 + (2 − 1)·2 = 10"},
        {"output": "5·5·64 = 1,600"},
        {"parameters": "(1,600 + 1)·64 = 102,464", "multiply-adds": "64·1,600 = 102,400"},
        {"parameters": "(64 + 1)·10 = 650", "multiply-adds": "10·64 = 640"},
    ]


def test_padding_dilation_and_uneven_windows_stand_in_the_formulas() -> None:
    table = table_of(
        layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False),
        layers.MaxPooling2D((2, 1), padding="same"),
        layers.Conv2D(5, 3, dilation_rate=2, padding="same"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(10, use_bias=False, activation="softmax"),
        image=(21, 10, 3),
    )
    conv, pool, dilated, head, dense = formulas(table, (21, 10, 3))
    assert conv == {
        "output": "(21 + 2·1 − 3)/2 + 1 = 11, ⌊(10 + 2·1 − 3)/2⌋ + 1 = 5",
        "parameters": "3·3·3·4 = 108",
        "multiply-adds": "11·5·4·3·3·3 = 5,940",
        "receptive field": "1 + (3 − 1) = 3",
    }
    assert pool == {
        "output": "(11 + 1 − 2)/2 + 1 = 6, (5 − 1)/1 + 1 = 5",
        "receptive field": "3 + (2 − 1)·2 = 5; 3 + (1 − 1)·2 = 3",
    }
    assert dilated["output"] == (
        "(6 + 2·2 − ((3 − 1)·2 + 1))/1 + 1 = 6, (5 + 2·2 − ((3 − 1)·2 + 1))/1 + 1 = 5"
    )
    assert dilated["receptive field"] == (
        "5 + (3 − 1)·2·4 = 21; 3 + (3 − 1)·2·2 = 11, of which the image has 10"
    )
    assert head == {"output": "the mean of each of 5 maps of 6×5"}
    assert dense == {"parameters": "5·10 = 50", "multiply-adds": "10·5 = 50"}


def test_a_batch_normalization_has_four_numbers_a_channel_or_fewer() -> None:
    table = table_of(
        layers.Conv2D(4, 3),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.BatchNormalization(scale=False),
        layers.GlobalMaxPooling2D(),
        layers.Dense(2, activation="softmax"),
        image=(9, 9, 1),
    )
    found = formulas(table, (9, 9, 1))
    assert found[1] == {"parameters": "4·4 = 16"}
    assert found[3] == {"parameters": "3·4 = 12"}
    assert found[4] == {"output": "the largest of each of 4 maps of 7×7"}


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("head", ["flatten", "global-average", "global-max"])
def test_every_formula_of_a_variant_comes_to_the_number_in_the_table(
    strides: Any, padding: Any, head: Any
) -> None:
    model = networks.mnist_2conv(strides=strides, padding=padding, head=head)
    table = layer_table(model, translate(model)[1])
    for layer, found in zip(table, formulas(table, (28, 28, 1)), strict=True):
        if layer.parameters:
            assert worked_out(found["parameters"]) == (layer.parameters,) * 2
            assert worked_out(found["multiply-adds"]) == (layer.multiply_adds,) * 2
        if layer.window:
            assert layer.receptive_field is not None
            assert worked_out(found["output"]) == (layer.output_shape[0],) * 2
            reach, claimed = worked_out(found["receptive field"])
            assert reach == claimed
            assert min(claimed, 28) == layer.receptive_field[0]


@given(
    n=st.integers(1, 40),
    window=st.integers(1, 7),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 3),
    same=st.booleans(),
)
def test_a_side_is_the_one_that_keras_computes(
    n: int, window: int, stride: int, dilation: int, same: bool
) -> None:
    if stride > 1 and dilation > 1:  # Keras has no such layer
        dilation = 1
    if not same and n < (window - 1) * dilation + 1:
        return
    padding = "same" if same else "valid"
    conv = layers.Conv2D(1, window, stride, padding, dilation_rate=dilation)
    _, side, _, _ = conv.compute_output_shape((1, n, n, 1))
    row = Layer(
        name="conv",
        type="Conv2D",
        tensor=None,
        output_shape=[side, side, 1],
        window=[window] * 2,
        strides=[stride] * 2,
        dilation=[dilation] * 2,
        padding=padding,
    )
    (found,) = formulas([row], (n, n, 1))
    assert worked_out(found["output"]) == (side, side)


def test_of_a_layer_that_reads_something_else_than_the_row_before_nothing_is_claimed() -> None:
    row = Layer(
        name="conv",
        type="Conv2D",
        tensor=None,
        output_shape=[5, 5, 8],
        window=[3, 3],
        strides=[1, 1],
        parameters=8 * (9 * 4 + 1),
        multiply_adds=5 * 5 * 8 * 9 * 4,
        receptive_field=[17, 17],
    )
    (found,) = formulas([row], (28, 28, 1))
    assert found == {}


def test_of_a_layer_whose_formula_is_not_known_nothing_is_claimed() -> None:
    row = Layer(
        name="own", type="Own", tensor=None, output_shape=[9], parameters=7, multiply_adds=3
    )
    assert formulas([row], (28, 28, 1)) == [{}]
