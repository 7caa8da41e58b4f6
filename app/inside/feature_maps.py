"""The tensors of one image → what is told of every layer, and the maps of one, a byte a number.

Plain values in and out, ready for JSON. Knows nothing of HTTP or of sessions.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.inside.geometry import CONVOLUTION
from app.inside.layer_table import InsideLayer
from app.inside.network import Network

MAX_VALUES = 4096  # of a vector that is told number by number; so many channels at the most, too
MAX_MAP_BYTES = 4 * 1024 * 1024  # of one layer's maps: beyond it only the first channels
MAX_KERNEL_NUMBERS = 32 * 1024  # of kernels that are sent whole

Tensor = NDArray[np.float32]


def layer_facts(layer: InsideLayer, tensor: Tensor | None) -> dict[str, Any]:
    """What is told of one layer for one image; `tensor` is its output, None without one."""
    facts = layer.facts
    told: dict[str, Any] = {
        "name": facts.name,
        "type": facts.type,
        "tensor": layer.tensor,
        "shape": facts.output_shape,
        "window": facts.window,
        "strides": facts.strides,
        "dilation": facts.dilation,
        "padding": facts.padding,
        "pads": layer.pads,
        "activation": facts.activation,
        "parameters": facts.parameters,
        "multiply_adds": facts.multiply_adds,
        "receptive_field": facts.receptive_field,
        "inputs": layer.inputs,
        "minimum": None,
        "maximum": None,
        "mean": None,
        "zeros": None,
    }
    if tensor is not None and tensor.size:
        told["minimum"] = float(tensor.min())
        told["maximum"] = float(tensor.max())
        told["mean"] = float(tensor.mean(dtype=np.float64))
        told["zeros"] = 1 - int(np.count_nonzero(tensor)) / tensor.size
        if tensor.ndim == 2 and tensor.shape[1] <= MAX_VALUES:
            told["values"] = tensor[0]
    return told


def channels_first(network: Network, name: str, tensor: NDArray[Any]) -> NDArray[Any]:
    """A map 1 × … as channels × height × width, however it lies in the graph."""
    image: NDArray[Any] = tensor[0]
    return image.transpose(2, 0, 1) if network.grids[name].channels_last else image


def is_map(tensor: Tensor) -> bool:
    """Is it a feature map that can be shown, channel by channel?"""
    return tensor.ndim == 4 and tensor.size > 0


def maps_of(
    name: str, maps: Tensor, contributions: list[float] | None, kernels: Tensor | None
) -> dict[str, Any] | None:
    """Every channel scaled to its own 0 … 255: value = minimum + byte / 255 · (max − min).

    `maps` is channels × height × width, `kernels` out × in × height × width. None if there are
    more channels than can be told of.
    """
    count, height, width = maps.shape
    if count > MAX_VALUES:
        return None
    flat = maps.reshape(count, -1).astype(np.float64)
    minima, maxima = flat.min(axis=1), flat.max(axis=1)
    shown = min(count, MAX_MAP_BYTES // flat.shape[1])
    spread = (maxima - minima)[:shown, None]
    scaled = (flat[:shown] - minima[:shown, None]) / np.where(spread > 0, spread, 1) * 255
    quantised = np.nan_to_num(scaled).round().clip(0, 255).astype(np.uint8)
    return {
        "layer": name,
        "shape": [height, width, count],
        "channels": shown,
        "data": encoded(quantised),
        "minima": minima.tolist(),
        "maxima": maxima.tolist(),
        "means": flat.mean(axis=1).tolist(),
        "zeros": (1 - np.count_nonzero(flat, axis=1) / flat.shape[1]).tolist(),
        "contributions": contributions,
        "kernels": None
        if kernels is None
        else {
            "shape": [kernels.shape[axis] for axis in (0, 2, 3, 1)],
            "data": encoded_floats(kernels.transpose(0, 2, 3, 1)),
        },
    }


def kernel_tensor(network: Network, layer: InsideLayer) -> str | None:
    """The name of its kernels, out × in × height × width, if they are small enough to be sent."""
    node = layer.node
    if node is None or node.op != CONVOLUTION or layer.window is None:
        return None
    shape = network.shapes.get(node.inputs[1], ())
    small = len(shape) == 4 and np.prod(shape) <= MAX_KERNEL_NUMBERS
    return node.inputs[1] if small and node.inputs[1] not in network.grids else None


def encoded(array: NDArray[Any]) -> str:
    """An array's bytes, row by row, as base64."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def encoded_floats(array: NDArray[Any]) -> str:
    """As float32, the lowest byte first."""
    return encoded(array.astype("<f4"))
