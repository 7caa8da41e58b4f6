"""Recipe → trained network in a run folder, top to bottom.

runs/NAME-seed1/   recipe.json   what was done
                   history.json  loss and accuracy of each epoch
                   final.keras   the weights after the last epoch; there is no choosing of epochs
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from app.card import Epoch
from training import networks
from training.augment import distort
from training.data import Data
from training.recipes import Recipe

HOLDOUT_SEED = 2026  # which training images are held out is the same for every recipe and seed

Report = Callable[[int, dict[str, float]], None]  # after each epoch: its number, what was measured


def train(
    recipe: Recipe, data: Data, seed: int, folder: Path, holdout: int, report: Report
) -> keras.Model:
    """Train from scratch and write the run folder; a finished run of the same is read back.

    With `holdout`, so many training images are left out and judged after each epoch: for choosing a
    recipe. The final model is trained on all of them. Returns a model that computes in float32.
    Raises FileExistsError if the folder holds a finished run of other facts.
    """
    weights, made_by = folder / "final.keras", folder / "recipe.json"
    text = all_that_decides(recipe, data, seed, holdout)
    if weights.exists() and made_by.exists() and made_by.read_text() == text:
        model: keras.Model = keras.saving.load_model(weights)
        return model
    if weights.exists():  # hours of work for another recipe: leave it where it is
        raise FileExistsError(
            f"{folder} holds a finished run of other facts (recipe, seed, holdout or data). "
            "Move it away or remove it, then start again."
        )
    folder.mkdir(parents=True, exist_ok=True)
    made_by.write_text(text)

    keras.utils.set_random_seed(seed)
    order = np.random.default_rng(HOLDOUT_SEED).permutation(len(data.x_train))
    held_out, kept = order[:holdout], order[holdout:]
    batches = Batches(recipe, data.x_train[kept], data.y_train[kept], len(data.labels), seed)
    held_out_pixels = recipe.normalise(data.x_train[held_out])

    keras.config.set_dtype_policy(recipe.dtype)
    model = getattr(networks, recipe.network)()
    keras.config.set_dtype_policy("float32")
    model.compile(
        optimizer=_optimizer(recipe, steps=recipe.epochs * len(batches)),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
    )

    history: list[dict[str, float]] = []
    started = time.monotonic()

    class AfterEpoch(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            row = {"epoch": float(epoch + 1), "seconds": time.monotonic() - started}
            row |= {name: float(value) for name, value in (logs or {}).items()}
            if holdout:
                answer = model.predict(held_out_pixels, batch_size=512, verbose=0).argmax(axis=1)
                row["holdout_accuracy"] = float((answer == data.y_train[held_out]).mean())
            history.append(row)
            (folder / "history.json").write_text(json.dumps(history, indent=1))
            report(epoch + 1, row)

    model.fit(batches, epochs=recipe.epochs, verbose=0, callbacks=[AfterEpoch()], shuffle=False)
    final: keras.Model = getattr(networks, recipe.network)()  # float32, whatever trained it
    final.set_weights(model.get_weights())
    half = folder / "half.keras"
    final.save(half)
    half.replace(weights)  # at once: a run that was broken off never looks finished
    return final


def run_folder(runs: Path, name: str, seed: int) -> Path:
    """Where the run of a recipe with a seed is kept."""
    return runs / f"{name}-seed{seed}"


def history(folder: Path) -> list[Epoch]:
    """What `train` wrote of each epoch into a run folder, to six decimals, as a card has it."""
    rows: list[dict[str, float]] = json.loads((folder / "history.json").read_text())
    return [
        Epoch(
            loss=round(row["loss"], 6),
            accuracy=round(row["accuracy"], 6),
            validation_accuracy=row.get("holdout_accuracy"),
        )
        for row in rows
    ]


def all_that_decides(recipe: Recipe, data: Data, seed: int, holdout: int) -> str:
    """JSON of everything that the weights of a run depend on."""
    facts = asdict(recipe) | {"seed": seed, "holdout": holdout, "data_sha256": data.sha256}
    return json.dumps(
        {name: fact for name, fact in facts.items() if name not in ("description", "seeds")},
        indent=2,
    )


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Normalised, distorted pixels and one-hot labels, in an order that seed and epoch decide."""

    def __init__(
        self,
        recipe: Recipe,
        pixels: NDArray[np.uint8],
        truth: NDArray[np.int64],
        classes: int,
        seed: int,
    ) -> None:
        super().__init__()
        self._recipe, self._seed = recipe, seed
        self._pixels, self._targets = pixels, np.eye(classes, dtype=np.float32)[truth]
        self._epoch = 0
        self._shuffle()

    def __len__(self) -> int:
        return -(-len(self._pixels) // self._recipe.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        size = self._recipe.batch_size
        chosen = self._order[index * size : (index + 1) * size]
        rng = np.random.default_rng((self._seed, self._epoch, index))
        pixels = distort(self._pixels[chosen], self._recipe.distortion, rng)
        return self._recipe.normalise(pixels), self._targets[chosen]

    def on_epoch_end(self) -> None:
        self._epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        rng = np.random.default_rng((self._seed, self._epoch))
        self._order = rng.permutation(len(self._pixels))


def _optimizer(recipe: Recipe, steps: int) -> keras.Optimizer:
    """AdamW; the learning rate climbs over the warm-up and falls along a cosine to 0."""
    warmup_steps = round(recipe.warmup * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=steps - warmup_steps,
        warmup_target=recipe.learning_rate,
        warmup_steps=warmup_steps,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=recipe.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer
