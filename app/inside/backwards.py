"""One operation, walked backwards: weights of its output → weights of its input, and a rest.

For every operation here, sum(weights of output · output) = sum(weights of input · input) + rest
for the very image at hand: a ReLU is what it does to that image, a largest value the place that it
came from. Arrays are N×… with N = 1, weights float64. Knows nothing of graphs' ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.inside.geometry import Window
from app.inside.graph import Node
from app.inside.slide import Slide

Weights = NDArray[np.float64]


@dataclass(frozen=True)
class Passage:
    """One node with its values: `source` is its data, `constants` what stands at its inputs."""

    node: Node
    at: int  # which input the data is
    source: NDArray[Any]
    output: NDArray[Any]
    constants: Mapping[int, NDArray[Any]]  # place among the inputs → value
    window: Window | None


Back = Callable[[Passage, Weights], tuple[Weights, float]]


def _same(_: Passage, weights: Weights) -> tuple[Weights, float]:
    return weights, 0.0


def _reshaped(passage: Passage, weights: Weights) -> tuple[Weights, float]:
    return weights.reshape(passage.source.shape), 0.0


def _transposed(passage: Passage, weights: Weights) -> tuple[Weights, float]:
    perm = passage.node.attributes.get("perm", list(range(weights.ndim))[::-1])
    return weights.transpose(np.argsort(perm)), 0.0


def _gemm(passage: Passage, weights: Weights) -> tuple[Weights, float]:
    attributes = passage.node.attributes
    kernel = passage.constants[1] if attributes.get("transB") else passage.constants[1].T
    alpha, beta = (_number(attributes.get(name, 1.0)) for name in ("alpha", "beta"))
    rest = beta * float((weights * passage.constants.get(2, np.float32(0))).sum())
    return alpha * (weights @ kernel), rest


def _matmul(passage: Passage, weights: Weights) -> tuple[Weights, float]:
    return weights @ passage.constants[1].T, 0.0


def _add(passage: Passage, weights: Weights) -> tuple[Weights, float]:
    return weights, float((weights * passage.constants[1 - passage.at]).sum())


def _sub(passage: Passage, weights: Weights) -> tuple[Weights, float]:
    sign = 1 if passage.at == 0 else -1
    return sign * weights, -sign * float((weights * passage.constants[1 - passage.at]).sum())


def _mul(passage: Passage, weights: Weights) -> tuple[Weights, float]:
    return weights * passage.constants[1 - passage.at], 0.0


def _div(passage: Passage, weights: Weights) -> tuple[Weights, float]:
    return weights / passage.constants[1], 0.0  # without one: 1 / x, which is not linear


def _relu(passage: Passage, weights: Weights) -> tuple[Weights, float]:
    return weights * (passage.source > 0), 0.0


def _leaky_relu(passage: Passage, weights: Weights) -> tuple[Weights, float]:
    slope = _number(passage.node.attributes.get("alpha", 0.01))
    return weights * np.where(passage.source > 0, 1, slope), 0.0


def _clip(passage: Passage, weights: Weights) -> tuple[Weights, float]:
    inside = passage.source == passage.output
    return weights * inside, float((weights * passage.output * ~inside).sum())


def _batch_normalization(passage: Passage, weights: Weights) -> tuple[Weights, float]:
    shape = (1, -1) + (1,) * (weights.ndim - 2)
    scale, shift, mean, variance = (
        passage.constants[place].astype(np.float64).reshape(shape) for place in (1, 2, 3, 4)
    )
    scale = scale / np.sqrt(variance + _number(passage.node.attributes.get("epsilon", 1e-5)))
    return weights * scale, float((weights * (shift - mean * scale)).sum())


def _mean(passage: Passage, weights: Weights) -> tuple[Weights, float]:
    """GlobalAveragePool and ReduceMean: every cell has the same share."""
    kept = list(passage.source.shape)
    axes = passage.node.attributes.get("axes")
    if passage.node.op == "GlobalAveragePool":
        axes = list(range(2, len(kept)))
    elif 1 in passage.constants:
        axes = passage.constants[1].tolist()
    for axis in axes if isinstance(axes, list) else range(len(kept)):
        kept[int(axis)] = 1
    share = prod(kept) / passage.source.size
    return np.broadcast_to(weights.reshape(kept) * share, passage.source.shape), 0.0


def _largest(passage: Passage, weights: Weights) -> tuple[Weights, float]:
    """GlobalMaxPool: to the cell that was the largest, the first if there are more."""
    flat = passage.source.reshape(*passage.source.shape[:2], -1)
    back = np.zeros(flat.shape)
    np.put_along_axis(back, flat.argmax(axis=2)[..., None], weights.reshape(*flat.shape[:2], 1), 2)
    return back.reshape(passage.source.shape), 0.0


def _max_pool(passage: Passage, weights: Weights) -> tuple[Weights, float]:
    slide = Slide(passage.window, passage.source, passage.output)
    padded = slide.padded(passage.source, -np.inf)
    best = np.full(weights.shape, -np.inf)
    place = np.full(weights.shape, -1)
    for number, view in enumerate(slide.views(padded)):
        better = view > best
        best[better], place[better] = view[better], number
    back = np.zeros(padded.shape)
    for number, view in enumerate(slide.views(back)):
        view += weights * (place == number)
    return slide.cut(back), 0.0


def _average_pool(passage: Passage, weights: Weights) -> tuple[Weights, float]:
    slide = Slide(passage.window, passage.source, passage.output)
    counted = slide.padded(np.ones(passage.source.shape), 0)
    if passage.node.attributes.get("count_include_pad"):
        counted[:] = 1
    count = sum(slide.views(counted))
    back = np.zeros(counted.shape)
    for view in slide.views(back):
        view += weights / count
    return slide.cut(back), 0.0


def _convolution(passage: Passage, weights: Weights) -> tuple[Weights, float]:
    slide = Slide(passage.window, passage.source, passage.output)
    groups = int(_number(passage.node.attributes.get("group", 1)))
    kernel = passage.constants[1].astype(np.float64)
    out, into = kernel.shape[:2]
    split = weights.reshape(groups, out // groups, *weights.shape[2:])
    taps = kernel.reshape(groups, out // groups, into, -1)
    back = np.zeros(slide.padded(passage.source, 0).shape)
    for number, view in enumerate(slide.views(back)):
        view += np.einsum("gohw,goi->gihw", split, taps[..., number]).reshape(view.shape)
    bias = passage.constants.get(2)
    rest = 0.0 if bias is None else float(weights.sum(axis=(0, 2, 3)) @ bias)
    return slide.cut(back), rest


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


BACK: dict[str, Back] = {
    "Add": _add,
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_normalization,
    "Cast": _same,
    "Clip": _clip,
    "Conv": _convolution,
    "Div": _div,
    "Dropout": _same,
    "Flatten": _reshaped,
    "Gemm": _gemm,
    "GlobalAveragePool": _mean,
    "GlobalMaxPool": _largest,
    "Identity": _same,
    "LeakyRelu": _leaky_relu,
    "MatMul": _matmul,
    "MaxPool": _max_pool,
    "Mul": _mul,
    "ReduceMean": _mean,
    "Relu": _relu,
    "Reshape": _reshaped,
    "Squeeze": _reshaped,
    "Sub": _sub,
    "Transpose": _transposed,
    "Unsqueeze": _reshaped,
}
# Whose data may stand at either place among the inputs; everywhere else it is the first.
EITHER_PLACE = {"Add", "Mul", "Sub"}
