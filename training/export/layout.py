"""How a tensor's elements lie: images channels first where windows slide, else as in Keras.

Knows nothing of layers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.export.graph import Graph, Value


def like_keras(name: str, shape: tuple[int, ...]) -> Value:
    """A tensor whose elements lie as they do in Keras."""
    return Value(name, shape, channels_last=len(shape) == 3)


def channels_first(graph: Graph, value: Value) -> Value:
    """An image as N×C×H×W; anything else as it is."""
    if not value.channels_last:
        return value
    name = f"{value.name}/channels_first"
    if prod(value.shape[:2]) == 1:  # nothing moves
        name = reshaped(graph, value.name, name, (value.shape[2], 1, 1))
    else:
        graph.once("Transpose", [value.name], name, perm=[0, 3, 1, 2])
    return Value(name, value.shape)


def as_in_keras(graph: Graph, value: Value) -> Value:
    """Every element where Keras has it: an image as N×H×W×C, a vector in the order H·W·C."""
    name = f"{value.name}/channels_last"
    if value.is_channels_first:
        graph.once("Transpose", [value.name], name, perm=[0, 2, 3, 1])
        return like_keras(name, value.shape)
    if value.flattened is None or 1 in (prod(value.flattened[:2]), value.flattened[2]):
        return replace(value, flattened=None)
    height, width, channels = value.flattened
    split = reshaped(graph, value.name, f"{value.name}/map", (channels, height, width))
    turned = graph.once("Transpose", [split], f"{value.name}/turned", perm=[0, 2, 3, 1])
    return like_keras(reshaped(graph, turned, name, value.shape), value.shape)


def reshaped(graph: Graph, source: str, output: str, shape: tuple[int, ...]) -> str:
    """Reshape to this shape, whatever the batch."""
    sizes = graph.weight(f"{output}/shape", (0, *shape), np.int64)
    return graph.once("Reshape", [source, sizes], output)


def axes_of(value: Value, axes: Iterable[int]) -> list[int]:
    """Keras' axes of a tensor, the batch being 0, as the axes where they lie."""
    rank = len(value.shape) + 1
    places = {0: 0, 1: 2, 2: 3, 3: 1} if value.is_channels_first else range(rank)
    return [places[axis % rank] for axis in axes]


def laid_out(weights: NDArray[Any], value: Value) -> NDArray[Any]:
    """Weights that Keras broadcasts against `value`, turned to lie as it lies."""
    rank = len(value.shape)
    weights = weights.reshape((1,) * (rank - weights.ndim) + weights.shape)
    if value.is_channels_first:
        return np.moveaxis(weights, -1, 0)
    if value.flattened is not None and weights.size > 1:
        return in_order_of(weights, value)
    return weights


def in_order_of(weights: NDArray[Any], value: Value) -> NDArray[Any]:
    """Reorder the first axis of `weights` from Keras' H·W·C order to the order `value` lies in."""
    if value.flattened is None:
        return weights
    height, width, channels = value.flattened
    split = weights.reshape(height, width, channels, *weights.shape[1:])
    return np.moveaxis(split, 2, 0).reshape(weights.shape)
