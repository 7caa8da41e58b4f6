"""The layer table as text: first as the lecture prints it, then how each number came about."""

from __future__ import annotations

from collections.abc import Sequence

from app.card import Layer
from training.formulas import formulas
from training.table import aligned

_HEADER = ("layer", "", "output", "parameters", "multiply-adds", "field")


def summary(name: str, layers: Sequence[Layer], image: tuple[int, int, int]) -> str:
    """Several lines of text on the network `name`; `image` is height, width and channels."""
    rows = [
        (
            layer.name,
            _kind(layer),
            _sides(layer.output_shape),
            f"{layer.parameters:,}",
            f"{layer.multiply_adds:,}",
            _sides(layer.receptive_field or []),
        )
        for layer in layers
    ]
    parameters = sum(layer.parameters for layer in layers)
    multiply_adds = sum(layer.multiply_adds for layer in layers)
    rows.append(("total", "", "", f"{parameters:,}", f"{multiply_adds:,}", ""))
    lines = [f"{name}, from an image of {_sides(image)}", ""]
    lines += aligned(_HEADER, rows, left={0, 1, 2})
    lines += ["", "How the numbers come about:", ""]
    lines += aligned(("layer", "number", "formula"), _explained(layers, image), left={0, 1, 2})
    return "\n".join(lines)


def _explained(layers: Sequence[Layer], image: tuple[int, int, int]) -> list[tuple[str, str, str]]:
    return [
        (layer.name if first else "", number, formula)
        for layer, found in zip(layers, formulas(layers, image), strict=True)
        for first, (number, formula) in zip(
            [True, *[False] * len(found)], found.items(), strict=False
        )
    ]


def _kind(layer: Layer) -> str:
    """`Conv2D 3×3, stride 2, same`; stride 1 (of a pool, its size) and valid go without saying."""
    facts = [layer.type + (f" {_sides(layer.window)}" if layer.window else "")]
    usual = [1, 1] if "Conv" in layer.type else layer.window
    if layer.strides and layer.strides != usual:
        facts.append(f"stride {_short(layer.strides)}")
    if layer.dilation and layer.dilation != [1, 1]:
        facts.append(f"dilation {_short(layer.dilation)}")
    if layer.padding == "same":
        facts.append("same")
    return ", ".join(facts)


def _sides(numbers: Sequence[int]) -> str:
    return "×".join(map(str, numbers))


def _short(pair: Sequence[int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else _sides(pair)
