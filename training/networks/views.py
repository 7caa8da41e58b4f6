"""Layers of a network that looks at a picture several ways, and answers with the mean.

They are at work when it answers, not while it trains: there the recipe changes the pictures. The
mean is taken of what the last Dense reads, which is the mean of the logits. Every view weighs the
same; Jordan's airbench gives those that are moved half the weight of the others.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class _Views(keras.layers.Layer):  # type: ignore[misc]
    """Keeps all of a shape but the number of images, which JAX cannot tell by itself."""

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Of any number of images."""
        return (None, *input_shape[1:])


@keras.saving.register_keras_serializable(package="convolu")
class WithMirrorImages(_Views):
    """Images N×H×W×C → 2N×H×W×C: as they are, then all mirrored."""

    def call(self, images: Any, training: bool | None = None) -> Any:
        return images if training else ops.concatenate([images, images[:, :, ::-1]], axis=0)


@keras.saving.register_keras_serializable(package="convolu")
class WithShifted(_Views):
    """Images N×H×W×C → 3N×H×W×C: as they are, then all a pixel down and right, then up and left.

    What comes in is the second row and column from the edge, as if the edge were a mirror.
    """

    def call(self, images: Any, training: bool | None = None) -> Any:
        if training:
            return images
        _, height, width, _ = images.shape
        framed = ops.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")
        down, up = framed[:, :height, :width], framed[:, 2:, 2:]
        return ops.concatenate([images, down, up], axis=0)


@keras.saving.register_keras_serializable(package="convolu")
class MeanOfViews(_Views):
    """Vectors V·N×C of V views, one after another → N×C: their mean."""

    def __init__(self, views: int, **options: Any) -> None:
        super().__init__(**options)
        self.views = views

    def call(self, vectors: Any, training: bool | None = None) -> Any:
        if training:
            return vectors
        return ops.mean(ops.reshape(vectors, (self.views, -1, vectors.shape[-1])), axis=0)

    def get_config(self) -> dict[str, Any]:
        """With the number of views."""
        return {**super().get_config(), "views": self.views}
