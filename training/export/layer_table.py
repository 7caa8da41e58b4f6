"""The layer table of a model: shapes, windows, parameters, multiply-adds, receptive field."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from app.card import Layer
from training.export.chain import chain, input_shape

if TYPE_CHECKING:
    import keras

_WINDOWED = {"Conv2D": "kernel_size", "MaxPooling2D": "pool_size", "AveragePooling2D": "pool_size"}
_WHOLE_INPUT = {"Flatten", "GlobalAveragePooling2D", "GlobalMaxPooling2D"}


def layer_table(model: keras.Model, tensors: dict[str, str | None]) -> list[Layer]:
    """One row per Keras layer, in order; `tensors` is what `translate` says of each.

    The receptive field is in input pixels, as Araujo, Norris and Sim compute it ("Computing
    Receptive Fields of Convolutional Neural Networks", Distill 2019), cut at the input's size.
    """
    height, width, _ = input_shape(model)
    field, jump = (1, 1), (1, 1)  # input pixels one output sees; input pixels between two outputs
    rows = []
    for layer in chain(model):
        kind = type(layer).__name__
        window = strides = dilation = None
        if kind in _WINDOWED:
            window = list(getattr(layer, _WINDOWED[kind]))
            strides = list(layer.strides)
            dilation = list(getattr(layer, "dilation_rate", (1, 1)))
            reach = [(size - 1) * step for size, step in zip(window, dilation, strict=True)]
            field = (field[0] + reach[0] * jump[0], field[1] + reach[1] * jump[1])
            jump = (jump[0] * strides[0], jump[1] * strides[1])
        elif kind in _WHOLE_INPUT:
            field = (height, width)
        rows.append(
            Layer(
                name=layer.name,
                type=kind,
                tensor=tensors[layer.name],
                output_shape=list(layer.output.shape[1:]),
                window=window,
                strides=strides,
                dilation=dilation if kind == "Conv2D" else None,
                padding=getattr(layer, "padding", None),
                activation=getattr(getattr(layer, "activation", None), "__name__", None),
                parameters=layer.count_params(),
                multiply_adds=_multiply_adds(layer),
                receptive_field=[min(field[0], height), min(field[1], width)],
            )
        )
    return rows


def _multiply_adds(layer: Any) -> int:
    """Multiplications of weights and inputs for one image; additions of biases are not counted."""
    if not hasattr(layer, "kernel"):
        return 0
    positions = prod(layer.output.shape[1:-1])  # height × width of the feature map; 1 for Dense
    return int(positions * prod(layer.kernel.shape))
