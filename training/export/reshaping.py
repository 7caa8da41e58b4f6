"""Layers that move numbers and compute next to none: padding, cropping, reshaping, resizing."""

from __future__ import annotations

from math import prod

import numpy as np

from training.export.graph import ExportError, Graph, Value
from training.export.layout import as_in_keras, axes_of, channels_first, like_keras, reshaped
from training.export.walk import Call

# Keras' name → how ONNX says the same. Both lay pixel centres at 0.5, 1.5, …
_INTERPOLATION: dict[str, dict[str, str]] = {
    "bilinear": {"mode": "linear"},
    "nearest": {"mode": "nearest", "nearest_mode": "round_prefer_ceil"},
}


def zero_padding2d(graph: Graph, call: Call, value: Value) -> Value:
    """ZeroPadding2D, where no layer behind it could take in its zeros."""
    value = channels_first(graph, value)
    (top, bottom), (left, right) = call.layer.padding
    pads = graph.weight(f"{call.name}/pads", (0, 0, top, left, 0, 0, bottom, right), np.int64)
    graph.node("Pad", [value.name, pads], call.name)
    return Value(call.name, call.shape)


def cropping2d(graph: Graph, call: Call, value: Value) -> Value:
    """Cropping2D."""
    (top, _), (left, _) = call.layer.cropping
    return _cut(graph, call, channels_first(graph, value), top, left)


def center_crop(graph: Graph, call: Call, value: Value) -> Value:
    """CenterCrop of an image that is large enough; Keras would resize a smaller one first."""
    spare = [value.shape[i] - call.shape[i] for i in (0, 1)]
    if min(spare) < 0:
        raise ExportError(
            f"{call} makes {value.shape[:2]} larger, which has no translation. Use Resizing."
        )
    return _cut(graph, call, channels_first(graph, value), spare[0] // 2, spare[1] // 2)


def _cut(graph: Graph, call: Call, value: Value, top: int, left: int) -> Value:
    ends = (top + call.shape[0], left + call.shape[1])
    sliced(graph, call.name, value, (top, left), ends, (1, 1), (1, 2))
    return Value(call.name, call.shape)


def sliced(
    graph: Graph,
    output: str,
    value: Value,
    starts: tuple[int, ...],
    ends: tuple[int, ...],
    steps: tuple[int, ...],
    axes: tuple[int, ...],  # Keras', the batch being 0
) -> str:
    """Slice; returns the output's name."""
    parts = {"starts": starts, "ends": ends, "axes": axes_of(value, axes), "steps": steps}
    names = [graph.weight(f"{output}/{name}", part, np.int64) for name, part in parts.items()]
    return graph.node("Slice", [value.name, *names], output)


def up_sampling2d(graph: Graph, call: Call, value: Value) -> Value:
    """UpSampling2D, nearest or bilinear."""
    return _resized(graph, call, value)


def resizing(graph: Graph, call: Call, value: Value) -> Value:
    """Resizing, nearest or bilinear, to whatever aspect ratio."""
    layer = call.layer
    if layer.crop_to_aspect_ratio or layer.pad_to_aspect_ratio or layer.antialias:
        raise ExportError(
            f"{call} crops, pads or antialiases, which has no translation. Leave it to the "
            "preprocessing on the card."
        )
    if layer.interpolation == "nearest":
        return _nearest(graph, call, value)
    return _resized(graph, call, value)


def _nearest(graph: Graph, call: Call, value: Value) -> Value:
    """Rows, then columns, by the indices that Keras finds in float32: where a place lies between
    two pixels, ONNX Runtime may round to the other (40 pixels to 12)."""
    name = channels_first(graph, value).name
    for axis, part in ((2, "rows"), (3, "columns")):
        size, wanted = value.shape[axis - 2], call.shape[axis - 2]
        places = (np.arange(wanted, dtype=np.float32) + np.float32(0.5)) * (
            np.float32(size) / np.float32(wanted)
        )
        nearest = np.floor(places).clip(0, size - 1)
        indices = graph.weight(f"{call.name}/{part}", nearest, np.int64)
        output = call.name if part == "columns" else f"{call.name}/in_{part}"
        name = graph.node("Gather", [name, indices], output, axis=axis)
    return Value(name, call.shape)


def _resized(graph: Graph, call: Call, value: Value) -> Value:
    interpolation = call.layer.interpolation
    if interpolation not in _INTERPOLATION:
        raise ExportError(
            f"{call} has interpolation='{interpolation}'; expected one of "
            f"{', '.join(_INTERPOLATION)}."
        )
    value = channels_first(graph, value)
    sizes = graph.weight(f"{call.name}/sizes", call.shape[:2], np.int64)
    graph.node(
        "Resize",
        [value.name, "", "", sizes],
        call.name,
        axes=[2, 3],
        coordinate_transformation_mode="half_pixel",
        **_INTERPOLATION[interpolation],
    )
    return Value(call.name, call.shape)


def reshape(graph: Graph, call: Call, value: Value) -> Value:
    """Reshape, and whatever else only tells another shape: Keras' order of elements is kept."""
    if call.shape == value.shape:
        return value
    same = _is_pixel(value.shape) and _is_pixel(call.shape)  # channels of one pixel: any order
    if same and value.flattened is None:
        shape = (call.shape[-1], 1, 1) if len(call.shape) == 3 else call.shape
        return Value(reshaped(graph, value.name, call.name, shape), call.shape)
    value = as_in_keras(graph, value)
    return like_keras(reshaped(graph, value.name, call.name, call.shape), call.shape)


def _is_pixel(shape: tuple[int, ...]) -> bool:
    return len(shape) in (1, 3) and prod(shape[:-1]) == 1


def permute(graph: Graph, call: Call, value: Value) -> Value:
    """Permute."""
    return transposed(graph, call, value, (0, *call.layer.dims))


def transposed(graph: Graph, call: Call, value: Value, axes: tuple[int, ...]) -> Value:
    """Another order of axes, as Keras counts them, the batch staying in front."""
    value = as_in_keras(graph, value)
    graph.node("Transpose", [value.name], call.name, perm=list(axes))
    return like_keras(call.name, call.shape)
