"""Operations of keras.ops between the layers of a functional model, `+` and `*` among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from training.export.activations import apply, clipped, elu, leaky_relu, softmax
from training.export.graph import ExportError, Graph, Value, renamed
from training.export.layout import as_in_keras, axes_of, laid_out, like_keras, reshaped
from training.export.merging import concatenate, together
from training.export.pooling import global_pooling
from training.export.reshaping import reshape, sliced, transposed
from training.export.walk import Call, Edge

_OF_TWO = {
    "Add": "Add",
    "Divide": "Div",
    "Maximum": "Max",
    "Minimum": "Min",
    "Multiply": "Mul",
    "Subtract": "Sub",
    "TrueDivide": "Div",
}
_OF_ONE = {"Absolute": "Abs", "Exp": "Exp", "Log": "Log", "Negative": "Neg", "Sqrt": "Sqrt"}
_FUNCTIONS = {  # operation → activation function without arguments
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
    "HardTanh": "hard_tanh",
    "Relu": "relu",
    "Relu6": "relu6",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Silu": "silu",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
}
_REDUCTIONS = {"Max": "ReduceMax", "Mean": "ReduceMean", "Min": "ReduceMin", "Sum": "ReduceSum"}
_GLOBAL = {"Max": "GlobalMaxPool", "Mean": "GlobalAveragePool"}


def of_two(graph: Graph, call: Call, *values: Value) -> Value:
    """Two tensors, or one and a number or an array, broadcasting as NumPy does, batch included."""
    if len({len(value.shape) for value in values}) > 1:
        raise ExportError(
            f"{call} joins {' and '.join(str(value.shape) for value in values)}, where one would "
            "be broadcast along the batch. Reshape it first."
        )
    tensors = iter(same := together(graph, list(values)))
    names = []
    for number, operand in enumerate([*call.args, *call.kwargs.values()]):
        if isinstance(operand, Edge):
            names.append(next(tensors).name)
        else:
            names.append(_constant(graph, call, f"{call.name}/{number}", operand, same[0]))
    graph.node(_OF_TWO[call.type], names, call.name)
    return replace(same[0], name=call.name, shape=call.shape)


def _constant(graph: Graph, call: Call, name: str, operand: Any, value: Value) -> str:
    import keras

    array = np.asarray(keras.ops.convert_to_numpy(operand), np.float64)
    if array.ndim > len(value.shape) and array.shape[0] == 1:  # one for the whole batch
        array = array[0]
    if array.ndim > len(value.shape):
        raise ExportError(f"{call} has a constant of shape {array.shape} for {value.shape}.")
    return graph.weight(name, laid_out(array, value) if array.ndim else array)


def of_one(graph: Graph, call: Call, value: Value) -> Value:
    """One number after the other, by one operator."""
    graph.node(_OF_ONE[call.type], [value.name], call.name)
    return renamed(value, call.name)


def square(graph: Graph, call: Call, value: Value) -> Value:
    """Square."""
    graph.node("Mul", [value.name, value.name], call.name)
    return renamed(value, call.name)


def function(graph: Graph, call: Call, value: Value) -> Value:
    """An activation function without arguments."""
    return apply(graph, _FUNCTIONS[call.type], value, call.name)


def gelu(graph: Graph, call: Call, value: Value) -> Value:
    """Gelu, exact or with tanh."""
    approximate = "tanh" if call.layer.approximate else "none"
    graph.node("Gelu", [value.name], call.name, approximate=approximate)
    return renamed(value, call.name)


def clip(graph: Graph, call: Call, value: Value) -> Value:
    """Clip between two numbers."""
    if np.ndim(call.layer.x_min) or np.ndim(call.layer.x_max):
        raise ExportError(
            f"{call} has arrays as bounds, which have no translation. Use maximum and minimum."
        )
    clipped(graph, value.name, call.name, float(call.layer.x_min), float(call.layer.x_max))
    return renamed(value, call.name)


def reduction(graph: Graph, call: Call, value: Value) -> Value:
    """Mean, Max, Min and Sum along any axes but the batch; over height and width it is pooling."""
    if getattr(call.layer, "initial", None) is not None:
        raise ExportError(f"{call} starts from initial=…, which has no translation. Leave it out.")
    rank = len(value.shape) + 1
    axes = sorted(axis % rank for axis in call.layer.axis)
    keepdims = call.layer.keepdims
    if value.is_image and axes == [1, 2] and call.type in _GLOBAL:
        return global_pooling(graph, call, value, _GLOBAL[call.type], keepdims)
    if not keepdims or not value.is_image:
        value = as_in_keras(graph, value)
    lying = graph.weight(f"{call.name}/axes", axes_of(value, axes), np.int64)
    graph.node(_REDUCTIONS[call.type], [value.name, lying], call.name, keepdims=int(keepdims))
    if keepdims:
        return renamed(value, call.name, call.shape)
    return like_keras(call.name, call.shape)


def transpose(graph: Graph, call: Call, value: Value) -> Value:
    """Transpose, the batch staying in front."""
    axes = call.layer.axes
    return transposed(graph, call, value, tuple(axis % (len(value.shape) + 1) for axis in axes))


def get_item(graph: Graph, call: Call, value: Value) -> Value:
    """x[:, a:b, …, 0]: slices and numbers, the whole batch."""
    key = call.args[1] if len(call.args) > 1 else call.kwargs["key"]
    key = list(key) if isinstance(key, list | tuple) else [key]
    rank = len(value.shape) + 1
    if Ellipsis in key:
        place = key.index(Ellipsis)
        key[place : place + 1] = [slice(None)] * (rank + 1 - len(key))
    key += [slice(None)] * (rank - len(key))
    if key[0] != slice(None) or not all(isinstance(one, int | slice) for one in key):
        raise ExportError(f"{call} is not a plain slice of every picture alike: {key}.")
    numbers = [axis for axis, one in enumerate(key) if isinstance(one, int)]
    if numbers or not value.is_image:
        value = as_in_keras(graph, value)
    bounds = [(axis, *_bounds(one, value.shape[axis - 1])) for axis, one in enumerate(key) if axis]
    axes, starts, ends, steps = zip(*bounds, strict=True)
    output = f"{call.name}/slice" if numbers else call.name
    name = sliced(graph, output, value, starts, ends, steps, axes)
    if not numbers:
        return renamed(value, name, call.shape)
    return like_keras(reshaped(graph, name, call.name, call.shape), call.shape)


def _bounds(key: int | slice, size: int) -> tuple[int, int, int]:
    if isinstance(key, int):
        return key % size, key % size + 1, 1
    start, stop, step = key.indices(size)
    return start, stop if stop >= 0 else -size - 1, step  # -1 would mean the last, not before it


def cast(_: Graph, call: Call, value: Value) -> Value:
    """Cast to float32 changes nothing; to anything else it has no translation."""
    if call.layer.dtype != "float32":
        raise ExportError(f"{call} casts to {call.layer.dtype}. Everything here is float32.")
    return value


# The operation's class → its translation.
TRANSLATIONS: dict[str, Callable[..., Value]] = {
    **dict.fromkeys(_OF_ONE, of_one),
    **dict.fromkeys(_OF_TWO, of_two),
    **dict.fromkeys(_FUNCTIONS, function),
    **dict.fromkeys(_REDUCTIONS, reduction),
    **dict.fromkeys(["ExpandDims", "Reshape", "Squeeze"], reshape),
    "Cast": cast,
    "Celu": elu,
    "Clip": clip,
    "Concatenate": concatenate,
    "Elu": elu,
    "Gelu": gelu,
    "GetItem": get_item,
    "LeakyRelu": leaky_relu,
    "Softmax": softmax,
    "Square": square,
    "Transpose": transpose,
}
