"""Networks that are more than one chain: branches, nested models, layers that are used again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
from keras import layers
from keras.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    ReLU,
)

from training.export import ExportError, to_onnx
from training.export.translate import translate
from training.normalise import Normalise

pytestmark = pytest.mark.train

NORMALISE = Normalise((100.0,) * 3, (60.0,) * 3)
START = ["Transpose", "Cast", "Sub", "Mul"]


def answer(value: Any) -> Any:
    return Dense(5, activation="softmax", name="answer")(value)


def weights_of(exported: Any, layer: str) -> list[str]:
    names = [weight.name for weight in exported.graph.initializer]
    return [name for name in names if name.startswith(f"{layer}/")]


# --- branches


def inverted_residual(value: Any, filters: int, strides: int) -> Any:
    """MobileNetV2's block, with TensorFlow's `same` padding."""
    inner = ReLU(6.0)(BatchNormalization()(Conv2D(12, 1, use_bias=False)(value)))
    depthwise = layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)
    inner = ReLU(6.0)(BatchNormalization()(depthwise(inner)))
    inner = BatchNormalization()(Conv2D(filters, 1, use_bias=False)(inner))
    same = strides == 1 and value.shape[-1] == filters
    return layers.Add()([value, inner]) if same else inner


def test_inverted_residuals_give_the_same_answers(
    assert_same_answers: Callable[..., Any], operators: Callable[..., list[str]]
) -> None:
    image = keras.Input((9, 12, 3))
    value = Conv2D(4, 3, strides=2, padding="same", activation="relu6")(image)
    value = inverted_residual(value, 4, 1)
    value = inverted_residual(value, 6, 2)
    value = layers.Dropout(0.2)(GlobalAveragePooling2D()(value))
    exported = assert_same_answers(keras.Model(image, answer(value)), NORMALISE)
    assert operators(exported) == [
        *(*START, "Conv", "Clip"),
        *("Conv", "Clip", "Conv", "Clip", "Conv", "Add"),
        *("Conv", "Clip", "Conv", "Clip", "Conv"),
        *("GlobalAveragePool", "Flatten", "Gemm", "Softmax"),
    ]


@pytest.mark.parametrize("keepdims", [True, False])
def test_squeeze_and_excite_gives_the_same_answers(
    assert_same_answers: Callable[..., Any], keepdims: bool
) -> None:
    image = keras.Input((7, 6, 3))
    value = Conv2D(8, 3, activation="silu")(image)
    gate = GlobalAveragePooling2D(keepdims=keepdims)(value)
    gate = gate if keepdims else layers.Reshape((1, 1, 8))(gate)
    gate = Conv2D(8, 1, activation="sigmoid")(Conv2D(2, 1, activation="silu")(gate))
    value = layers.Multiply()([value, gate])
    assert_same_answers(keras.Model(image, answer(Flatten()(value))), NORMALISE)


def test_a_batch_normalization_is_not_folded_where_somebody_else_reads_what_it_reads(
    assert_same_answers: Callable[..., Any], operators: Callable[..., list[str]]
) -> None:
    image = keras.Input((6, 5, 3))
    value = Conv2D(4, 3, name="conv1")(image)
    joined = layers.Add(name="add")([value, Activation("tanh")(BatchNormalization()(value))])
    model = keras.Model(image, answer(Flatten()(joined)))
    exported = assert_same_answers(model, NORMALISE)
    assert operators(exported)[4:9] == ["Conv", "Mul", "Add", "Tanh", "Add"]


def test_what_the_network_answers_with_is_not_folded_away(
    assert_same_answers: Callable[..., Any],
) -> None:
    """A model cut out of a larger one: what stands behind its answer is not its own."""
    image = keras.Input((6, 5, 3))
    logits = Dense(5)(Flatten()(image))
    layers.Softmax()(BatchNormalization()(logits))
    part = keras.Model(image, layers.Softmax()(logits))
    assert_same_answers(part, NORMALISE)


def test_one_branch_may_be_the_image_itself(assert_same_answers: Callable[..., Any]) -> None:
    image = keras.Input((6, 5, 3))
    joined = layers.Concatenate()([image, Conv2D(4, 3, padding="same")(image)])
    assert_same_answers(keras.Model(image, answer(Flatten()(joined))), NORMALISE)


# --- nested models


def block(name: str) -> Any:
    inside = [Conv2D(3, 3, padding="same", name="conv"), BatchNormalization(), ReLU(name="relu")]
    return keras.Sequential([keras.Input((6, 5, 3)), *inside], name=name)


def test_layers_of_nested_models_bear_both_names(assert_same_answers: Callable[..., Any]) -> None:
    inner = keras.Sequential([keras.Input((6, 5, 3)), block("deep"), block("deeper")], name="body")
    model = keras.Sequential([keras.Input((6, 5, 3)), inner, Flatten(), Dense(5, "softmax")])
    exported = assert_same_answers(model, NORMALISE)
    tensors = [tensor for tensor in translate(model)[1].values() if tensor]
    assert tensors[:4] == [
        *("body/deep/conv", "body/deep/relu", "body/deeper/conv", "body/deeper/relu"),
    ]
    assert weights_of(exported, "body/deep/conv") == [
        "body/deep/conv/kernel",
        "body/deep/conv/bias",
    ]


def test_a_functional_model_with_branches_inside_another_gives_the_same_answers(
    assert_same_answers: Callable[..., Any],
) -> None:
    inner_image = keras.Input((6, 5, 3))
    joined = layers.Add()([inner_image, Conv2D(3, 3, padding="same")(inner_image)])
    inner = keras.Model(inner_image, joined, name="inner")
    image = keras.Input((6, 5, 3))
    value = inner(layers.RandomFlip()(image), training=False)
    assert_same_answers(keras.Model(image, answer(Flatten()(value))), NORMALISE)


def test_a_batch_normalization_behind_a_nested_model_is_folded_into_its_last_layer(
    assert_same_answers: Callable[..., Any], operators: Callable[..., list[str]]
) -> None:
    inner = keras.Sequential([keras.Input((6, 5, 3)), Conv2D(4, 3)])
    chain = [inner, BatchNormalization(), Flatten(), Dense(5, activation="softmax")]
    exported = assert_same_answers(keras.Sequential([keras.Input((6, 5, 3)), *chain]), NORMALISE)
    assert operators(exported) == [*START, "Conv", "Flatten", "Gemm", "Softmax"]


def test_what_is_called_with_training_answers_as_it_does_in_prediction(
    assert_same_answers: Callable[..., Any],
) -> None:
    image = keras.Input((6, 5, 3))
    value = BatchNormalization()(image, training=True)
    value = layers.Dropout(0.5)(value, training=True)
    assert_same_answers(keras.Model(image, answer(Flatten()(value))), NORMALISE)


# --- layers that are used again


def test_a_layer_that_is_used_twice_is_stored_once(assert_same_answers: Callable[..., Any]) -> None:
    image = keras.Input((6, 5, 3))
    twice = Conv2D(3, 3, padding="same", activation="tanh", name="twice")
    model = keras.Model(image, answer(Flatten()(twice(twice(image)))))
    exported = assert_same_answers(model, NORMALISE)
    assert weights_of(exported, "twice") == ["twice/kernel", "twice/bias"]
    tensors = translate(model)[1]
    assert (tensors["twice"], tensors["twice/2"]) == ("twice", "twice/2")


def test_each_use_of_a_layer_keeps_its_own_batch_normalization(
    assert_same_answers: Callable[..., Any],
) -> None:
    image = keras.Input((6, 5, 3))
    twice = Conv2D(3, 3, padding="same")
    value = BatchNormalization()(twice(image))
    value = BatchNormalization()(twice(value))
    assert_same_answers(keras.Model(image, answer(Flatten()(value))), NORMALISE)


@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(lambda: BatchNormalization(name="twice"), id="BatchNormalization"),
        pytest.param(lambda: layers.PReLU(name="twice"), id="PReLU"),
        pytest.param(lambda: layers.LayerNormalization(name="twice"), id="LayerNormalization"),
        pytest.param(lambda: layers.GroupNormalization(3, name="twice"), id="GroupNormalization"),
        pytest.param(lambda: ReLU(6.0, name="twice"), id="ReLU"),
        pytest.param(lambda: Dense(3, name="twice"), id="Dense"),
        pytest.param(
            lambda: layers.SeparableConv2D(3, 3, padding="same", name="twice"),
            id="SeparableConv2D",
        ),
        pytest.param(lambda: block("twice"), id="Sequential"),
    ],
)
def test_whatever_layer_is_used_twice_gives_the_same_answers(
    assert_same_answers: Callable[..., Any], layer: Callable[[], Any]
) -> None:
    image, twice = keras.Input((6, 5, 3)), layer()
    value = twice(Activation("tanh")(twice(image)))
    assert_same_answers(keras.Model(image, answer(Flatten()(value))), NORMALISE)


def test_a_nested_model_that_is_used_twice_bears_two_names() -> None:
    image, twice = keras.Input((6, 5, 3)), block("twice")
    model = keras.Model(image, answer(Flatten()(twice(twice(image)))))
    tensors = translate(model)[1]
    names = ("twice/conv", "twice/relu", "twice/2/conv", "twice/2/relu")
    assert [tensors[name] for name in names] == list(names)


def test_a_dense_that_is_used_on_two_kinds_of_maps_is_stored_once(
    assert_same_answers: Callable[..., Any],
) -> None:
    image = keras.Input((4, 6, 3))
    twice = Dense(8, activation="tanh", name="twice")
    flat = Flatten()(Conv2D(2, 3)(image))  # 2 × 4 × 2, channels first
    value = layers.Add()([twice(flat), twice(layers.Reshape((16,))(Conv2D(2, 3)(image)))])
    exported = assert_same_answers(keras.Model(image, answer(value)), NORMALISE)
    assert weights_of(exported, "twice") == ["twice/kernel", "twice/bias"]


@pytest.mark.parametrize("layer", [BatchNormalization, layers.PReLU])
def test_a_layer_that_is_used_on_maps_that_lie_differently_gives_the_same_answers(
    assert_same_answers: Callable[..., Any], layer: type
) -> None:
    image, twice = keras.Input((5, 5, 3)), layer(name="twice")
    turned = layers.Permute((2, 1, 3))(Conv2D(3, 1)(image))
    value = layers.Add()([twice(Conv2D(3, 1)(image)), twice(turned)])
    assert_same_answers(keras.Model(image, answer(Flatten()(value))), NORMALISE)


def test_one_branch_alone_is_passed_on(assert_same_answers: Callable[..., Any]) -> None:
    image = keras.Input((6, 5, 3))
    assert_same_answers(
        keras.Model(image, answer(Flatten()(layers.Add()([Conv2D(3, 1)(image)])))), NORMALISE
    )


def difference(names: tuple[str, str]) -> Any:
    first, second = (keras.Input((6, 5, 3), name=name) for name in names)
    return first, second, layers.Subtract()([first, second])


def test_a_nested_model_with_named_inputs_gives_the_same_answers(
    assert_same_answers: Callable[..., Any],
) -> None:
    first, second, value = difference(("b", "a"))
    inner = keras.Model({"b": first, "a": second}, value)
    image = keras.Input((6, 5, 3))
    value = inner({"b": image, "a": Conv2D(3, 1)(image)})
    assert_same_answers(keras.Model(image, answer(Flatten()(value))), NORMALISE)


# --- what is refused


@pytest.mark.parametrize("by_keyword", [False, True])
def test_a_dictionary_for_a_list_of_inputs_is_refused(by_keyword: bool) -> None:
    first, second, value = difference(("b", "a"))
    inner = keras.Model([first, second], value, name="inner")
    image = keras.Input((6, 5, 3))
    named = {"b": image, "a": Conv2D(3, 1)(image)}
    value = inner(inputs=named) if by_keyword else inner(named)
    with pytest.raises(ExportError, match=r"'inner' has a list of inputs.*Call it with a list"):
        to_onnx(keras.Model(image, answer(Flatten()(value))))


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16", "float16"])
def test_what_computes_in_halves_is_refused(dtype: str) -> None:
    image = keras.Input((6, 5, 3))
    value = Flatten()(Conv2D(3, 1, dtype=dtype, name="half")(image))
    with pytest.raises(ExportError, match=r"'half'.*computes in b?float16.*in float32"):
        to_onnx(keras.Model(image, answer(value)))


def test_arithmetic_that_wraps_is_refused() -> None:
    image = keras.Input((6, 5, 3), dtype="uint8")
    value = layers.Rescaling(1 / 255)(image + 200)
    with pytest.raises(ExportError, match=r"computes in uint8"):
        to_onnx(keras.Model(image, answer(Flatten()(value))))


def test_a_tensor_of_the_batch_alone_is_no_obstacle(
    assert_same_answers: Callable[..., Any],
) -> None:
    image = keras.Input((6, 5, 3))
    value = layers.Reshape((1,))(keras.ops.sum(Dense(7)(Flatten()(image)), axis=-1))
    assert_same_answers(keras.Model(image, answer(value)), NORMALISE)


def test_a_layer_with_two_outputs_is_refused() -> None:
    image = keras.Input((6, 6, 3))
    first, second = keras.ops.split(image, 2, axis=1)
    value = Flatten()(layers.Add()([first, second]))
    with pytest.raises(ExportError, match=r"'split' \(Split\) gives.*only one tensor"):
        to_onnx(keras.Model(image, answer(value)))


def test_an_operation_that_loses_the_batch_is_refused() -> None:
    image = keras.Input((6, 5, 3))
    value = Dense(4)(Flatten()(image))
    model = keras.Model(image, answer(value - keras.ops.mean(value, axis=0, keepdims=True)))
    with pytest.raises(ExportError, match=r"\(Mean\) gives \[\(1, 4\)\].*the batch in front"):
        to_onnx(model)
