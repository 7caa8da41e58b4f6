"""Dense and Flatten: the channel order of a Flatten is folded into the Dense behind it."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.export.activations import activate, is_linear
from training.export.graph import ExportError, Graph, Value, in_keras_order
from training.export.normalization import scale_and_shift


def dense(graph: Graph, layer: Any, value: Value, folded: Any = None) -> Value:
    """Dense; `folded` is the BatchNormalization whose scale and shift go into its weights."""
    if len(value.shape) != 1:
        raise ExportError(
            f"layer '{layer.name}' (Dense) is applied to each pixel of {value.shape}. "
            "Put Flatten or global pooling before it, or use Conv2D with kernel_size=1."
        )
    kernel = in_keras_order(np.asarray(layer.kernel, np.float32), value)
    bias = np.asarray(layer.bias, np.float32) if layer.use_bias else np.zeros(layer.units)
    if folded is not None:
        scale, shift = scale_and_shift(folded)
        kernel, bias = kernel * scale, bias * scale + shift
    linear = is_linear(layer.activation)
    output = layer.name if linear else f"{layer.name}/pre"
    graph.node(
        "Gemm",
        [
            value.name,
            graph.weight(f"{layer.name}/kernel", kernel),
            graph.weight(f"{layer.name}/bias", bias),
        ],
        output,
    )
    weighed = Value(output, (layer.units,))
    return weighed if linear else activate(graph, layer, layer.activation, weighed, layer.name)


def flatten(graph: Graph, layer: Any, value: Value) -> Value:
    """Flatten: the elements stay in N×C×H×W order; the next Dense orders its weights to match."""
    if not value.is_image:
        return value
    height, width, channels = value.shape
    graph.node("Flatten", [value.name], layer.name)
    return Value(layer.name, (height * width * channels,), (height, width, channels))
