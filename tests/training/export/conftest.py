from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from training.export import to_onnx
from training.normalise import Normalise

COUNTS = (1, 2, 7, 64)  # images per batch
TOLERANCE = 1e-5
CLASSES = 5
# Weights that multiply and sum, and how many of their axes are summed over.
FAN_IN = {"depthwise_kernel": 2, "kernel": -1, "pointwise_kernel": -1}


@pytest.fixture(scope="session")
def classifier() -> Callable[..., Any]:
    """`classifier(shape, *layers)`: the layers, then Flatten and Dense with softmax."""
    return _classifier


@pytest.fixture(scope="session")
def assert_same_answers() -> Callable[..., Any]:
    """`assert_same_answers(model, normalise=None)`: ONNX Runtime answers as Keras does.

    Gives the model random weights first. Returns the ONNX model.
    """
    return _assert_same_answers


@pytest.fixture(scope="session")
def randomise() -> Callable[..., None]:
    """`randomise(model)`: random weights, so that answers differ and softmax is not saturated."""
    return _randomise


@pytest.fixture(scope="session")
def operators() -> Callable[..., list[str]]:
    """`operators(exported)`: the operators of the graph, in order."""
    return lambda exported: [node.op_type for node in exported.graph.node]


def _classifier(shape: tuple[int, int, int], *layers: Any) -> Any:
    answer = keras.layers.Dense(CLASSES, activation="softmax", name="answer")
    return keras.Sequential([keras.Input(shape), *layers, keras.layers.Flatten(), answer])


def _assert_same_answers(model: Any, normalise: Normalise | None = None) -> onnx.ModelProto:
    batch = _images(model)
    floats = batch.astype(np.float32) if normalise is None else normalise(batch)
    _randomise(model, floats)
    expected = keras.ops.convert_to_numpy(model(floats, training=False))
    assert np.ptp(expected, axis=0).max() > 500 * TOLERANCE, "the images all get the same answer"
    assert np.median(expected.max(axis=1)) < 0.99, "the softmax is saturated"

    exported = to_onnx(model, normalise)
    _assert_well_formed(exported, batch.shape[1:], expected.shape[1])
    session = onnxruntime.InferenceSession(exported.SerializeToString())
    start = 0
    for count in COUNTS:
        rows = slice(start, start + count)
        (answer,) = session.run(["probabilities"], {"image": batch[rows]})
        np.testing.assert_allclose(answer, expected[rows], rtol=0, atol=TOLERANCE)
        start += count
    return exported


def _assert_well_formed(exported: Any, image: tuple[int, ...], classes: int) -> None:
    onnx.checker.check_model(exported, full_check=True)
    nodes = exported.graph.node
    assert not {node.op_type for node in nodes} & {"BatchNormalization", "Dropout", "Identity"}
    assert [_described(value) for value in exported.graph.input] == [
        ("image", onnx.TensorProto.UINT8, ["N", *image])
    ]
    answer, *more = [_described(value) for value in exported.graph.output]
    assert answer == ("probabilities", onnx.TensorProto.FLOAT, ["N", classes])
    assert [name for name, *_ in more] in ([], ["embedding"])


def _described(value: Any) -> tuple[str, int, list[str | int]]:
    tensor = value.type.tensor_type
    return value.name, tensor.elem_type, [d.dim_param or d.dim_value for d in tensor.shape.dim]


def _images(model: Any) -> NDArray[np.uint8]:
    """Noise, in each channel of each image as bright as chance has it."""
    rng = np.random.default_rng(0)
    height, width, channels = model.input_shape[1:]
    noise = rng.integers(0, 256, (sum(COUNTS), height, width, channels))
    brightness = rng.uniform(0.1, 1, (sum(COUNTS), 1, 1, channels))
    return np.asarray(noise * brightness, np.uint8)


def _randomise(model: Any, floats: NDArray[np.float32] | None = None) -> None:
    """Kernels are scaled by fan-in and by what comes in: every layer sums to values around 1."""
    rng = np.random.default_rng(1)
    seen: set[int] = set()

    def randomised(layer: Any) -> Callable[..., Any]:
        inner = getattr(layer, "_functional", layer)
        if isinstance(inner, keras.Function):
            return lambda value, **_: inner._run_through_graph(value, operation_fn=randomised)

        def call(value: Any, *args: Any, **kwargs: Any) -> Any:
            for weight in [] if id(layer) in seen else getattr(layer, "weights", []):
                weight.assign(_random(rng, weight.name, weight.shape, value))
            seen.add(id(layer))
            if getattr(layer, "_call_has_training_arg", False):
                kwargs["training"] = False
            return layer(value, *args, **kwargs)

        return call

    batch = _images(model).astype(np.float32) if floats is None else floats
    randomised(model)(keras.ops.convert_to_tensor(batch))


def _random(
    rng: np.random.Generator, name: str, shape: tuple[int, ...], incoming: Any
) -> NDArray[np.float64]:
    if name in FAN_IN:
        incoming_size = np.sqrt(np.mean(np.square(keras.ops.convert_to_numpy(incoming))))
        fan_in = prod(shape[: FAN_IN[name]])
        return np.asarray(rng.normal(size=shape) / (np.sqrt(fan_in) * incoming_size))
    if name == "gamma":
        return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1, 1], shape))
    if name == "moving_variance":
        return rng.uniform(0.2, 2, shape)
    assert name in {"alpha", "bias", "beta", "moving_mean"}, name
    return rng.normal(scale=0.5, size=shape)
