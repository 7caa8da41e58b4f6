"""Conv2D with any stride, dilation, padding and groups; BatchNormalization behind it folded in."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.export.activations import activate, is_linear
from training.export.graph import Graph, Value, renamed
from training.export.normalization import scale_and_shift


def conv2d(graph: Graph, layer: Any, value: Value, folded: Any = None) -> Value:
    """Conv2D; `folded` is the BatchNormalization whose scale and shift go into its weights."""
    kernel = np.asarray(layer.kernel, np.float32).transpose(3, 2, 0, 1)  # HWIO → OIHW
    bias = np.asarray(layer.bias, np.float32) if layer.use_bias else None
    if folded is not None:
        scale, shift = scale_and_shift(folded)
        kernel = kernel * scale[:, None, None, None]
        bias = shift if bias is None else bias * scale + shift
    inputs = [value.name, graph.weight(f"{layer.name}/kernel", kernel)]
    if bias is not None:
        inputs.append(graph.weight(f"{layer.name}/bias", bias))
    linear = is_linear(layer.activation)
    output = layer.name if linear else f"{layer.name}/pre"
    graph.node(
        "Conv",
        inputs,
        output,
        kernel_shape=list(layer.kernel_size),
        strides=list(layer.strides),
        dilations=list(layer.dilation_rate),
        group=layer.groups,
        pads=pads(layer, value, layer.kernel_size, layer.dilation_rate),
    )
    convolved = renamed(value, output, tuple(layer.output.shape[1:]))
    return convolved if linear else activate(graph, layer, layer.activation, convolved, layer.name)


def pads(
    layer: Any, value: Value, window: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> list[int]:
    """Zeros added [top, left, bottom, right].

    `same` follows TensorFlow: ⌈n / stride⌉ outputs, and the odd zero goes to the bottom and right.
    """
    if layer.padding == "valid":
        return [0, 0, 0, 0]
    before, after = [], []
    for size, reach, stride, step in zip(
        value.shape[:2], window, layer.strides, dilation, strict=True
    ):
        outputs = -(-size // stride)
        total = max((outputs - 1) * stride + (reach - 1) * step + 1 - size, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    return [*before, *after]
