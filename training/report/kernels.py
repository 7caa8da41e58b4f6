"""The kernels of the first layer as pictures: what it looks for, before training and after."""

from __future__ import annotations

import base64

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from training.png import png
from training.report.markup import Markup, el, section

MOST = 64  # kernels
_COLUMNS = 8
_TILE = 48  # CSS pixels of a kernel's side

Kernels = NDArray[np.floating]  # H×W×C×K, as Keras has them


def kernels(before: Kernels | None, after: Kernels | None) -> Markup | None:
    """The section; without `after` there is none. Pictures of 1 or 3 channels make sense of it."""
    if after is None:
        return None
    height, width, channels, count = after.shape
    drawn = [("Before training", before), ("After training", after)]
    if before is not None and np.array_equal(before, after):
        drawn = [("Before and after training, which left them as they were", after)]
    colours = (
        "Blue is below 0, red above." if channels != 3 else "Grey is 0 in each of the colours."
    )
    return section(
        "kernels",
        "What the first layer looks for",
        el(
            "p",
            f"{min(count, MOST)} of its {count:,} kernels, {height}×{width} each. {colours}",
        ),
        el(
            "div",
            [_figure(name, weights) for name, weights in drawn if weights is not None],
            class_="figures",
        ),
    )


def _figure(name: str, weights: Kernels) -> Markup:
    strongest = _scale(weights)
    mosaic = tiles(weights)
    data = base64.b64encode(png(mosaic)).decode()
    kernels_across = min(_COLUMNS, weights.shape[3])
    picture = el(
        "image",
        href=f"data:image/png;base64,{data}",
        width=mosaic.shape[1],
        height=mosaic.shape[0],
    )
    return el(
        "figure",
        el(
            "svg",
            picture,
            viewBox=f"0 0 {mosaic.shape[1]} {mosaic.shape[0]}",
            style=f"max-width:{kernels_across * _TILE}px",
            class_="kernels",
            role="img",
            aria_label=f"{name}: the kernels of the first layer as a grid of small pictures.",
        ),
        el("figcaption", f"{name}. The strongest colours are ±{strongest:.2g} and beyond."),
    )


def tiles(weights: Kernels) -> NDArray[np.uint8]:
    """H×W×C×K → RGBA pixels of a grid of kernels, eight across, nothing between them."""
    height, width, channels, count = weights.shape
    count = min(count, MOST)
    across, down = min(_COLUMNS, count), -(-count // _COLUMNS)
    scaled = np.clip(0.5 + weights[..., :count] / (2 * _scale(weights)), 0, 1)
    if channels == 3:
        colours = scaled
    else:  # H×W×K → H×W×K×RGB → H×W×RGB×K
        colours = np.moveaxis(mpl.colormaps["RdBu_r"](scaled.mean(axis=2))[..., :3], 3, 2)
    grid = np.zeros((down * (height + 1) - 1, across * (width + 1) - 1, 4), np.uint8)
    for k in range(count):
        row, column = divmod(k, _COLUMNS)
        top, left = row * (height + 1), column * (width + 1)
        tile = grid[top : top + height, left : left + width]
        tile[..., :3], tile[..., 3] = np.rint(255 * colours[..., k]), 255
    return grid


def _scale(weights: Kernels) -> float:
    """What the strongest colours stand for: one weight far out should not pale all others."""
    return max(float(np.percentile(np.abs(weights), 98)), 1e-12)
