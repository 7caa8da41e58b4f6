"""Max and average pooling, over windows and over the whole feature map."""

from __future__ import annotations

from training.export.convolution import pads
from training.export.graph import ExportError, Graph, Value
from training.export.layout import channels_first
from training.export.walk import Call


def max_pooling(graph: Graph, call: Call, value: Value) -> Value:
    """MaxPooling2D."""
    return _pooling(graph, call, value, "MaxPool")


def average_pooling(graph: Graph, call: Call, value: Value) -> Value:
    """AveragePooling2D; `same` padding is left out of the average, as in TensorFlow."""
    return _pooling(graph, call, value, "AveragePool", count_include_pad=0)


def global_max_pooling(graph: Graph, call: Call, value: Value) -> Value:
    """GlobalMaxPooling2D."""
    return global_pooling(graph, call, value, "GlobalMaxPool", call.layer.keepdims)


def global_average_pooling(graph: Graph, call: Call, value: Value) -> Value:
    """GlobalAveragePooling2D."""
    return global_pooling(graph, call, value, "GlobalAveragePool", call.layer.keepdims)


def adaptive_max_pooling(graph: Graph, call: Call, value: Value) -> Value:
    """AdaptiveMaxPooling2D."""
    return _adaptive_pooling(graph, call, value, "MaxPool")


def adaptive_average_pooling(graph: Graph, call: Call, value: Value) -> Value:
    """AdaptiveAveragePooling2D."""
    return _adaptive_pooling(graph, call, value, "AveragePool")


def _adaptive_pooling(graph: Graph, call: Call, value: Value, operator: str) -> Value:
    """Windows side by side, all of one size; over the whole map it is global pooling."""
    size, output_size = value.shape[:2], call.shape[:2]
    if output_size == (1, 1):
        return global_pooling(graph, call, value, f"Global{operator}", keepdims=True)
    if any(one % wanted for one, wanted in zip(size, output_size, strict=True)):
        raise ExportError(
            f"{call} has windows of several sizes, which have no translation. Choose an "
            f"output_size that divides {size}; received {output_size}."
        )
    window = [one // wanted for one, wanted in zip(size, output_size, strict=True)]
    name = channels_first(graph, value).name
    graph.node(operator, [name], call.name, kernel_shape=window, strides=window)
    return Value(call.name, call.shape)


def global_pooling(graph: Graph, call: Call, value: Value, operator: str, keepdims: bool) -> Value:
    """One number of each channel: N×C, or N×C×1×1 with `keepdims`."""
    value = channels_first(graph, value)
    if keepdims:
        graph.node(operator, [value.name], call.name)
    else:
        pooled = graph.node(operator, [value.name], f"{call.name}/map")
        graph.node("Flatten", [pooled], call.name)
    return Value(call.name, call.shape)


def _pooling(graph: Graph, call: Call, value: Value, operator: str, **attributes: int) -> Value:
    value = channels_first(graph, value)
    graph.node(
        operator,
        [value.name],
        call.name,
        kernel_shape=list(call.layer.pool_size),
        strides=list(call.layer.strides),
        pads=pads(call, value, call.layer.pool_size),
        **attributes,
    )
    return Value(call.name, call.shape)
