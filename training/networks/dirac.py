"""How a convolution starts that passes its input on.

Knows nothing of networks.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


@keras.saving.register_keras_serializable(package="convolu")
class Dirac(keras.initializers.GlorotUniform):  # type: ignore[misc]
    """Kernels of odd height×width×C×F: number i is 1 at the centre of channel i and else 0.

    Where there are more kernels than channels, the rest start as Keras starts them. After Zagoruyko
    and Komodakis, "DiracNets" (arXiv 1706.00388), as Jordan has it (arXiv 2404.00498).
    """

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        height, width, channels, filters = shape
        kernel = np.array(super().__call__(shape, dtype))
        passed = np.arange(min(channels, filters))
        kernel[..., passed] = 0
        kernel[height // 2, width // 2, passed, passed] = 1
        return keras.ops.convert_to_tensor(kernel)
