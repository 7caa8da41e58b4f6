"""How one number of a feature map comes about: what is under its window, the kernel, the bias.

Knows nothing of HTTP or of sessions: names of tensors out, tensors in.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.inside.feature_maps import channels_first, encoded_floats
from app.inside.geometry import CONVOLUTION, POOLS
from app.inside.layer_table import InsideLayer
from app.inside.network import Network

MAX_INPUT_NUMBERS = 1_000_000  # 4 MB, and a third more in base64

Tensor = NDArray[np.float32]


def tensors_of_window(network: Network, layer: InsideLayer) -> list[str]:
    """What `window_data` needs; nothing if the layer has no window, or its input is too large."""
    node, tensor, before = layer.node, layer.tensor, layer.before
    if node is None or tensor is None or before is None or layer.window is None:
        return []
    shapes = [network.shapes.get(name, ()) for name in (node.inputs[0], before, tensor)]
    if before != node.outputs[0] or any(len(shape) != 4 for shape in shapes):
        return []
    if prod(shapes[0]) > MAX_INPUT_NUMBERS or prod(shapes[1][2:]) > MAX_INPUT_NUMBERS:
        return []
    read = node.inputs[: 3 if node.op == CONVOLUTION else 1]
    return [*(name for name in read if name), before, tensor]  # "": a bias that is left out


def window_data(
    network: Network, layer: InsideLayer, channel: int, tensors: Mapping[str, Tensor]
) -> dict[str, Any]:
    """Everything of one channel, from `tensors_of_window`: input, kernel, bias, before, after.

    A convolution in groups is shown the channels of its group alone, pooling its own channel.
    """
    node, window = layer.node, layer.window
    assert node is not None
    assert window is not None
    assert layer.before is not None
    assert layer.tensor is not None
    kernel, bias = None, None
    source = channels_first(network, node.inputs[0], tensors[node.inputs[0]])
    if node.op == CONVOLUTION:
        kernel = tensors[node.inputs[1]][channel].transpose(1, 2, 0)  # height × width × channels
        bias = float(tensors[node.inputs[2]][channel]) if any(node.inputs[2:]) else 0.0
        depth = kernel.shape[2]
        per_group = len(tensors[node.inputs[1]]) // max(1, len(source) // depth)
        group = channel // max(1, per_group)
        source = source[group * depth : (group + 1) * depth]
    else:
        source = source[channel : channel + 1]
    return {
        "layer": layer.name,
        "channel": channel,
        "kind": POOLS.get(node.op, "convolution"),
        "input": _array(source.transpose(1, 2, 0)),
        "kernel": None if kernel is None else _array(kernel),
        "bias": bias,
        "strides": list(window.strides),
        "dilation": list(window.dilation),
        "pads": list(window.pads),
        "before": _array(channels_first(network, layer.before, tensors[layer.before])[channel]),
        "after": _array(channels_first(network, layer.tensor, tensors[layer.tensor])[channel]),
        "activation": layer.facts.activation if layer.before != layer.tensor else None,
    }


def _array(array: Tensor) -> dict[str, Any]:
    return {"shape": list(array.shape), "data": encoded_floats(array)}
