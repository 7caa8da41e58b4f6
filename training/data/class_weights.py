"""How much a picture of each class counts in training, where classes are of different sizes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EVEN = 1.5  # MNIST has 1.24 times as many ones as fives, and is none the worse for it


def class_weights(truth: NDArray[np.int64], classes: int) -> NDArray[np.float32] | None:
    """Classes of N pictures → a weight for each class, n / (classes · its count); else None.

    Every class then counts the same, and the mean over all pictures is 1 (King and Zeng 2001).
    None where no class is more than half as large again as another: weights are not needed.
    Raises ValueError if a class has no picture.
    """
    counts = np.bincount(truth, minlength=classes)
    if len(counts) != classes or not counts.all():
        raise ValueError(f"Expected pictures of each of {classes} classes; counted {counts}.")
    if counts.max() <= EVEN * counts.min():
        return None
    return (len(truth) / (classes * counts)).astype(np.float32)
