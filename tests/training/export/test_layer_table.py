from __future__ import annotations

import io
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from app.card import Card, Layer
from app.classifier import Classifier
from app.inside.session import Inside
from app.preprocess import Preprocess
from training.export.file import model_file
from training.export.layer_table import layer_table
from training.export.translate import translate

pytestmark = pytest.mark.train


def table_of(*chain: Any, shape: tuple[int, int, int]) -> list[Layer]:
    model = keras.Sequential([keras.Input(shape), *chain])
    return layer_table(model, translate(model)[1])


@pytest.fixture(scope="module")
def rows() -> dict[str, Layer]:
    """A small net with stride, dilation and uneven windows, worked out by hand below."""
    table = table_of(
        layers.GaussianNoise(0.1, name="noise"),
        layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="conv1"),
        layers.MaxPooling2D(2, name="pool1"),
        layers.Conv2D(5, 3, dilation_rate=(2, 1), padding="same", use_bias=False, name="conv2"),
        layers.BatchNormalization(name="norm1"),
        layers.Activation("tanh", name="tanh1"),
        layers.AveragePooling2D((2, 1), strides=3, name="pool2"),
        layers.Conv2D(6, 2, name="conv3"),
        layers.Flatten(name="flatten"),
        layers.Dropout(0.5, name="dropout"),
        layers.Dense(10, activation="softmax", name="dense"),
        shape=(32, 28, 3),
    )
    return {row.name: row for row in table}


def test_there_is_one_row_per_layer_in_order(rows: dict[str, Layer]) -> None:
    assert [(row.name, row.type) for row in rows.values()] == [
        ("noise", "GaussianNoise"),
        ("conv1", "Conv2D"),
        ("pool1", "MaxPooling2D"),
        ("conv2", "Conv2D"),
        ("norm1", "BatchNormalization"),
        ("tanh1", "Activation"),
        ("pool2", "AveragePooling2D"),
        ("conv3", "Conv2D"),
        ("flatten", "Flatten"),
        ("dropout", "Dropout"),
        ("dense", "Dense"),
    ]


def test_tensors_are_those_of_the_graph(rows: dict[str, Layer]) -> None:
    assert {name: row.tensor for name, row in rows.items()} == {
        "noise": None,
        "conv1": "conv1",
        "pool1": "pool1",
        "conv2": "conv2",
        "norm1": None,
        "tanh1": "tanh1",
        "pool2": "pool2",
        "conv3": "conv3",
        "flatten": "flatten",
        "dropout": None,
        "dense": "probabilities",
    }


def test_output_shapes_are_those_of_keras(rows: dict[str, Layer]) -> None:
    assert {name: row.output_shape for name, row in rows.items()} == {
        "noise": [32, 28, 3],
        "conv1": [16, 14, 4],
        "pool1": [8, 7, 4],
        "conv2": [8, 7, 5],
        "norm1": [8, 7, 5],
        "tanh1": [8, 7, 5],
        "pool2": [3, 3, 5],
        "conv3": [2, 2, 6],
        "flatten": [24],
        "dropout": [24],
        "dense": [10],
    }


def test_parameters_are_counted(rows: dict[str, Layer]) -> None:
    assert {name: row.parameters for name, row in rows.items() if row.parameters} == {
        "conv1": 3 * 3 * 3 * 4 + 4,
        "conv2": 3 * 3 * 4 * 5,
        "norm1": 4 * 5,
        "conv3": 2 * 2 * 5 * 6 + 6,
        "dense": 24 * 10 + 10,
    }


def test_multiply_adds_are_counted_without_biases(rows: dict[str, Layer]) -> None:
    assert {name: row.multiply_adds for name, row in rows.items() if row.multiply_adds} == {
        "conv1": (16 * 14) * (3 * 3 * 3 * 4),
        "conv2": (8 * 7) * (3 * 3 * 4 * 5),
        "conv3": (2 * 2) * (2 * 2 * 5 * 6),
        "dense": 24 * 10,
    }


