"""Two layers of a network that looks at a picture and at its mirror image, and answers with both.

They are at work when it answers, not while it trains: there every picture is mirrored every other
epoch anyway. The mean is taken of what the last Dense reads, which is the mean of the logits.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="convolu")
class WithMirrorImages(keras.layers.Layer):  # type: ignore[misc]
    """Images N×H×W×C → 2N×H×W×C: as they are, then all mirrored."""

    def call(self, images: Any, training: bool | None = None) -> Any:
        return images if training else ops.concatenate([images, images[:, :, ::-1]], axis=0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Of any number of images: JAX cannot tell by itself."""
        return (None, *input_shape[1:])


@keras.saving.register_keras_serializable(package="convolu")
class MeanOfBothViews(keras.layers.Layer):  # type: ignore[misc]
    """Vectors 2N×C → N×C: the mean of the first half and of the second."""

    def call(self, vectors: Any, training: bool | None = None) -> Any:
        if training:
            return vectors
        return ops.mean(ops.reshape(vectors, (2, -1, vectors.shape[-1])), axis=0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Likewise."""
        return (None, *input_shape[1:])
