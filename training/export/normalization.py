"""Normalisation, by statistics of training or by those of the picture at hand.

The first kind, BatchNormalization and its like, is a scale and a shift per channel, and leaves no
node where a layer before can take them into its weights (`folding`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.export.graph import ExportError, Graph, Value, renamed
from training.export.layout import as_in_keras, channels_first, laid_out, reshaped
from training.export.walk import Call

Floats = NDArray[np.float64]  # since both come from differences that float32 rounds


def _batch_normalization(layer: Any) -> tuple[Floats, Floats]:
    scale = 1 / np.sqrt(np.asarray(layer.moving_variance, np.float64) + layer.epsilon)
    if layer.scale:
        scale = scale * np.asarray(layer.gamma, np.float64)
    shift = -np.asarray(layer.moving_mean, np.float64) * scale
    if layer.center:
        shift = shift + np.asarray(layer.beta, np.float64)
    return scale, shift


def _normalization(layer: Any) -> tuple[Floats, Floats]:
    mean, variance = (np.asarray(one, np.float64) for one in (layer.mean, layer.variance))
    deviation = np.maximum(np.sqrt(variance), 1e-7)  # Keras' epsilon
    return (deviation, mean) if layer.invert else (1 / deviation, -mean / deviation)


def _rescaling(layer: Any) -> tuple[Floats, Floats]:
    return np.asarray(layer.scale, np.float64), np.asarray(layer.offset, np.float64)


def _layer_scale(layer: Any) -> tuple[Floats, Floats]:
    return np.asarray(layer.gamma, np.float64), np.zeros(())


# What each does once it has been trained: x · scale + shift.
SCALING: dict[str, Callable[[Any], tuple[Floats, Floats]]] = {
    "BatchNormalization": _batch_normalization,
    "LayerScale": _layer_scale,
    "Normalization": _normalization,
    "Rescaling": _rescaling,
}


def scale_and_shift(calls: Iterable[Call], channels: int) -> tuple[Floats, Floats]:
    """What a row of them does together, per channel; 1 and 0 for none."""
    scale, shift = np.ones(channels), np.zeros(channels)
    for call in calls:
        found = SCALING[call.kind](call.layer)
        if any(
            (one.size > 1 and one.size != one.shape[-1]) or one.size not in (1, channels)
            for one in found
        ):
            raise ExportError(
                f"{call} scales by an array of shape {max(one.shape for one in found)}; only one "
                "number, or one for each channel, has a translation."
            )
        factor, summand = (one.reshape(-1) for one in found)
        scale, shift = scale * factor, shift * factor + summand
    return scale, shift


def _listed(axis: Any) -> list[int]:
    return list(axis) if isinstance(axis, list | tuple) else [axis]


def check_axis(call: Call) -> None:
    """Only normalisation along the last axis, Keras' default, has a translation."""
    axis = getattr(call.layer, "axis", -1)
    axes = _listed(axis)
    if axes not in ([-1], [len(call.shape)]):
        raise ExportError(
            f"{call} normalises axis {axis}; only the last axis has a translation. Use axis=-1."
        )


def scaling(graph: Graph, call: Call, value: Value) -> Value:
    """A scale and a shift that no layer before could take in: a Mul and an Add, where needed."""
    check_axis(call)
    if call.is_shared:  # elsewhere the same scale may meet another order
        value = as_in_keras(graph, value)
    return _affine(graph, call, value, *scale_and_shift([call, *call.scaled_by], call.shape[-1]))


def _affine(graph: Graph, call: Call, value: Value, scale: Floats, shift: Floats) -> Value:
    name = value.name
    if (scale != 1).any():
        factor = graph.weight(f"{call.first_name}/scale", laid_out(scale, value))
        output = f"{call.name}/scaled" if shift.any() else call.name
        name = graph.node("Mul", [name, factor], output)
    if shift.any():
        summand = graph.weight(f"{call.first_name}/shift", laid_out(shift, value))
        name = graph.node("Add", [name, summand], call.name)
    return renamed(value, name)


def layer_normalization(graph: Graph, call: Call, value: Value) -> Value:
    """LayerNormalization over the channels, or over any axes up to the last."""
    layer = call.layer
    rank = len(call.shape) + 1
    axes = sorted(axis % rank for axis in _listed(layer.axis))
    if axes != list(range(axes[0], rank)) or layer.rms_scaling:
        raise ExportError(
            f"{call} normalises axes {layer.axis}"
            f"{' by their mean square' if layer.rms_scaling else ''}, which has no translation. "
            "Use axis=-1 and rms_scaling=False."
        )
    value = as_in_keras(graph, value)
    shape = call.shape[axes[0] - 1 :]
    gamma = np.asarray(layer.gamma) if layer.scale else np.ones(shape)
    inputs = [value.name, graph.weight(f"{call.first_name}/scale", gamma.reshape(shape))]
    if layer.center:
        beta = np.asarray(layer.beta).reshape(shape)
        inputs.append(graph.weight(f"{call.first_name}/shift", beta))
    graph.node("LayerNormalization", inputs, call.name, axis=axes[0], epsilon=float(layer.epsilon))
    return renamed(value, call.name)


def group_normalization(graph: Graph, call: Call, value: Value) -> Value:
    """GroupNormalization: groups as the channels of an InstanceNormalization, then scale and shift.

    The operator of this name is not used: until opset 21 it has one scale per group.
    """
    layer = call.layer
    check_axis(call)
    if not value.is_image:
        raise ExportError(f"{call} is applied to {value.shape}. Use LayerNormalization.")
    value = channels_first(graph, value)
    height, width, channels = call.shape
    groups = channels if layer.groups == -1 else layer.groups
    split = reshaped(graph, value.name, f"{call.name}/groups", (groups, -1))
    ones = graph.weight(f"{call.name}/ones", np.ones(groups))
    zeros = graph.weight(f"{call.name}/zeros", np.zeros(groups))
    even = graph.node(
        "InstanceNormalization",
        [split, ones, zeros],
        f"{call.name}/even",
        epsilon=float(layer.epsilon),
    )
    name = reshaped(graph, even, f"{call.name}/normalised", (channels, height, width))
    gamma = np.asarray(layer.gamma, np.float64) if layer.scale else np.ones(channels)
    beta = np.asarray(layer.beta, np.float64) if layer.center else np.zeros(channels)
    return _affine(graph, call, renamed(value, name), gamma, beta)


def unit_normalization(graph: Graph, call: Call, value: Value) -> Value:
    """UnitNormalization: every pixel, or every vector, by its length."""
    check_axis(call)
    axis = graph.weight(f"{call.name}/axes", [value.channel_axis], np.int64)
    length = graph.node("ReduceL2", [value.name, axis], f"{call.name}/length")
    smallest = graph.weight(f"{call.name}/smallest", 1e-12)  # Keras' own
    length = graph.node("Max", [length, smallest], f"{call.name}/divisor")
    graph.node("Div", [value.name, length], call.name)
    return renamed(value, call.name)
