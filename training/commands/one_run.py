"""A run from the command line: whether it may begin, what is asked other than its recipe says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from training.commands.options import fail
from training.data import Data
from training.interrupt import Interrupted
from training.pretrained.lite0_weights import WeightsError
from training.progress import Progress
from training.recipes import Recipe
from training.run import Diverged, NoRun, Run, read


def with_options(recipe: Recipe, options: Mapping[str, Any]) -> Recipe:
    """The recipe with `options` in place of its own values, wherever in it they lie.

    Where a mirror image shows something else, the network is not to answer by it either.
    """
    if options.get("flip") is False and "mirrored" in recipe.network_options:
        one_view = {**recipe.network_options, "mirrored": False}
        recipe = replace(recipe, network_options=one_view)
    own = {name: value for name, value in options.items() if name in _names(recipe)}
    of_optimizer = {name: value for name, value in options.items() if name not in own}
    return replace(recipe, **own, optimizer=replace(recipe.optimizer, **of_optimizer))


def check_free(folder: Path, resume: bool) -> None:
    """End the command if a folder is there that is not to be gone on with."""
    if folder.exists() and not resume:
        fail(f"{folder} is there already. Go on with it by --resume, or give another --name.")


def one_run(
    train: Callable[..., object],
    recipe: Recipe,
    data: Data,
    seed: int,
    folder: Path,
    resume: bool,
    progress: Progress,
) -> Run:
    """Train and return the finished run; ends the command where there is none."""
    if recipe.epochs == 0 and not recipe.head_first:
        fail("--epochs 0 leaves nothing to train.")
    if recipe.validation >= len(data.x_train):
        fail(
            f"--validation {recipe.validation} leaves none of {len(data.x_train)} training images "
            "to train on."
        )
    check_free(folder, resume)
    try:
        train(recipe, data, seed, folder, recipe.validation, progress)
    except (Diverged, NoRun, OSError, WeightsError) as exc:
        fail(str(exc))
    except Interrupted:
        pass  # the run is finished and saved like any other
    run = read(folder)
    if not run.finished:
        fail(
            f"{folder} was stopped after epoch {len(run.history)} of {recipe.epochs}; "
            "--resume goes on with it."
        )
    return run


def judgement(row: Mapping[str, float]) -> str:
    """How good the last epoch was, in words."""
    images = round(row.get("validation_images", 0))
    if not images:
        return f"{row['accuracy']:.2%} right while training; no image was left out to judge by"
    from training.evaluate import wilson

    right = round(row["validation_accuracy"] * images)
    low, high = wilson(right, images)
    return (
        f"{right:,} of {images:,} images right that it did not train on: "
        f"{right / images:.2%} (95 %: {low:.2%} to {high:.2%})"
    )


def _names(recipe: Recipe) -> set[str]:
    return {field.name for field in fields(recipe)}
