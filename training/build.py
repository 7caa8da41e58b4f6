"""Recipe → model file: train every seed, export the first, measure each once on the test images.

The test images are PNG files that go through the service's own path: bytes → pixels → ONNX.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np

from app import __version__
from app.card import Card, Dataset
from app.classifier import Classifier
from training.data import Data
from training.evaluate import answers, confusion, measure, png
from training.export.file import model_file, write
from training.recipes import Recipe
from training.train import Report, history, run_folder, train

MEASURED_ON = "the {n} test images as PNG files, through the service's own path"


def build(
    recipe: Recipe, data: Data, runs: Path, models: Path, report: Callable[[int], Report]
) -> Card:
    """Train what is not trained yet and write `models`/NAME.onnx; returns its card.

    `report(seed)` is told of each epoch. Raises ExportError, or ModelRefused if the file that was
    just written does not prove itself.
    """
    test_files = [png(pixels) for pixels in data.x_test]
    trained, probabilities = {}, {}
    for seed in recipe.seeds:
        folder = run_folder(runs, recipe.name, seed)
        trained[seed] = train(recipe, data, seed, folder, holdout=0, report=report(seed))
        content = _file(recipe, data, trained[seed], _card(recipe, data, seed))
        probabilities[seed] = answers(Classifier(content), test_files)

    seed = recipe.seeds[0]
    metrics = measure(
        probabilities[seed],
        data.y_test,
        data.labels,
        MEASURED_ON.format(n=f"{len(test_files):,}"),
        {
            str(one): float((rows.argmax(axis=1) == data.y_test).mean())
            for one, rows in probabilities.items()
        },
    )
    card = _card(recipe, data, seed).model_copy(
        update={
            "metrics": metrics,
            "confusion": confusion(probabilities[seed], data.y_test, len(data.labels)),
            "history": history(run_folder(runs, recipe.name, seed)),
        }
    )
    content = _file(recipe, data, trained[seed], card)
    card = Classifier(content).card  # as the service reads it: refused here if it proves wrong
    write(models / f"{recipe.name}.onnx", content)
    return card


def _file(recipe: Recipe, data: Data, model: keras.Model, card: Card) -> bytes:
    return model_file(model, card, proof_images(data), recipe.normalise)


def proof_images(data: Data) -> list[bytes]:
    """One test image of each class as PNG; and for digits one drawn large, dark on light paper."""
    firsts = [int(np.argmax(data.y_test == index)) for index in range(len(data.labels))]
    images = [png(data.x_test[first]) for first in firsts]
    if data.preprocess.layout == "digit":
        large = np.pad(
            data.x_test[firsts[-1]].repeat(5, axis=0).repeat(5, axis=1), ((9, 31), (40, 5), (0, 0))
        )
        images.append(png(255 - large))
    return images


def _card(recipe: Recipe, data: Data, seed: int) -> Card:
    return Card(
        name=recipe.name,
        description=recipe.description,
        license="Apache-2.0",
        author="The Convolu authors",
        labels=list(data.labels),
        preprocess=data.preprocess,
        dataset=Dataset(name=data.name, sha256=data.sha256),
        recipe=asdict(recipe) | {"seed": seed},
        made_with=_made_with(),
    )


def _made_with() -> dict[str, str]:
    backend = keras.backend.backend()
    versions = {"keras": keras.__version__, "convolu": __version__, "onnx": version("onnx")}
    versions[backend] = import_module(backend).__version__
    with suppress(OSError, subprocess.CalledProcessError):  # no git, or not in a checkout
        versions["commit"] = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
    return versions | {"date": datetime.now(UTC).date().isoformat()}
