"""Where a pretrained network begins: a head for the new classes, and only the last layers free.

head.json in the run folder says how good that head is, before any other layer has learnt.
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import log_loss

from training.data import Data, class_weights
from training.progress import Progress
from training.recipes import Recipe
from training.run import Run, write
from training.transfer.features import cached_features
from training.transfer.head import fit_head
from training.validation import picture_numbers


def start(
    model: keras.Model,
    recipe: Recipe,
    data: Data,
    kept: NDArray[np.int64],
    held_out: NDArray[np.int64],
    seed: int,
    folder: Path,
    progress: Progress,
) -> None:
    """Give `model`, whose last layer is a Dense with softmax, its head; and freeze what is early.

    The head is fitted to the pictures `kept` of the training images, and judged by `held_out`.
    """
    network = keras.Model(model.inputs[0], model.layers[-1].input)
    features = cached_features(
        network, recipe.normalise, data.x_train, data.sha256, folder.parent / "features", progress
    )
    if not recipe.flip:  # what is mirrored may be something else
        features = features[:, :1]
    truth, classes = data.y_train, len(data.labels)
    weights = class_weights(truth[kept], classes) if recipe.balanced else None
    head = fit_head(features[kept], truth[kept], weights, picture_numbers(data)[kept], seed)
    model.layers[-1].set_weights([head.kernel, head.bias])
    measured = {"strength": head.strength}
    for prefix, rows in (("", kept), ("validation_", held_out)):
        if len(rows):
            answers = head(features[rows, 0])
            loss = log_loss(truth[rows], answers, labels=range(classes))
            measured[f"{prefix}loss"] = float(loss)
            measured[f"{prefix}accuracy"] = float((answers.argmax(axis=1) == truth[rows]).mean())
    if len(held_out):
        measured["validation_images"] = float(len(held_out))
    write(folder / "head.json", json.dumps(measured, indent=1))
    free_last_layers(model)


def tuning_paid(run: Run) -> bool:
    """Whether a run that left images out judges them better in the end than its head alone did."""
    return run.measured["validation_loss"] < run.head["validation_loss"]


def free_last_layers(model: keras.Model) -> None:
    """Only the head may learn, and what works on the smallest feature map that weights make.

    There a network knows whole things, not edges, and training it is cheap. Batch normalisation
    stays as it is: what it knows comes from a million pictures.
    """
    maps = [layer for layer in model.layers if len(layer.output.shape) == 4]
    smallest = [layer for layer in maps if layer.weights][-1].output.shape[1:3]
    first = next(layer for layer in maps if layer.output.shape[1:3] == smallest)
    early = model.layers[: model.layers.index(first)]
    for layer in model.layers:
        frozen = layer in early or isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = not frozen
