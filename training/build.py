"""Recipe → model file: train every seed, measure each once on the test images, ship the first."""

from __future__ import annotations

from pathlib import Path

from app.card import Card
from app.classifier import Classifier
from training.data import Data
from training.export.file import write
from training.finish import exported, finish, judged, temperature_of
from training.interrupt import Interrupted
from training.progress import Progress
from training.recipes import Recipe
from training.run import Run, read, run_folder, validation_folder
from training.train import train


class Stopped(RuntimeError):
    """A training was stopped, or what comes after it; the same command goes on."""


def build(recipe: Recipe, data: Data, runs: Path, models: Path, progress: Progress) -> Card:
    """Train what is not trained yet and write `models`/NAME.onnx; returns its card.

    One run leaves `recipe.validation` images out: by them it is decided how sure the others may be.
    Of a recipe with one seed it is the one that ships. Raises Stopped, ExportError, or ModelRefused
    if the file does not prove itself.
    """
    ships, *others = recipe.seeds
    folder = validation_folder(runs, recipe.name)
    aside = _trained(recipe, data, ships, folder, recipe.validation, progress)
    temperature = temperature_of(aside, data)
    trained = {ships: aside}
    if others:
        trained = {
            seed: _trained(recipe, data, seed, run_folder(runs, recipe.name, seed), 0, progress)
            for seed in recipe.seeds
        }
    accuracies = {}
    for seed in others:
        answer = judged(exported(trained[seed], data, temperature, {}), data, progress).argmax(
            axis=1
        )
        accuracies[str(seed)] = float((answer == data.y_test).mean())
    content = finish(trained[ships], data, temperature, progress, accuracies)
    progress.end()
    write(models / f"{recipe.name}.onnx", content)
    return Classifier(content).card


def _trained(
    recipe: Recipe, data: Data, seed: int, folder: Path, validation: int, progress: Progress
) -> Run:
    try:
        train(recipe, data, seed, folder, validation, progress)
    except Interrupted:
        raise Stopped(f"{folder} is finished; the same command goes on from there.") from None
    run = read(folder)
    if not run.finished:
        raise Stopped(
            f"{folder} was stopped after epoch {len(run.history)} of {recipe.epochs}; "
            "the same command goes on with it."
        )
    return run
