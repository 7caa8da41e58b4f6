"""Weights as float16: what a file with them computes, said in Keras' own weights.

A file stores kernels with the BatchNormalization behind them folded in. `rounded` gives a model of
the same layers whose kernels are such that, folded, they are the float16 numbers of the file. Proof
and metrics can then be computed by Keras, and folding and rounding once more changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.export.folding import WEIGHING, fold
from training.export.graph import ExportError, fits_half
from training.export.normalization import scale_and_shift
from training.export.walk import walk

if TYPE_CHECKING:
    import keras


def rounded(model: keras.Model) -> keras.Model:
    """A copy of `model` that computes what its file with `half` computes. Raises ExportError."""
    import keras

    twin = keras.models.clone_model(model)
    twin.build(model.inputs[0].shape)
    weights = model.get_weights()
    if [one.shape for one in twin.weights] != [one.shape for one in weights]:
        raise ExportError(
            f"model '{model.name}' uses a layer both inside and outside of a nested model, and "
            "cannot be copied for float16. Use to_onnx, which keeps float32."
        )
    twin.set_weights(weights)
    for call in fold(walk(twin)):
        for name in WEIGHING.get(call.kind, ()):
            weight = getattr(call.layer, name)
            scale = np.ones(())
            if name == WEIGHING[call.kind][-1]:  # what is behind goes into the last of them
                scale, _ = scale_and_shift(call.scaled_by, call.shape[-1])
                axes = 2 if call.kind == "DepthwiseConv2D" else 1  # channels × multiplier
                scale = scale.reshape(weight.shape[-axes:])
            weight.assign(_rounded(np.asarray(weight, np.float64), scale))
    return twin


def _rounded(kernel: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    folded = np.asarray(kernel * scale, np.float32)
    if not fits_half(folded):
        return kernel
    stored = folded.astype(np.float16).astype(np.float64)
    return np.divide(stored, scale, out=kernel, where=scale != 0)
