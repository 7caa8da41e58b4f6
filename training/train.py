"""Recipe → trained network in a run folder (`training.run`), top to bottom."""

from __future__ import annotations

import json
import time
from math import inf, isfinite
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training import networks, optimizers
from training.batch_statistics import measure_statistics
from training.batches import Batches
from training.data import Data, write_split
from training.epoch import learn
from training.interrupt import Interrupt, Interrupted
from training.progress import Progress
from training.recipes import Recipe
from training.run import Diverged, begin, write
from training.transfer.start import start
from training.validation import split
from training.whitening import whitening_kernel

JUDGE_BATCH = 256


def train(
    recipe: Recipe, data: Data, seed: int, folder: Path, validation: int, progress: Progress
) -> keras.Model:
    """Train a recipe and write the run folder; returns a model that computes in float32.

    With `validation`, so many training images are left out and judged after each epoch: for
    choosing a recipe. A finished run of the same facts is read back, one that was broken off goes
    on after its last whole epoch. The first Ctrl+C ends it after the epoch: then the run is not
    `finished`; in the last one it is, and Interrupted is raised, for whoever has more to do. Raises
    FileExistsError if the folder holds a run of other facts, and Diverged.
    """
    run = begin(folder, recipe, data, seed, validation)
    if data.split is not None:
        write_split(data.split, folder)
    if run.finished:
        return networks.load(run.last)
    history = run.history if run.checkpoint(len(run.history)).exists() else []
    run.last.unlink(missing_ok=True)  # of a run that was stopped: soon it is not the last any more
    kept, held_out = split(data, validation)
    keras.utils.set_random_seed(seed)
    batches = Batches(recipe, data, kept, seed, first_epoch=len(history))

    keras.config.set_dtype_policy(recipe.dtype)
    model = network(recipe, batches.image, len(data.labels))
    keras.config.set_dtype_policy("float32")
    if recipe.whiten:
        _whiten(model, recipe, data, kept)
    if recipe.head_first:
        start(model, recipe, data, kept, held_out, seed, folder, progress)
    np.save(folder / "first_kernel.npy", _first_convolution(model).get_weights()[0])
    model.compile(
        optimizer=optimizers.build(recipe.optimizer, steps=max(1, recipe.epochs * len(batches))),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
    )
    if history:
        model.optimizer.build(model.trainable_variables)
        model.load_weights(run.checkpoint(len(history)))
    judge = network(recipe, data.x_train.shape[1:], len(data.labels))  # float32, whatever trains it
    # Of a head alone there are no epochs to wait for; a run may have been broken off before saving.
    judge.set_weights(model.get_weights())

    def take_average(epoch: int) -> None:
        judge.set_weights(_averaged(model))
        if recipe.optimizer.average:
            measure_statistics(judge, Batches(recipe, data, kept, seed, first_epoch=epoch))

    if history and len(history) == recipe.epochs:
        take_average(len(history) - 1)
    started = time.monotonic() - (history[-1]["seconds"] if history else 0)
    interrupt = Interrupt()

    def one_epoch(epoch: int) -> None:
        interrupt.doing = f"epoch {epoch + 1}"
        _reseed(model, epoch * len(batches))
        means = learn(model, batches, progress.step)
        batches.next_epoch()
        row = {"epoch": float(epoch + 1), "seconds": time.monotonic() - started, **means}
        row["learning_rate"] = float(model.optimizer.learning_rate)
        take_average(epoch)
        if len(held_out):
            row |= _judged(judge, recipe, data, held_out)
        if not isfinite(row["loss"] + row.get("validation_loss", 0)):
            raise Diverged(
                f"{folder} diverged in epoch {epoch + 1}: its loss is no number any more. "
                "Remove that folder, then train again with a smaller learning rate."
            )
        if len(held_out):
            before = [earlier["validation_accuracy"] for earlier in history]
            if row["validation_accuracy"] > max(before, default=-1.0):
                _save(judge, folder / "best.keras")
        history.append(row)
        model.save_weights(run.checkpoint(epoch + 1))
        write(folder / "history.json", json.dumps(history, indent=1))
        run.checkpoint(epoch).unlink(missing_ok=True)
        progress.epoch(epoch + 1, row)

    if len(history) < recipe.epochs:
        best = max((row.get("validation_accuracy", -inf) for row in history), default=-inf)
        progress.begin(run.folder.name, recipe.epochs, len(batches), len(history), best)
        try:
            with interrupt:
                while len(history) < recipe.epochs and not interrupt.asked:
                    one_epoch(len(history))
        finally:
            progress.end()
    _save(judge, run.last)
    if run.finished:
        run.checkpoint(recipe.epochs).unlink(missing_ok=True)
        if interrupt.asked:
            raise Interrupted
    return judge


def network(recipe: Recipe, image: tuple[int, ...], classes: int) -> keras.Model:
    """The network of a recipe, as it is before training, for pixels of the shape `image`."""
    build = getattr(networks, recipe.network)
    model: keras.Model = build(tuple(image), classes, **recipe.network_options, **recipe.variant)
    return model


def _reseed(model: keras.Model, step: int) -> None:
    """What dropout leaves out follows from its seed and the step; no checkpoint of Keras has it."""
    for variable in model.variables:
        if variable.name == "seed_generator_state":
            seed, _ = keras.ops.convert_to_numpy(variable.value)
            variable.assign([seed, step])


def _save(model: keras.Model, path: Path) -> None:
    part = path.with_name("part.keras")
    model.save(part)
    part.replace(path)


def _averaged(model: keras.Model) -> list[NDArray[np.float32]]:
    """The weights, with those that the optimizer averages as their average."""
    now = model.get_weights()
    model.optimizer.finalize_variable_values(model.trainable_variables)
    averaged: list[NDArray[np.float32]] = model.get_weights()
    model.set_weights(now)
    return averaged


def _judged(
    model: keras.Model, recipe: Recipe, data: Data, held_out: NDArray[np.int64]
) -> dict[str, float]:
    probabilities = predict(model, recipe, data, held_out)
    truth = data.y_train[held_out]
    likelihood = probabilities[np.arange(len(truth)), truth]
    return {
        "validation_accuracy": float((probabilities.argmax(axis=1) == truth).mean()),
        "validation_loss": float(-np.log(np.maximum(likelihood, 1e-7)).mean()),
        "validation_images": float(len(truth)),
    }


def predict(
    model: keras.Model, recipe: Recipe, data: Data, chosen: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Probabilities N×K of training images, as Keras gives them."""
    rows = [
        model.predict_on_batch(recipe.normalise(data.x_train[chosen[first : first + JUDGE_BATCH]]))
        for first in range(0, len(chosen), JUDGE_BATCH)
    ]
    return np.concatenate(rows)


def _first_convolution(model: keras.Model) -> Any:
    return next(layer for layer in model.layers if type(layer).__name__ == "Conv2D")


def _whiten(model: keras.Model, recipe: Recipe, data: Data, kept: NDArray[np.int64]) -> None:
    layer = _first_convolution(model)
    height, width, _, filters = layer.kernel.shape
    images = recipe.normalise(data.x_train[np.sort(kept)[:: max(1, len(kept) // 5000)]])
    layer.kernel.assign(whitening_kernel(images, height, width, filters))
