"""Dense, on vectors and on every pixel; and Flatten, whose order of elements it folds in."""

from __future__ import annotations

from math import prod

import numpy as np

from training.export.activations import activate, is_linear
from training.export.graph import Graph, Value
from training.export.layout import as_in_keras, in_order_of
from training.export.normalization import scale_and_shift
from training.export.walk import Call


def dense(graph: Graph, call: Call, value: Value) -> Value:
    """Dense: a Gemm; on a map a 1×1 convolution, or a matrix product where channels lie last."""
    layer = call.layer
    if call.is_shared:
        value = as_in_keras(graph, value)
    scale, bias = scale_and_shift(call.scaled_by, layer.units)
    if layer.use_bias:
        bias = bias + np.asarray(layer.bias, np.float64) * scale
    kernel = np.asarray(layer.kernel, np.float64) * scale
    linear = is_linear(layer.activation)
    output = call.name if linear else f"{call.name}/pre"
    names = (f"{call.first_name}/kernel", f"{call.first_name}/bias")
    if len(value.shape) == 1:
        kernel = in_order_of(kernel, value)
        weights = [graph.kernel(names[0], kernel), graph.weight(names[1], bias)]
        graph.node("Gemm", [value.name, *weights], output)
    elif value.is_channels_first and not call.is_shared:
        weights = [
            graph.kernel(names[0], kernel.T[:, :, None, None]),
            graph.weight(names[1], bias),
        ]
        graph.node("Conv", [value.name, *weights], output)
    else:
        product = graph.node(
            "MatMul", [value.name, graph.kernel(names[0], kernel)], f"{call.name}/product"
        )
        graph.node("Add", [product, graph.weight(names[1], bias)], output)
    weighed = Value(output, call.shape, channels_last=value.channels_last)
    return weighed if linear else activate(graph, call, layer.activation, weighed, call.name)


def flatten(graph: Graph, call: Call, value: Value) -> Value:
    """Flatten: the elements stay in N×C×H×W order; the next Dense orders its weights to match."""
    if len(value.shape) == 1:
        return value
    graph.node("Flatten", [value.name], call.name)
    if not value.is_channels_first:
        return Value(call.name, (prod(value.shape),))
    height, width, channels = value.shape
    return Value(call.name, (height * width * channels,), (height, width, channels))
