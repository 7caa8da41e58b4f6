"""The layer table of a model: shapes, windows, parameters, multiply-adds, receptive field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import TYPE_CHECKING

from app.card import Layer
from training.export.folding import WEIGHING
from training.export.walk import Call, input_shape, walk

if TYPE_CHECKING:
    import keras

_WINDOWED = {
    "AveragePooling2D": "pool_size",
    "Conv2D": "kernel_size",
    "DepthwiseConv2D": "kernel_size",
    "MaxPooling2D": "pool_size",
    "SeparableConv2D": "kernel_size",
}
_ADAPTIVE = {"AdaptiveAveragePooling2D", "AdaptiveMaxPooling2D"}
_DILATED = {"Conv2D", "DepthwiseConv2D", "SeparableConv2D"}
_GLOBAL = {"GlobalAveragePooling2D", "GlobalMaxPooling2D", "GroupNormalization"}
_REDUCING = {"LayerNormalization", "ops.Max", "ops.Mean", "ops.Min", "ops.Sum"}
_RESIZED = {"Resizing", "UpSampling2D"}
_MEAN_OF_VIEWS = "training.networks.views.MeanOfViews"
_VIEWS = {  # how many views each makes of one
    "training.networks.views.WithMirrorImages": 2,
    "training.networks.views.WithShifted": 3,
}


@dataclass(frozen=True)
class Grid:
    """Of a feature map: how many input pixels an output sees, and how far apart two are; y, x."""

    field: tuple[float, float]
    jump: tuple[float, float]
    shape: tuple[int, ...]


def layer_table(model: keras.Model, tensors: dict[str, str | None]) -> list[Layer]:
    """One row per use of a Keras layer, in order; `tensors` is what `translate` says of each.

    The receptive field is in input pixels, as Araujo, Norris and Sim compute it ("Computing
    Receptive Fields of Convolutional Neural Networks", Distill 2019), cut at the input's size.
    Where branches meet, the finest says how far apart outputs lie, and the widest what they see.
    A layer that is used again counts its parameters the first time only.
    """
    image = input_shape(model)
    walked = walk(model)
    grids = {walked.image: Grid((1, 1), (1, 1), image)}
    views = {walked.image: 1}  # of the picture, each of which has a map of its own
    rows = []
    for call in walked.calls:
        read = [grids[edge] for edge in call.reads]
        grids[call.makes] = _grid(call, read, image[:2])
        seen = max(views[edge] for edge in call.reads)
        views[call.makes] = 1 if call.kind == _MEAN_OF_VIEWS else seen * _VIEWS.get(call.kind, 1)
        layer = call.layer
        window, strides = _window(call, read[0].shape)
        padding = getattr(layer, "padding", None)
        rows.append(
            Layer(
                name=call.name,
                type=call.type,
                tensor=tensors[call.name],
                output_shape=list(call.shape),
                window=list(window) if window else None,
                strides=list(strides) if strides else None,
                dilation=list(layer.dilation_rate) if call.kind in _DILATED else None,
                padding=padding if isinstance(padding, str) else None,
                activation=getattr(getattr(layer, "activation", None), "__name__", None),
                parameters=_parameters(call),
                multiply_adds=seen * _multiply_adds(call),
                receptive_field=[ceil(one) for one in grids[call.makes].field],
            )
        )
    return rows


def _grid(call: Call, read: list[Grid], side: tuple[int, int]) -> Grid:
    finest = min(read, key=lambda one: prod(one.jump))
    widest = max(read, key=lambda one: prod(one.field))
    if len(call.shape) != 3 or _sees_all(call):
        return Grid(side, side, call.shape)
    field, jump = widest.field, finest.jump
    window, strides = _window(call, read[0].shape)
    if window and strides:
        dilation = call.layer.dilation_rate if call.kind in _DILATED else (1, 1)
        seen = [field[i] + (window[i] - 1) * dilation[i] * jump[i] for i in (0, 1)]
        field = (min(seen[0], side[0]), min(seen[1], side[1]))
        jump = (jump[0] * strides[0], jump[1] * strides[1])
    elif call.kind in _RESIZED:
        inner, outer = finest.shape, call.shape
        jump = (jump[0] * inner[0] / outer[0], jump[1] * inner[1] / outer[1])
    return Grid(field, jump, call.shape)


def _window(call: Call, read: tuple[int, ...]) -> tuple[Sequence[int] | None, Sequence[int] | None]:
    """Window and strides, where there are any; `read` is the shape of the map before."""
    if call.kind in _ADAPTIVE:
        window = [read[i] // call.shape[i] for i in (0, 1)]
        return window, window
    if call.kind in _WINDOWED:
        return getattr(call.layer, _WINDOWED[call.kind]), call.layer.strides
    return None, None


def _sees_all(call: Call) -> bool:
    """Whether each output depends on all of the map before."""
    if call.kind in _REDUCING:
        axes = call.layer.axis if isinstance(call.layer.axis, list | tuple) else [call.layer.axis]
        return {axis % (len(call.shape) + 1) for axis in axes} >= {1, 2}
    return call.kind in _GLOBAL


def _parameters(call: Call) -> int:
    is_first = call.name == call.first_name and hasattr(call.layer, "count_params")
    return call.layer.count_params() if is_first else 0


def _multiply_adds(call: Call) -> int:
    """Multiplications of weights and inputs for one view; additions of biases are not counted."""
    weights = [getattr(call.layer, name) for name in WEIGHING.get(call.kind, ())]
    positions = prod(call.shape[:-1])  # height × width of the feature map; 1 for a vector
    return int(positions * sum(prod(one.shape) for one in weights))
