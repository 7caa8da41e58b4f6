from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import keras
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.layers import (
    AdaptiveAveragePooling2D,
    AdaptiveMaxPooling2D,
    AveragePooling2D,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    MaxPooling2D,
)

from training.export import ExportError, to_onnx
from training.export.layer_table import layer_table
from training.export.translate import translate
from training.normalise import Normalise

pytestmark = pytest.mark.train

Window = int | tuple[int, int]
POOLINGS = [MaxPooling2D, AveragePooling2D]
ADAPTIVE_POOLINGS = [AdaptiveMaxPooling2D, AdaptiveAveragePooling2D]
GLOBAL_POOLINGS = [GlobalMaxPooling2D, GlobalAveragePooling2D]
PADDINGS = ["valid", "same"]
BOTH_SIGNS = Normalise((200.0, 60.0), (50.0, 40.0))  # a zero of padding would be the maximum


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("strides", [None, 1, 2, 3])
@pytest.mark.parametrize("pool", [2, 3, (2, 1)])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_pool_stride_and_padding_gives_the_same_answers(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    pooling: Any,
    pool: Window,
    strides: Window | None,
    padding: str,
) -> None:
    model = classifier((7, 10, 2), pooling(pool, strides=strides, padding=padding))
    assert_same_answers(model, BOTH_SIGNS)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", [3, 4, 5, 6, 7, 8, 9])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_size_around_a_change_of_the_last_window_gives_the_same_answers(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    pooling: Any,
    size: int,
    padding: str,
) -> None:
    model = classifier((size, size, 2), pooling(3, strides=2, padding=padding))
    assert_same_answers(model, BOTH_SIGNS)


@settings(max_examples=15, deadline=None, derandomize=True, database=None)
@given(
    pooling=st.sampled_from(POOLINGS),
    size=st.tuples(st.integers(4, 11), st.integers(4, 11)),
    pool=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.none() | st.tuples(st.integers(1, 5), st.integers(1, 5)),
    padding=st.sampled_from(PADDINGS),
)
def test_any_pooling_gives_the_same_answers(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    pooling: Any,
    size: tuple[int, int],
    pool: tuple[int, int],
    strides: tuple[int, int] | None,
    padding: str,
) -> None:
    model = classifier((*size, 2), pooling(pool, strides=strides, padding=padding))
    assert_same_answers(model, BOTH_SIGNS)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_pooling_between_convolutions_gives_the_same_answers(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    pooling: Any,
    padding: str,
) -> None:
    model = classifier(
        (11, 8, 3), Conv2D(4, 3), pooling(2, padding=padding), Conv2D(5, 2, activation="relu")
    )
    assert_same_answers(model)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_odd_padding_goes_to_the_bottom_and_right(
    classifier: Callable[..., Any], pooling: Any
) -> None:
    exported = to_onnx(classifier((7, 8, 1), pooling(2, padding="same", name="pool1")))
    (node,) = [node for node in exported.graph.node if node.name == "pool1"]
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    assert attributes["pads"] == [0, 0, 1, 0]


@pytest.mark.parametrize("pooling", GLOBAL_POOLINGS)
def test_global_pooling_gives_the_same_answers(
    assert_same_answers: Callable[..., Any], pooling: Any
) -> None:
    layers = [Conv2D(6, 3), pooling(), Dense(5, activation="softmax")]
    assert_same_answers(keras.Sequential([keras.Input((7, 6, 3)), *layers]))


@pytest.mark.parametrize("pooling", GLOBAL_POOLINGS)
def test_global_pooling_that_keeps_dimensions_gives_the_same_answers(
    assert_same_answers: Callable[..., Any], pooling: Any
) -> None:
    layers = [Conv2D(6, 3), pooling(keepdims=True), Flatten(), Dense(5, activation="softmax")]
    assert_same_answers(keras.Sequential([keras.Input((7, 6, 3)), *layers]))


@pytest.mark.parametrize("pooling", GLOBAL_POOLINGS)
def test_softmax_right_behind_global_pooling_gives_the_same_answers(
    assert_same_answers: Callable[..., Any], pooling: Any
) -> None:
    layers = [Conv2D(5, 3, name="conv1"), pooling(name="pool1"), keras.layers.Softmax()]
    exported = assert_same_answers(keras.Sequential([keras.Input((5, 4, 3)), *layers]))
    assert [output for node in exported.graph.node for output in node.output][-2:] == [
        "logits",
        "probabilities",
    ]


@pytest.mark.parametrize(
    ("pooling", "output_size"),
    [
        *product(ADAPTIVE_POOLINGS, [(2, 3), (1, 6), 2, (4, 6)]),
        (AdaptiveAveragePooling2D, (1, 1)),  # of the largest Keras 3.15 ends with a signal here
    ],
)
def test_adaptive_pooling_to_a_part_of_the_map_gives_the_same_answers(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    pooling: Any,
    output_size: Window,
) -> None:
    model = classifier((4, 6, 2), pooling(output_size, name="pool1"))
    assert_same_answers(model, BOTH_SIGNS)
    rows = {row.name: row for row in layer_table(model, translate(model)[1])}
    height, width = rows["pool1"].output_shape[:2]
    assert rows["pool1"].window == rows["pool1"].strides == [4 // height, 6 // width]
    assert rows["pool1"].receptive_field == [4 // height, 6 // width]


@pytest.mark.parametrize("pooling", ADAPTIVE_POOLINGS)
def test_adaptive_pooling_over_the_whole_map_is_the_embedding(pooling: Any) -> None:
    layers = [Conv2D(6, 3), pooling(1), Flatten(), Dense(5, activation="softmax")]
    exported = to_onnx(keras.Sequential([keras.Input((7, 6, 3)), *layers]))
    assert [output.name for output in exported.graph.output] == ["probabilities", "embedding"]


@pytest.mark.parametrize("pooling", ADAPTIVE_POOLINGS)
def test_adaptive_pooling_with_windows_of_several_sizes_is_refused(
    classifier: Callable[..., Any], pooling: Any
) -> None:
    with pytest.raises(ExportError, match=r"'pool1'.*divides \(7, 6\); received \(2, 2\)"):
        to_onnx(classifier((7, 6, 2), pooling(2, name="pool1")))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_channels_first_is_refused(classifier: Callable[..., Any], pooling: Any) -> None:
    model = classifier((8, 8, 8), pooling(2, data_format="channels_first", name="pool1"))
    with pytest.raises(ExportError, match=r"'pool1' .*channels_last"):
        to_onnx(model)


@pytest.mark.parametrize("pooling", GLOBAL_POOLINGS)
def test_channels_first_is_refused_in_global_pooling(pooling: Any) -> None:
    layers = [pooling(data_format="channels_first", name="pool1"), Dense(5, activation="softmax")]
    model = keras.Sequential([keras.Input((8, 8, 8)), *layers])
    with pytest.raises(ExportError, match=r"'pool1' .*channels_last"):
        to_onnx(model)
