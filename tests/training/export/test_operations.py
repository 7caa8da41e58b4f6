from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from keras.layers import Conv2D, Dense, Flatten, LayerNormalization

from training.export import ExportError, to_onnx
from training.normalise import Normalise

pytestmark = pytest.mark.train

NORMALISE = Normalise((100.0,) * 3, (60.0,) * 3)
PER_CHANNEL = np.array([0.5, -1.0, 2.0, 0.1], np.float32)
PER_PIXEL = np.linspace(-1, 1, 6 * 5 * 4, dtype=np.float32).reshape(6, 5, 4)


def model_of(operation: Callable[[Any], Any]) -> Any:
    image = keras.Input((6, 5, 3))
    value = operation(Conv2D(4, 3, padding="same", activation="tanh")(image))
    value = value if len(value.shape) == 2 else Flatten()(value)
    return keras.Model(image, Dense(5, activation="softmax")(value))


def gated(value: Any) -> Any:
    """MobileNetV3's hard sigmoid, written out."""
    gate = Conv2D(4, 1)(ops.mean(value, axis=(1, 2), keepdims=True))
    return value * (keras.layers.ReLU(6.0)(gate + 3.0) * (1 / 6))


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(lambda x: x + 0.5, id="plus a number"),
        pytest.param(lambda x: 1.0 - x, id="a number minus"),
        pytest.param(lambda x: x / 3, id="by an integer"),
        pytest.param(lambda x: 2 / (x + 3), id="a number by"),
        pytest.param(lambda x: -x, id="negative"),
        pytest.param(lambda x: x * PER_CHANNEL, id="one number per channel"),
        pytest.param(lambda x: x * PER_PIXEL, id="one number per pixel"),
        pytest.param(lambda x: ops.subtract(PER_PIXEL[None], x), id="one for the whole batch"),
        pytest.param(lambda x: Flatten()(x) * PER_PIXEL.reshape(-1), id="flattened"),
        pytest.param(lambda x: ops.maximum(x, 0.1), id="maximum"),
        pytest.param(lambda x: ops.minimum(x, -x), id="minimum"),
        pytest.param(lambda x: x + LayerNormalization()(x), id="tensors that lie differently"),
        pytest.param(lambda x: ops.multiply(x1=x, x2=x), id="arguments by name"),
        pytest.param(gated, id="squeeze and excite"),
        pytest.param(lambda x: ops.square(ops.abs(x)), id="square, abs"),
        pytest.param(lambda x: ops.log(ops.exp(x)) + ops.sqrt(ops.abs(x)), id="log, exp, sqrt"),
        pytest.param(lambda x: ops.relu(x) + ops.relu6(x * 8), id="relu, relu6"),
        pytest.param(lambda x: ops.silu(x) - ops.sigmoid(x), id="silu, sigmoid"),
        pytest.param(lambda x: ops.tanh(x) + ops.softplus(x) - ops.softsign(x), id="tanh, soft…"),
        pytest.param(lambda x: ops.hard_sigmoid(4 * x) + ops.hard_silu(4 * x), id="hard…"),
        pytest.param(lambda x: ops.hard_tanh(2 * x) + ops.selu(x), id="hard_tanh, selu"),
        pytest.param(lambda x: ops.gelu(x) + ops.gelu(x, approximate=False), id="gelu"),
        pytest.param(lambda x: ops.leaky_relu(x, 0.3) + ops.elu(x, 0.7), id="leaky_relu, elu"),
        pytest.param(lambda x: ops.celu(x, 0.7), id="celu"),
        pytest.param(
            lambda x: keras.activations.relu(x, negative_slope=0.1, max_value=0.5), id="activation"
        ),
        pytest.param(lambda x: ops.softmax(x), id="softmax"),
        pytest.param(lambda x: ops.clip(x, -0.2, 0.3), id="clip"),
        pytest.param(lambda x: ops.cast(x, "float32"), id="cast"),
        pytest.param(lambda x: ops.mean(x, axis=[1, 2]), id="mean over the map"),
        pytest.param(lambda x: ops.max(x, axis=(-3, -2)), id="largest of the map"),
        pytest.param(lambda x: ops.sum(x, axis=(1, 2), keepdims=True), id="sum over the map"),
        pytest.param(lambda x: ops.mean(x, axis=-1, keepdims=True) * x, id="mean of channels"),
        pytest.param(lambda x: ops.max(x, axis=-1), id="largest channel"),
        pytest.param(lambda x: ops.min(x, axis=1), id="smallest of columns"),
        pytest.param(lambda x: ops.reshape(x, (-1, 5, 24)), id="reshape"),
        pytest.param(lambda x: ops.transpose(x, (0, 3, 1, 2)), id="transpose"),
        pytest.param(lambda x: ops.transpose(x, (0, -2, -3, -1)), id="transpose from the end"),
        pytest.param(
            lambda x: ops.squeeze(ops.mean(x, axis=(1, 2), keepdims=True), (1, 2)), id="squeeze"
        ),
        pytest.param(
            lambda x: ops.expand_dims(ops.expand_dims(ops.mean(x, (1, 2)), 1), 1) * x, id="expand"
        ),
        pytest.param(lambda x: ops.concatenate([x, x[..., :2]], axis=-1), id="concatenate"),
        pytest.param(lambda x: x[:, 1:4, ::2], id="a part"),
        pytest.param(lambda x: x[:, ::-1], id="upside down"),
        pytest.param(lambda x: x[:, :, -2:0:-1, 1:], id="backwards, not to the end"),
        pytest.param(lambda x: x[..., 2], id="one channel"),
        pytest.param(lambda x: x[:, -1, 2], id="one pixel"),
        pytest.param(lambda x: Flatten()(x)[:, 3:50], id="part of a flattened map"),
    ],
)
def test_operations_between_layers_give_the_same_answers(
    assert_same_answers: Callable[..., Any], operation: Callable[[Any], Any]
) -> None:
    assert_same_answers(model_of(operation), NORMALISE)


def test_a_mean_over_the_map_is_global_pooling(
    assert_same_answers: Callable[..., Any], operators: Callable[..., list[str]]
) -> None:
    exported = assert_same_answers(model_of(lambda x: ops.mean(x, axis=(1, 2))), NORMALISE)
    assert operators(exported)[-4:] == ["GlobalAveragePool", "Flatten", "Gemm", "Softmax"]
    assert [output.name for output in exported.graph.output] == ["probabilities", "embedding"]


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        pytest.param(
            lambda x: x * ops.mean(x, axis=(1, 2)), r"\(4,\).*Reshape it first", id="ranks"
        ),
        pytest.param(lambda x: ops.cast(x, "float64"), "casts to float64", id="cast"),
        pytest.param(lambda x: ops.cast(x, "float16"), "computes in float16", id="cast to half"),
        pytest.param(lambda x: x[::-1, :], "every picture alike", id="along the batch"),
        pytest.param(lambda x: ops.cumsum(x, axis=1), r"\(Cumsum\) has no translation", id="other"),
        pytest.param(lambda x: ops.softmax(x, axis=1), "axis 1", id="softmax along an axis"),
        pytest.param(
            lambda x: ops.max(x, axis=-1, keepdims=True, initial=0.0), "initial", id="initial"
        ),
        pytest.param(
            lambda x: ops.clip(x, np.zeros(4), np.ones(4)), "arrays as bounds", id="clip by arrays"
        ),
    ],
)
def test_what_has_no_translation_is_refused(operation: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(ExportError, match=message):
        to_onnx(model_of(operation))
