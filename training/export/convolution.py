"""Convolutions, plain, depthwise and separable, with any stride, dilation, padding and groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.export.activations import activate, is_linear
from training.export.graph import Graph, Value
from training.export.layout import channels_first
from training.export.normalization import scale_and_shift
from training.export.walk import Call


def conv2d(graph: Graph, call: Call, value: Value) -> Value:
    """Conv2D."""
    kernel = _kernel(call.layer.kernel).transpose(3, 2, 0, 1)  # HWIO → OIHW
    return _weighed(graph, call, value, kernel, call.layer.groups, pads(call, value))


def depthwise_conv2d(graph: Graph, call: Call, value: Value) -> Value:
    """DepthwiseConv2D: as many groups as channels."""
    kernel = _by_channel(call.layer.kernel)
    return _weighed(graph, call, value, kernel, value.shape[-1], pads(call, value))


def separable_conv2d(graph: Graph, call: Call, value: Value) -> Value:
    """SeparableConv2D: depthwise without bias, `LAYER/depthwise`, then 1×1."""
    value = channels_first(graph, value)
    depthwise = graph.node(
        "Conv",
        [
            value.name,
            graph.kernel(
                f"{call.first_name}/depthwise/kernel", _by_channel(call.layer.depthwise_kernel)
            ),
        ],
        f"{call.name}/depthwise",
        kernel_shape=list(call.layer.kernel_size),
        strides=list(call.layer.strides),
        dilations=list(call.layer.dilation_rate),
        group=value.shape[-1],
        pads=pads(call, value),
    )
    kernel = _kernel(call.layer.pointwise_kernel).transpose(3, 2, 0, 1)
    return _weighed(graph, call, Value(depthwise, call.shape), kernel)


def _weighed(
    graph: Graph,
    call: Call,
    value: Value,
    kernel: NDArray[np.float64],  # OIHW
    groups: int = 1,
    padding: list[int] | None = None,  # with a window and strides; None without
) -> Value:
    """One Conv with kernel, bias and activation; scales and shifts behind it are folded in."""
    layer = call.layer
    scale, bias = scale_and_shift(call.scaled_by, call.shape[-1])
    if layer.use_bias:
        bias = bias + np.asarray(layer.bias, np.float64) * scale
    value = channels_first(graph, value)
    inputs = [
        value.name,
        graph.kernel(f"{call.first_name}/kernel", kernel * scale[:, None, None, None]),
    ]
    if layer.use_bias or call.scaled_by:
        inputs.append(graph.weight(f"{call.first_name}/bias", bias))
    linear = is_linear(layer.activation)
    output = call.name if linear else f"{call.name}/pre"
    sliding = {
        "kernel_shape": list(layer.kernel_size),
        "strides": list(layer.strides),
        "dilations": list(layer.dilation_rate),
        "group": groups,
        "pads": padding,
    }
    graph.node("Conv", inputs, output, **({} if padding is None else sliding))
    convolved = Value(output, call.shape)
    return convolved if linear else activate(graph, call, layer.activation, convolved, call.name)


def _kernel(weights: object) -> NDArray[np.float64]:
    return np.asarray(weights, np.float64)


def _by_channel(weights: object) -> NDArray[np.float64]:
    """Height × width × channels × multiplier → one filter of one channel for each output."""
    kernel = _kernel(weights).transpose(2, 3, 0, 1)
    return kernel.reshape(-1, 1, *kernel.shape[2:])


def pads(call: Call, value: Value, window: tuple[int, int] | None = None) -> list[int]:
    """Zeros added [top, left, bottom, right].

    `same` follows TensorFlow: ⌈n / stride⌉ outputs, and the odd zero goes to the bottom and right.
    """
    layer = call.layer
    if layer.padding == "valid":
        return list(call.pads)
    before, after = [], []
    for size, reach, stride, step in zip(
        value.shape[:2],
        window or layer.kernel_size,
        layer.strides,
        getattr(layer, "dilation_rate", (1, 1)),
        strict=True,
    ):
        outputs = -(-size // stride)
        total = max((outputs - 1) * stride + (reach - 1) * step + 1 - size, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    return [*before, *after]
