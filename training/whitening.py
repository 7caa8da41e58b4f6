"""First kernels that whiten: the directions in which small patches of the training images differ.

After Coates and Lee 2011 and Page 2019; each direction comes with both signs, because ReLU keeps
one (Jordan, arXiv 2404.00498). Knows nothing of Keras.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PATCHES = 200_000  # enough: 27 directions


def whitening_kernel(
    images: NDArray[np.float32], height: int, width: int, filters: int, epsilon: float = 5e-4
) -> NDArray[np.float32]:
    """Normalised images N×H×W×C → a kernel height×width×C×filters, half of it minus the other half.

    The strongest `filters` / 2 directions, each scaled so that its answers have variance 1;
    `epsilon` keeps those that hardly vary from being blown up. Raises ValueError if there are not
    so many directions.
    """
    if filters % 2 or filters > 2 * height * width * images.shape[-1]:
        raise ValueError(
            f"A {height}×{width} kernel over {images.shape[-1]} channels whitens with an even "
            f"number of filters up to {2 * height * width * images.shape[-1]}; received {filters}."
        )
    windows = np.lib.stride_tricks.sliding_window_view(images, (height, width), axis=(1, 2))
    flat = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, height * width * images.shape[-1])
    patches = flat[:: max(1, len(flat) // PATCHES)].astype(np.float64)
    values, vectors = np.linalg.eigh(np.cov(patches, rowvar=False))  # ascending
    strongest = slice(None, -filters // 2 - 1, -1)
    directions = vectors[:, strongest] / np.sqrt(values[strongest] + epsilon)
    kernel = np.concatenate([directions, -directions], axis=1)
    return kernel.reshape(height, width, images.shape[-1], filters).astype(np.float32)