def test_receptive_fields_grow_with_stride_and_dilation_up_to_the_image(
    rows: dict[str, Layer],
) -> None:
    assert {name: row.receptive_field for name, row in rows.items()} == {
        "noise": [1, 1],
        "conv1": [3, 3],  # outputs are 2 pixels apart from here on
        "pool1": [5, 5],  # 3 + 1·2; 4 apart
        "conv2": [21, 13],  # 5 + 2·2·4 and 5 + 2·1·4; still 4 apart
        "norm1": [21, 13],
        "tanh1": [21, 13],
        "pool2": [25, 13],  # 21 + 1·4 and 13 + 0·4; 12 apart
        "conv3": [32, 25],  # 25 + 1·12 = 37, of which there are 32; 13 + 1·12
        "flatten": [32, 28],
        "dropout": [32, 28],
        "dense": [32, 28],
    }


def test_windows_strides_dilation_padding_and_activation_are_told(rows: dict[str, Layer]) -> None:
    told = {
        name: (row.window, row.strides, row.dilation, row.padding, row.activation)
        for name, row in rows.items()
    }
    nothing = (None, None, None, None, None)
    assert told == {
        "noise": nothing,
        "conv1": ([3, 3], [2, 2], [1, 1], "same", "relu"),
        "pool1": ([2, 2], [2, 2], None, "valid", None),
        "conv2": ([3, 3], [1, 1], [2, 1], "same", "linear"),
        "norm1": nothing,
        "tanh1": (None, None, None, None, "tanh"),
        "pool2": ([2, 1], [3, 3], None, "valid", None),
        "conv3": ([2, 2], [1, 1], [1, 1], "valid", "linear"),
        "flatten": nothing,
        "dropout": nothing,
        "dense": (None, None, None, None, "softmax"),
    }


def test_groups_divide_the_multiply_adds() -> None:
    table = table_of(
        layers.Conv2D(6, 3, groups=3),
        layers.GlobalAveragePooling2D(),
        layers.Dense(4, activation="softmax"),
        shape=(5, 6, 3),
    )
    assert [row.multiply_adds for row in table] == [(3 * 4) * (3 * 3 * 1 * 6), 0, 6 * 4]
    assert [row.parameters for row in table] == [3 * 3 * 1 * 6 + 6, 0, 6 * 4 + 4]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("pooling", [layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D])
def test_global_pooling_sees_the_whole_image(pooling: Callable[..., Any], keepdims: bool) -> None:
    table = table_of(
        layers.Conv2D(6, 3),
        pooling(keepdims=keepdims),
        layers.Flatten(),
        layers.Dense(4, activation="softmax"),
        shape=(9, 7, 1),
    )
    assert [row.receptive_field for row in table] == [[3, 3], [9, 7], [9, 7], [9, 7]]


@pytest.mark.parametrize(
    "layer",
    [
        lambda value: keras.ops.mean(value, axis=(1, 2), keepdims=True),
        lambda value: layers.GroupNormalization(2)(value),
        lambda value: layers.LayerNormalization(axis=[1, 2, 3])(value),
    ],
)
def test_so_does_whatever_reduces_or_normalises_a_map(layer: Callable[[Any], Any]) -> None:
    image = keras.Input((9, 7, 1))
    value = layer(layers.Conv2D(6, 3)(image))
    answer = layers.Dense(4, activation="softmax")(layers.Flatten()(value))
    model = keras.Model(image, answer)
    assert layer_table(model, translate(model)[1])[1].receptive_field == [9, 7]


def test_a_saved_and_loaded_model_has_the_same_table(tmp_path: Path) -> None:
    chain = [layers.Conv2D(6, 3), layers.Flatten(), layers.Dense(4, activation="softmax")]
    model = keras.Sequential([keras.Input((9, 7, 1)), *chain])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert layer_table(loaded, translate(loaded)[1]) == layer_table(model, translate(model)[1])


