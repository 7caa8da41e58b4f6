"""Batch normalisation for averaged weights: its statistics were those of the weights themselves.

Measured anew, as Izmailov et al. do it ("Averaging Weights Leads to Wider Optima", 2018).
"""

from __future__ import annotations

import keras

from training.batches import Batches

IMAGES = 2_000  # 18,000 numbers of each channel where maps are 3×3


def measure_statistics(model: keras.Model, batches: Batches) -> None:
    """Set mean and variance of each BatchNormalization to their mean over IMAGES training images.

    Of the layers of `model` itself, not of models within it; no weight that is learnt changes.
    """
    layers = [one for one in model.layers if isinstance(one, keras.layers.BatchNormalization)]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    for index in range(min(len(batches), -(-IMAGES // batches.batch_size))):
        for layer in layers:
            layer.momentum = index / (index + 1)  # the mean of all so far
        model(batches[index][0], training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
