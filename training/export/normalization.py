"""BatchNormalization and Rescaling: a scale and a shift per channel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.export.graph import ExportError, Graph, Value, in_keras_order, renamed


def scale_and_shift(layer: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What a BatchNormalization does once it has been trained: x · scale + shift, per channel.

    Computed in float64, since both come from differences that float32 rounds.
    """
    variance = np.asarray(layer.moving_variance, np.float64)
    scale = 1 / np.sqrt(variance + layer.epsilon)
    if layer.scale:
        scale = scale * np.asarray(layer.gamma, np.float64)
    shift = -np.asarray(layer.moving_mean, np.float64) * scale
    if layer.center:
        shift = shift + np.asarray(layer.beta, np.float64)
    return scale.astype(np.float32), shift.astype(np.float32)


def check_axis(layer: Any) -> None:
    """Only normalisation along the last axis, Keras' default, has a translation."""
    axes = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
    if list(axes) not in ([-1], [len(layer.output.shape) - 1]):
        raise ExportError(
            f"layer '{layer.name}' (BatchNormalization) normalises axis {layer.axis}; only the "
            "last axis has a translation. Use axis=-1."
        )


def batch_normalization(graph: Graph, layer: Any, value: Value) -> Value:
    """A BatchNormalization that no layer before it could take in: one Mul and one Add."""
    check_axis(layer)
    scale, shift = scale_and_shift(layer)
    return _affine(graph, layer.name, value, scale, shift)


def rescaling(graph: Graph, layer: Any, value: Value) -> Value:
    """Rescaling by a number, or by one per channel."""
    channels = value.shape[-1]
    scale = np.broadcast_to(np.asarray(layer.scale, np.float32), (channels,))
    shift = np.broadcast_to(np.asarray(layer.offset, np.float32), (channels,))
    return _affine(graph, layer.name, value, scale, shift)


def _affine(
    graph: Graph, name: str, value: Value, scale: NDArray[np.float32], shift: NDArray[np.float32]
) -> Value:
    if value.is_image:
        scale, shift = scale[:, None, None], shift[:, None, None]
    else:
        scale, shift = in_keras_order(scale, value), in_keras_order(shift, value)
    scaled = graph.node("Mul", [value.name, graph.weight(f"{name}/scale", scale)], f"{name}/scaled")
    graph.node("Add", [scaled, graph.weight(f"{name}/shift", shift)], name)
    return renamed(value, name)
