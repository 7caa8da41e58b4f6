"""How the numbers of a layer table come about: the lecture's formulas, with the numbers filled in.

Takes the rows of a table alone, whatever wrote them. A formula is given only where it leads to the
number in the row: of a layer that reads something else than the row before it, nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from app.card import Layer

Shape = Sequence[int]  # height, width, channels; or units
Formula = tuple[str, int]  # the text, and what it comes to

_POOLED = {"GlobalAveragePooling2D": "the mean", "GlobalMaxPooling2D": "the largest"}


def formulas(layers: Sequence[Layer], image: tuple[int, int, int]) -> list[dict[str, str]]:
    """For each layer: `output`, `parameters`, `multiply-adds`, `receptive field`, where known.

    `image` is height, width and channels. Convolution arithmetic as in Dumoulin and Visin, "A guide
    to convolution arithmetic for deep learning", 2016: n_out = ⌊(n + 2p − k) / s⌋ + 1.
    """
    table = []
    inner: Shape = image
    field, jump = [1, 1], [1, 1]  # input pixels: one output sees; between two outputs
    for layer in layers:
        found = {
            "output": _output(layer, inner),
            "parameters": _parameters(layer, inner),
            "multiply-adds": _multiply_adds(layer, inner),
            "receptive field": _field(layer, field, jump, image),
        }
        table.append({name: text for name, text in found.items() if text})
        inner, field = layer.output_shape, layer.receptive_field or field
        jump = [one * step for one, step in zip(jump, layer.strides or [1, 1], strict=True)]
    return table


def _output(layer: Layer, inner: Shape) -> str:
    shape = layer.output_shape
    if layer.window and len(inner) == len(shape) == 3:
        sides = [_side(layer, axis, inner[axis]) for axis in (0, 1)]
        if [size for _, size in sides] != shape[:2]:
            return ""
        return ", ".join(dict.fromkeys(f"{text} = {size}" for text, size in sides))
    if layer.type == "Flatten" and prod(inner) == prod(shape):
        return f"{times(*inner)} = {prod(inner):,}"
    if layer.type in _POOLED and len(inner) == 3 and inner[2] == shape[-1]:
        return f"{_POOLED[layer.type]} of each of {inner[2]} maps of {inner[0]}×{inner[1]}"
    return ""


def _side(layer: Layer, axis: int, n: int) -> Formula:
    """A side of the feature map: n_out = ⌊(n + 2p − k) / s⌋ + 1; 2p = k − 1 where padding is same.

    Keras pads a little less where a stride leaves pixels over; the side is the same.
    """
    assert layer.window is not None
    window, stride = layer.window[axis], (layer.strides or [1, 1])[axis]
    dilation = (layer.dilation or [1, 1])[axis]
    reach = (window - 1) * dilation + 1
    reach_text = f"{window}" if dilation == 1 else f"(({window} − 1)·{dilation} + 1)"
    padding = reach - 1 if layer.padding == "same" else 0
    padding_text = f" + 2·{padding // 2}" if padding % 2 == 0 else f" + {padding}"
    top = f"({n}{padding_text if padding else ''} − {reach_text})"
    room = n + padding - reach
    text = f"{top}/{stride} + 1" if room % stride == 0 else f"⌊{top}/{stride}⌋ + 1"
    return text, room // stride + 1


def _parameters(layer: Layer, inner: Shape) -> str:
    if not layer.parameters:
        return ""
    outer, taken = layer.output_shape[-1], inner[-1]
    kernel = layer.window or []
    candidates: dict[str, list[Formula]] = {
        "Conv2D": [
            (f"({times(*kernel, taken)} + 1)·{outer:,}", (prod(kernel) * taken + 1) * outer),
            (times(*kernel, taken, outer), prod(kernel) * taken * outer),
        ],
        "DepthwiseConv2D": [
            (f"({times(*kernel)} + 1)·{outer:,}", (prod(kernel) + 1) * outer),
            (times(*kernel, outer), prod(kernel) * outer),
        ],
        "Dense": [
            (f"({taken:,} + 1)·{outer:,}", (taken + 1) * outer),
            (times(taken, outer), taken * outer),
        ],
        "BatchNormalization": [(times(each, outer), each * outer) for each in (4, 3, 2)],
    }
    return _that_gives(layer.parameters, candidates.get(layer.type, []))


def _multiply_adds(layer: Layer, inner: Shape) -> str:
    if not layer.multiply_adds:
        return ""
    taken, kernel, outer = inner[-1], layer.window or [], layer.output_shape
    candidates: dict[str, list[int]] = {
        "Conv2D": [*outer, *kernel, taken],
        "DepthwiseConv2D": [*outer, *kernel],
        "Dense": [*outer, taken],
    }
    factors = candidates.get(layer.type, [0])
    return _that_gives(layer.multiply_adds, [(times(*factors), prod(factors))])


def _field(
    layer: Layer, field: Sequence[int], jump: Sequence[int], image: tuple[int, int, int]
) -> str:
    """Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks"."""
    if not layer.window or not layer.receptive_field:
        return ""
    texts = []
    for axis in (0, 1):
        window, dilation = layer.window[axis], (layer.dilation or [1, 1])[axis]
        seen = field[axis] + (window - 1) * dilation * jump[axis]
        steps = times(*(step for step in (dilation, jump[axis]) if step != 1))
        text = f"{field[axis]} + ({window} − 1){f'·{steps}' if steps else ''} = {seen}"
        if seen > image[axis] == layer.receptive_field[axis]:
            text += f", of which the image has {image[axis]}"
        elif seen != layer.receptive_field[axis]:
            return ""
        texts.append(text)
    return "; ".join(dict.fromkeys(texts))


def _that_gives(number: int, candidates: Sequence[Formula]) -> str:
    return next((f"{text} = {number:,}" for text, value in candidates if value == number), "")


def times(*factors: int) -> str:
    """`3·3·32`."""
    return "·".join(f"{factor:,}" for factor in factors)
