"""What several commands share: their options, and how a wrong one ends them."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from training.data import FOLDER, Data, DataError, load
from training.progress import Mode
from training.recipes import RECIPES, Recipe
from training.variants import Head, Padding, Pooling, Strides, Variant, named, vary

Names = Annotated[list[str], typer.Argument(help="Recipes; `recipes` lists them.")]
DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        envvar="CONVOLU_DATA",
        help="folder:PATH, pictures in a folder for each class; or the folder that data sets lie "
        "in, as NAME.npz. Without it they are downloaded, but for cats-dogs.",
    ),
]
Runs = Annotated[Path, typer.Option(help="Where runs are kept, a folder each.")]
ProgressOption = Annotated[
    Mode, typer.Option("--progress", help="auto: a bar on a terminal, lines elsewhere.")
]
StridesOption = Annotated[Strides | None, typer.Option(help="Of every convolution.")]
PaddingOption = Annotated[Padding | None, typer.Option(help="Of every convolution.")]
PoolingOption = Annotated[Pooling | None, typer.Option(help="Every pooling layer.")]
HeadOption = Annotated[Head | None, typer.Option(help="How the last feature map ends.")]
Models = Annotated[Path, typer.Option(help="Folder of model files.")]


def recipe_named(name: str) -> Recipe:
    """The recipe of that name, which may be a variant's; ends the command if there is none."""
    try:
        return named(name)
    except KeyError:
        fail(f"There is no recipe {name!r}. The recipes are: {', '.join(RECIPES)}.")


def varied(name: str, variant: Variant) -> Recipe:
    """The recipe of that name, changed; ends the command if that cannot be."""
    try:
        return vary(recipe_named(name), variant)
    except ValueError as exc:
        fail(str(exc))


def data_of(recipe: Recipe, source: str | None, runs: Path) -> Data:
    """The data of a recipe, which lie in `source`; ends the command if they cannot be had."""
    spec, folder = recipe.data, None if source is None else Path(source)
    if source is not None and source.startswith(FOLDER):
        if not spec.startswith(FOLDER):
            fail(
                f"{recipe.name} is trained on {spec}. On pictures of your own it is trained by "
                f"convolu-train fit {recipe.name} --data {source} --name NAME"
            )
        spec, folder = source, None  # they may have been moved
    try:
        return load(spec, folder, recipe.preprocess, runs / "cache")
    except DataError as exc:
        fail(str(exc))


def talk(mode: Mode) -> AbstractContextManager[object]:
    """Where lines for people go: to stderr, if stdout is for programs."""
    return redirect_stdout(sys.stderr) if mode == "json" else nullcontext()


def fail(message: str) -> NoReturn:
    """End with exit code 1 and one line on stderr."""
    print(message, file=sys.stderr)
    raise typer.Exit(1)
