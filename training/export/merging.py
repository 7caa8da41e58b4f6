"""Layers that join branches: Add, Multiply, Concatenate and their like."""

from __future__ import annotations

from dataclasses import replace

from training.export.graph import ExportError, Graph, Value
from training.export.layout import as_in_keras, axes_of, channels_first, like_keras, reshaped
from training.export.walk import Call

# Keras' layer → ONNX' operator, for any number of tensors and for two.
_OF_MANY = {"Average": "Mean", "Maximum": "Max", "Minimum": "Min"}
_OF_TWO = {"Add": "Add", "Multiply": "Mul", "Subtract": "Sub"}


def merge(graph: Graph, call: Call, *values: Value) -> Value:
    """Add, Average, Maximum, Minimum, Multiply and Subtract, broadcasting as Keras does."""
    if len(values) == 1:
        return values[0]
    rank = max(len(value.shape) for value in values)
    same = together(graph, [_raised(graph, value, rank) for value in values])
    names = [value.name for value in same]
    if call.type in _OF_MANY:
        graph.node(_OF_MANY[call.type], names, call.name)
    else:
        result = names[0]
        for number, name in enumerate(names[1:], start=2):
            output = call.name if number == len(names) else f"{call.name}/first_{number}"
            result = graph.node(_OF_TWO[call.type], [result, name], output)
    return replace(same[0], name=call.name, shape=call.shape)


def together(graph: Graph, values: list[Value]) -> list[Value]:
    """Tensors of one rank, made to lie in one way: ONNX then broadcasts them as Keras does."""
    if len({value.flattened for value in values}) > 1:
        values = [as_in_keras(graph, value) for value in values]
    return [channels_first(graph, value) for value in values]


def _raised(graph: Graph, value: Value, rank: int) -> Value:
    """Keras' merging layers give lower ranks ones in front: a vector becomes one pixel."""
    shape = (1,) * (rank - len(value.shape)) + value.shape
    if shape == value.shape:
        return value
    value = as_in_keras(graph, value)
    return like_keras(reshaped(graph, value.name, f"{value.name}/of_rank_{rank}", shape), shape)


def concatenate(graph: Graph, call: Call, *values: Value) -> Value:
    """Concatenate, along any axis but the batch."""
    if call.layer.axis % (len(call.shape) + 1) == 0:
        raise ExportError(f"{call} joins along the batch. Use axis=-1.")
    if len(call.shape) == 1:
        same = [as_in_keras(graph, value) for value in values]
    else:
        same = together(graph, list(values))
    (axis,) = axes_of(same[0], [call.layer.axis])
    graph.node("Concat", [value.name for value in same], call.name, axis=axis)
    return Value(call.name, call.shape)


def custom_scale(graph: Graph, call: Call, *values: Value) -> Value:
    """InceptionResNetV2's own layer: the first tensor, and the second times a number."""
    first, second = together(graph, list(values))
    scale = graph.weight(f"{call.first_name}/scale", call.layer.scale)
    scaled = graph.node("Mul", [second.name, scale], f"{call.name}/scaled")
    graph.node("Add", [first.name, scaled], call.name)
    return Value(call.name, call.shape)
