"""Which parts of a picture an answer needs: cover each in turn, and see how far the answer falls.

Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 4.2.
Works with any classifier, and knows nothing of what is inside it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.typing import NDArray

from app.classifier import Batch, Probabilities
from app.preprocess import Pixels

CELLS = 8  # of the map, along each side; a patch covers two by two of them
BATCH = 16
_TINY = 1e-12  # a probability that float32 has rounded to 0 has log-odds all the same


Classify = Callable[[Batch], Probabilities]


def occlusion(
    classify: Classify, pixels: Pixels, probabilities: NDArray[np.float32], index: int
) -> tuple[NDArray[np.float32], int]:
    """How much the log-odds of class `index` fall where the picture is covered; and the passes.

    `probabilities` are those of the picture as it is.

    A patch has a quarter of each side, is moved by an eighth (7 × 7 places, fewer for a picture of
    less than eight pixels) and is filled with the mean of the picture's pixels. Each of the map's
    8 × 8 cells has the mean over the patches that cover it.
    """
    height, width, _ = pixels.shape
    rows, columns = _edges(height), _edges(width)
    mean = pixels.mean(axis=(0, 1)).round().astype(np.uint8)
    places = list(product(range(max(1, len(rows) - 2)), range(max(1, len(columns) - 2))))
    before = _log_odds(probabilities[None], index)[0]
    total = np.zeros((len(rows) - 1, len(columns) - 1))
    count = np.zeros_like(total)
    for first in range(0, len(places), BATCH):
        some = places[first : first + BATCH]
        covered = np.repeat(pixels[None], len(some), axis=0)
        for one, (row, column) in zip(covered, some, strict=True):
            bottom, right = min(row + 2, len(rows) - 1), min(column + 2, len(columns) - 1)
            one[rows[row] : rows[bottom], columns[column] : columns[right]] = mean
        falls = before - _log_odds(classify(covered), index)
        for fall, (row, column) in zip(falls, some, strict=True):
            total[row : row + 2, column : column + 2] += fall
            count[row : row + 2, column : column + 2] += 1
    return (total / count).astype(np.float32), len(places)


def _edges(side: int) -> list[int]:
    """Where the cells along a side begin and end, in whole pixels."""
    cells = min(CELLS, side)
    return [round(side * at / cells) for at in range(cells + 1)]


def _log_odds(probabilities: Probabilities, index: int) -> NDArray[np.float64]:
    """log p/(1 − p); 1 − p is summed from the others, which float32 has exactly near p = 1."""
    rows = probabilities.astype(np.float64)
    others = np.delete(rows, index, axis=1).sum(axis=1)
    odds: NDArray[np.float64] = np.log(rows[:, index] + _TINY) - np.log(others + _TINY)
    return odds
