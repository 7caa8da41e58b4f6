"""How uint8 pixels become the float32 that a network is trained on; exported as graph nodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Normalise:
    """(pixel − mean) / std per channel, in the units of the pixels: 0 … 255.

    `Normalise((0.0,), (255.0,))` is the lecture's division by 255.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 N×H×W×C → float32 of the same shape."""
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        return (batch.astype(np.float32) - mean) / std
