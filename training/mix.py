"""Pairs of training pictures and of their labels, mixed.

MixUp after Zhang et al., "mixup: Beyond Empirical Risk Minimization" (2018); CutMix after Yun et
al., "CutMix" (2019). Knows nothing of Keras or of what a picture shows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def mixup(
    batch: Floats, targets: Floats, alpha: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Lay each picture over another of the batch; the share is drawn from Beta(alpha, alpha).

    `batch` is float32 N×H×W×C, `targets` N×K; so is what comes back.
    """
    share, other = np.float32(rng.beta(alpha, alpha)), rng.permutation(len(batch))
    return (
        batch * share + batch[other] * (1 - share),
        targets * share + targets[other] * (1 - share),
    )


def cutmix(
    batch: Floats, targets: Floats, alpha: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Put a rectangle of another picture of the batch into each; labels share by its area."""
    _, height, width, _ = batch.shape
    other, side = rng.permutation(len(batch)), np.sqrt(1 - rng.beta(alpha, alpha))
    row, column = rng.uniform(0, height), rng.uniform(0, width)  # the rectangle's centre
    top, bottom = np.clip(np.rint([row - side * height / 2, row + side * height / 2]), 0, height)
    left, right = np.clip(np.rint([column - side * width / 2, column + side * width / 2]), 0, width)
    rows, columns = slice(int(top), int(bottom)), slice(int(left), int(right))
    mixed = batch.copy()
    mixed[:, rows, columns] = batch[other, rows, columns]
    share = np.float32(1 - (bottom - top) * (right - left) / (height * width))
    return mixed, targets * share + targets[other] * (1 - share)
