"""The model maker's command line: `convolu-train`, or `python -m training`: build, try and more."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from training.backend import choose_backend
from training.data import Data, DataError, load
from training.recipes import RECIPES, Recipe

cli = typer.Typer(
    help="Train image classifiers and export them to ONNX files that Convolu serves.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Names = Annotated[list[str], typer.Argument(help="Recipes; `recipes` lists them.")]
DataFolder = Annotated[
    Path | None,
    typer.Option("--data", envvar="CONVOLU_DATA", help="Folder with NAME.npz; else a download."),
]
Runs = Annotated[Path, typer.Option(help="Where runs are kept; finished ones are not repeated.")]


@cli.command()
def build(
    names: Names,
    data: DataFolder = None,
    runs: Runs = Path("runs"),
    models: Annotated[Path, typer.Option(help="Where the model files go.")] = Path("models"),
) -> None:
    """Train every seed of a recipe, measure each once on the test images, write the model file."""
    chosen = _recipes(names)  # before Keras is imported, which takes seconds
    choose_backend()
    from training.build import build as build_model

    for recipe in chosen:

        def report(seed: int, recipe: Recipe = recipe) -> Progress:
            return Progress(f"{recipe.name} seed {seed}", recipe.epochs)

        loaded = _data(recipe.data, data)
        try:
            card = build_model(recipe, loaded, runs, models, report)
        except FileExistsError as exc:
            fail(str(exc))
        assert card.metrics is not None
        seeds = card.metrics.seed_accuracies
        print(
            f"{models / recipe.name}.onnx: {card.metrics.accuracy:.2%} of {card.metrics.images:,} "
            f"test images right; mean of seeds {', '.join(seeds)}: "
            f"{sum(seeds.values()) / len(seeds):.3%}"
        )


@cli.command("try")
def try_recipe(
    name: Annotated[str, typer.Argument(help="A recipe.")],
    data: DataFolder = None,
    runs: Runs = Path("runs"),
    holdout: Annotated[int, typer.Option(min=0, help="Training images to judge by.")] = 10_000,
    epochs: Annotated[int | None, typer.Option(min=1, help="Other than the recipe's.")] = None,
    seed: Annotated[int, typer.Option(help="Another than those of `build`.")] = 0,
) -> None:
    """Judge a recipe by training images that it does not train on; no test image is used."""
    (recipe,) = _recipes([name])
    choose_backend()
    from training.train import train

    recipe, loaded = replace(recipe, epochs=epochs or recipe.epochs), _data(recipe.data, data)
    if holdout >= len(loaded.x_train):
        fail(
            f"--holdout {holdout} leaves none of {len(loaded.x_train)} training images to train on."
        )
    folder = runs / f"try-{name}-{recipe.epochs}epochs-seed{seed}"
    try:
        train(recipe, loaded, seed, folder, holdout, Progress(name, recipe.epochs))
    except FileExistsError as exc:
        fail(str(exc))


@cli.command()
def recipes() -> None:
    """List the recipes."""
    for recipe in RECIPES.values():
        print(f"{recipe.name:16} {recipe.description}")


@cli.command()
def facts(
    names: Names,
    data: DataFolder = None,
    runs: Runs = Path("runs"),
    models: Annotated[Path, typer.Option(help="Folder of model files.")] = Path("models"),
) -> None:
    """Tell finished model files what they lack: confusion, and history where its run is kept."""
    chosen = _recipes(names)
    choose_backend()
    from training.export.file import write
    from training.facts import NotTheSame, add_confusion, add_history
    from training.train import run_folder

    for recipe in chosen:
        path = models / f"{recipe.name}.onnx"
        try:
            write(path, add_confusion(path.read_bytes(), _data(recipe.data, data)))
        except (FileNotFoundError, NotTheSame) as exc:
            fail(str(exc))
        try:
            run = run_folder(runs, recipe.name, recipe.seeds[0])
            write(path, add_history(path.read_bytes(), run))
            print(f"{path}: has confusion and history")
        except NotTheSame as exc:
            print(f"{path}: has confusion, but no history: {exc}")


@cli.command()
def readme(
    models: Annotated[Path, typer.Option(help="Folder of model files.")] = Path("models"),
) -> None:
    """Write the table of models/README.md again, from the cards in the files."""
    from training.models_readme import write_readme

    write_readme(models)


BAR = 12  # characters


class Progress:
    """A bar on a terminal, one plain line per epoch elsewhere."""

    def __init__(self, title: str, epochs: int) -> None:
        self._title, self._epochs, self._started = title, epochs, time.monotonic()

    def __call__(self, epoch: int, row: dict[str, float]) -> None:
        left = (time.monotonic() - self._started) / epoch * (self._epochs - epoch)
        measured = "  ".join(
            f"{name.removesuffix('_accuracy')} {value:.4f}"
            for name, value in row.items()
            if name not in ("epoch", "seconds")
        )
        line = f"{self._title}  {epoch}/{self._epochs}  {measured}  {_duration(left)} left"
        if not sys.stdout.isatty():
            print(line, flush=True)
            return
        done = BAR * epoch // self._epochs
        bar = "█" * done + "·" * (BAR - done)
        # A line that wraps could not be drawn over again.
        line = f"{bar} {line}"[: shutil.get_terminal_size().columns - 1]
        print(f"\r{line}\033[K", end="\n" if epoch == self._epochs else "", flush=True)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"


def _recipes(names: list[str]) -> list[Recipe]:
    for name in names:
        if name not in RECIPES:
            fail(f"There is no recipe {name!r}. The recipes are: {', '.join(RECIPES)}.")
    return [RECIPES[name] for name in names]


def _data(name: str, folder: Path | None) -> Data:
    try:
        return load(name, folder)
    except DataError as exc:
        fail(str(exc))


def fail(message: str) -> NoReturn:
    """End with exit code 1 and one line on stderr."""
    print(message, file=sys.stderr)
    raise typer.Exit(1)


if __name__ == "__main__":
    cli(prog_name="convolu-train")
