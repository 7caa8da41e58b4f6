"""Max and average pooling, over windows and over the whole feature map."""

from __future__ import annotations

from typing import Any

from training.export.convolution import pads
from training.export.graph import Graph, Value, renamed


def max_pooling(graph: Graph, layer: Any, value: Value) -> Value:
    """MaxPooling2D."""
    return _pooling(graph, layer, value, "MaxPool")


def average_pooling(graph: Graph, layer: Any, value: Value) -> Value:
    """AveragePooling2D; `same` padding is left out of the average, as in TensorFlow."""
    return _pooling(graph, layer, value, "AveragePool", count_include_pad=0)


def global_max_pooling(graph: Graph, layer: Any, value: Value) -> Value:
    """GlobalMaxPooling2D."""
    return _global_pooling(graph, layer, value, "GlobalMaxPool")


def global_average_pooling(graph: Graph, layer: Any, value: Value) -> Value:
    """GlobalAveragePooling2D."""
    return _global_pooling(graph, layer, value, "GlobalAveragePool")


def _pooling(graph: Graph, layer: Any, value: Value, operator: str, **attributes: int) -> Value:
    graph.node(
        operator,
        [value.name],
        layer.name,
        kernel_shape=list(layer.pool_size),
        strides=list(layer.strides),
        pads=pads(layer, value, layer.pool_size),
        **attributes,
    )
    return renamed(value, layer.name, tuple(layer.output.shape[1:]))


def _global_pooling(graph: Graph, layer: Any, value: Value, operator: str) -> Value:
    shape = tuple(layer.output.shape[1:])
    if layer.keepdims:
        graph.node(operator, [value.name], layer.name)
    else:
        pooled = graph.node(operator, [value.name], f"{layer.name}/map")
        graph.node("Flatten", [pooled], layer.name)
    return renamed(value, layer.name, shape)
