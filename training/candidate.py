"""A model file, a run folder or the name of a recipe as one kind of thing, to be compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.card import Layer
from app.classifier import Classifier, normalised, open_session
from training.networks import load
from training.recipes import Recipe
from training.run import Run

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Candidate:
    """A network with all that is known of it; what was not measured is None."""

    name: str
    layers: Sequence[Layer]
    content: bytes  # of its model file, or of the one that would be written
    run_one_image: Callable[[], object]
    validation_accuracy: float | None = None  # after the last epoch, of images left out of it
    test_accuracy: float | None = None
    seconds_per_epoch: float | None = None


def of_file(path: Path) -> Candidate:
    """A model file, with its card inside or beside it. Raises OSError, ModelRefused."""
    content, beside = path.read_bytes(), path.with_suffix(".json")
    classifier = Classifier(content, beside.read_bytes() if beside.exists() else None)
    card, size = classifier.card, classifier.card.preprocess
    pixels = normalised(_noise(size.height, size.width, size.channels), card.normalise)
    return Candidate(
        name=path.name,
        layers=card.layers,
        content=content,
        run_one_image=_runner(content, pixels),
        validation_accuracy=card.history[-1].validation_accuracy if card.history else None,
        test_accuracy=card.metrics.accuracy if card.metrics else None,
        seconds_per_epoch=_seconds_per_epoch([epoch.seconds for epoch in card.history or ()]),
    )


def of_run(run: Run) -> Candidate:
    """A run; its model file is the one in its folder, if it was measured. Raises ExportError."""
    layers, content, pixels = _exported(load(run.last), run.recipe)
    measured = run.folder / f"{run.recipe.name}.onnx"
    test_accuracy = None
    if measured.exists() and measured.stat().st_mtime >= run.last.stat().st_mtime:
        content = measured.read_bytes()
        metrics = Classifier(content).card.metrics
        test_accuracy = metrics.accuracy if metrics else None
    return Candidate(
        name=run.folder.name,
        layers=layers,
        content=content,
        run_one_image=_runner(content, pixels),
        validation_accuracy=run.measured.get("validation_accuracy"),
        test_accuracy=test_accuracy,
        seconds_per_epoch=_seconds_per_epoch([row["seconds"] for row in run.history]),
    )


def _seconds_per_epoch(ends: Sequence[float | None]) -> float | None:
    known = [0.0, *(end for end in ends if end is not None)]
    return median(end - start for start, end in pairwise(known)) if known[1:] else None


def of_recipe(recipe: Recipe) -> Candidate:
    """The untrained network of a recipe. Raises EmptyFeatureMap, ExportError."""
    from training.data import shape
    from training.train import network

    layers, content, pixels = _exported(
        network(recipe, *shape(recipe.data, recipe.preprocess)), recipe
    )
    return Candidate(recipe.name, layers, content, _runner(content, pixels))


def _exported(model: keras.Model, recipe: Recipe) -> tuple[list[Layer], bytes, NDArray[np.uint8]]:
    from training.export.layer_table import layer_table
    from training.export.translate import translate

    graph, tensors = translate(model, recipe.normalise, half=True)
    pixels = _noise(*model.input_shape[1:])
    return layer_table(model, tensors), graph.SerializeToString(), pixels


def _noise(height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """1×H×W×C; zeros could be faster than pictures are."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (1, height, width, channels), np.uint8)


def _runner(content: bytes, pixels: NDArray[np.generic]) -> Callable[[], object]:
    session = open_session(content)
    feed = {session.get_inputs()[0].name: pixels}
    return lambda: session.run(None, feed)