def test_a_receptive_field_is_what_reaches_an_output() -> None:
    chain = [
        layers.Conv2D(1, (3, 2), strides=(2, 1), name="conv1"),
        layers.AveragePooling2D((2, 3), strides=(1, 2), name="pool1"),
        layers.Conv2D(1, 2, dilation_rate=(2, 3), name="conv2"),
    ]
    behind = [layers.Flatten(), layers.Dense(2, activation="softmax")]
    table = {row.name: row for row in table_of(*chain, *behind, shape=(21, 19, 1))}
    for depth, layer in enumerate(chain, start=1):
        net = keras.Sequential([keras.Input((21, 19, 1)), *chain[:depth]])
        net.set_weights([np.ones_like(weight) for weight in net.get_weights()])
        pixels = np.eye(21 * 19, dtype=np.float32).reshape(-1, 21, 19, 1)
        without = net(np.zeros((1, 21, 19, 1), np.float32))
        changes = keras.ops.convert_to_numpy(net(pixels) - without)[:, 0, 0, 0].reshape(21, 19)
        seen = np.argwhere(changes != 0)
        assert table[layer.name].receptive_field == list(np.ptp(seen, axis=0) + 1)


# --- graphs


def graph_table(answer: Callable[[Any], Any], shape: tuple[int, int, int]) -> dict[str, Layer]:
    image = keras.Input(shape)
    value = layers.GlobalAveragePooling2D(name="pool")(answer(image))
    model = keras.Model(image, layers.Dense(3, activation="softmax", name="dense")(value))
    return {row.name: row for row in layer_table(model, translate(model)[1])}


@pytest.fixture(scope="module")
def branched() -> dict[str, Layer]:
    """Two branches that meet; a gate; a map made smaller, larger, wider and narrower."""

    def answer(image: Any) -> Any:
        value = layers.Conv2D(4, 3, strides=2, padding="same", name="conv1")(image)
        near = layers.Conv2D(4, 1, name="near")(value)
        far = layers.DepthwiseConv2D(5, depth_multiplier=2, padding="same", name="deep")(value)
        far = layers.SeparableConv2D(4, 3, padding="same", name="far")(far)
        value = layers.Add(name="add")([near, far])
        gate = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(value)
        gate = layers.Conv2D(4, 1, activation="sigmoid", name="gate")(gate)
        value = layers.Multiply(name="scaled")([value, gate])
        value = layers.ZeroPadding2D(1, name="wider")(layers.UpSampling2D(2, name="up")(value))
        value = layers.Cropping2D(1, name="narrower")(value)
        return layers.Dense(6, activation="relu", name="pixels")(value) * 0.5

    return graph_table(answer, (32, 28, 3))


def test_every_call_of_a_graph_has_a_row_after_those_that_it_reads(
    branched: dict[str, Layer],
) -> None:
    names = list(branched)
    assert [(row.name, row.type) for row in branched.values()][-3:] == [
        (names[-3], "Multiply"),
        ("pool", "GlobalAveragePooling2D"),
        ("dense", "Dense"),
    ]
    for before, behind in [("conv1", "near"), ("far", "add"), ("near", "add"), ("gate", "scaled")]:
        assert names.index(before) < names.index(behind)


def test_depthwise_and_separable_convolutions_are_counted_right(
    branched: dict[str, Layer],
) -> None:
    deep, far, pixels = (branched[name] for name in ("deep", "far", "pixels"))
    assert deep.parameters == 5 * 5 * 4 * 2 + 8
    assert deep.multiply_adds == (16 * 14) * (5 * 5 * 4 * 2)
    assert far.parameters == 3 * 3 * 8 + 8 * 4 + 4
    assert far.multiply_adds == (16 * 14) * (3 * 3 * 8 + 8 * 4)
    assert (far.window, far.strides, far.dilation, far.padding) == ([3, 3], [1, 1], [1, 1], "same")
    assert pixels.multiply_adds == (32 * 28) * (4 * 6)


def test_where_branches_meet_the_receptive_field_is_the_widest(branched: dict[str, Layer]) -> None:
    fields = {name: row.receptive_field for name, row in branched.items()}
    assert fields["near"] == [3, 3]
    assert fields["deep"] == [11, 11]  # 3 + 4·2
    assert fields["far"] == [15, 15]  # 11 + 2·2
    assert fields["add"] == [15, 15]
    assert fields["squeeze"] == fields["gate"] == fields["scaled"] == [32, 28]


def test_what_comes_behind_an_enlarged_map_sees_in_smaller_steps() -> None:
    def answer(image: Any) -> Any:
        value = layers.Conv2D(2, 3, strides=2, padding="same", name="small")(image)
        value = layers.UpSampling2D(4, name="large")(value)
        return layers.Conv2D(2, 4, padding="same", name="behind")(value)

    rows = graph_table(answer, (32, 28, 1))
    assert rows["large"].receptive_field == [3, 3]
    assert rows["behind"].receptive_field == [5, 5]  # 3 + 3 · ½, rounded up


def test_a_layer_that_is_used_again_counts_its_parameters_once_and_its_work_twice() -> None:
    twice = layers.Conv2D(3, 3, padding="same", name="twice")
    rows = graph_table(lambda image: twice(twice(image)), (9, 7, 3))
    assert [rows[name].parameters for name in ("twice", "twice/2")] == [3 * 3 * 3 * 3 + 3, 0]
    assert rows["twice"].multiply_adds == rows["twice/2"].multiply_adds == (9 * 7) * 3**4
    assert rows["twice/2"].receptive_field == [5, 5]


def test_the_parameters_of_a_graph_add_up_to_those_of_the_model() -> None:
    model = keras.applications.MobileNetV3Small(weights=None, input_shape=(32, 32, 3), classes=3)
    rows = layer_table(model, translate(model)[1])
    assert sum(row.parameters for row in rows) == model.count_params()


def test_the_app_finds_the_same_shapes_and_receptive_fields_in_the_graph() -> None:
    """Every row of the table, beside what `app.inside` reads off the file."""

    def answer(image: Any) -> Any:
        value = layers.Conv2D(4, 3, strides=2, padding="same", name="conv1")(image)
        value = layers.Add()([value, layers.SeparableConv2D(4, 3, padding="same")(value)])
        gate = layers.GlobalAveragePooling2D(keepdims=True)(value)
        value = layers.Multiply()([value, layers.Conv2D(4, 1, activation="sigmoid")(gate)])
        value = layers.Concatenate()([value, layers.DepthwiseConv2D(5, padding="same")(value)])
        value = layers.LayerNormalization()(layers.Conv2D(6, 7, padding="same", groups=2)(value))
        value = layers.MaxPooling2D(3, strides=2, padding="same")(layers.PReLU()(value))
        value = layers.UpSampling2D(2)(layers.ZeroPadding2D(1)(value))
        return layers.Conv2D(5, 3, activation="relu")(value)

    image = keras.Input((33, 28, 3))
    value = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(answer(image)))
    model = keras.Model(image, layers.Dense(3, activation="softmax")(value))
    card = Card(labels=["a", "b", "c"], preprocess=Preprocess(33, 28, 3))
    file = io.BytesIO()
    Image.new("RGB", (28, 33), (200, 100, 50)).save(file, "PNG")
    content = model_file(model, card, [file.getvalue()], None)
    inside = Inside(content, Classifier(content).card)
    for told, found in zip(layer_table(model, translate(model)[1]), inside.layers, strict=True):
        assert found.facts == told  # shapes are those of the graph there
        if found.tensor is not None:
            field = inside.network.grids[found.tensor].field
            assert [ceil(one) for one in field] == told.receptive_field, told.name
