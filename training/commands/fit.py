"""`convolu-train fit`: one training, judged by images that it does not train on."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from training.backend import choose_backend
from training.commands.fit_own import fit_own, model_name
from training.commands.one_run import check_free, judgement, one_run, with_options
from training.commands.options import (
    DataOption,
    HeadOption,
    PaddingOption,
    PoolingOption,
    ProgressOption,
    Runs,
    StridesOption,
    data_of,
    fail,
    talk,
    varied,
)
from training.data import FOLDER
from training.progress import progress as progress_of
from training.recipes import RECIPES
from training.variants import Variant, named


def fit(
    recipe: Annotated[str | None, typer.Argument(help="A recipe; `recipes` lists them.")] = None,
    data: DataOption = None,
    start: Annotated[
        str | None,
        typer.Option("--from", help="Own pictures: scratch, lite0, or one of keras.applications."),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="With --from: its weights without the top, if not online.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Of the model and its run; else the recipe's or the folder's."),
    ] = None,
    strides: StridesOption = None,
    padding: PaddingOption = None,
    pooling: PoolingOption = None,
    head: HeadOption = None,
    epochs: Annotated[int | None, typer.Option(min=0, help="Other than the recipe's.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1)] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0)] = None,
    flip: Annotated[bool | None, typer.Option(help="Does its mirror image show the same?")] = None,
    validation: Annotated[int | None, typer.Option(min=0, help="Images to judge by.")] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Another than those of `build`.")
    ] = 0,
    runs: Runs = Path("runs"),
    resume: Annotated[bool, typer.Option(help="Go on with a run that was stopped.")] = False,
    progress: ProgressOption = "auto",
) -> None:
    """Train a recipe or a variant of it; on its data, or on your own pictures: --data folder:PATH.

    Images are left out and judged after each epoch: choose by these. A recipe's test images are not
    looked at; pictures of your own have a test part, which is measured at the end.
    Ctrl+C finishes the epoch and saves; --resume goes on.
    """
    options: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "flip": flip,
        "validation": validation,
    }
    options = {option: value for option, value in options.items() if value is not None}
    variant, shown = Variant(strides, padding, pooling, head), progress_of(progress)
    if learning_rate == 0:
        fail("--learning-rate 0 leaves nothing to learn by.")
    if recipe is None and variant.changes:
        fail("Only the lecture's networks have variants: name a recipe.")
    if recipe is not None and (start, weights) != (None, None):
        fail("--from and --weights say what to start from, and so does a recipe: leave it out.")
    base = None if recipe is None else varied(recipe, variant)
    if data is not None and data.startswith(FOLDER):
        with talk(progress):
            fit_own(data, base, start, weights, name, options, seed, runs, resume, shown)
        return
    if base is None:
        fail("Name a recipe, or pictures of your own: --data folder:PATH")
    chosen = with_options(base, options)
    if name is not None:
        chosen = replace(chosen, name=model_name(name), seeds=())
    if seed in _seeds(chosen.name):
        fail(f"--seed {seed} is one of those that `build {chosen.name}` trains. Take another.")
    choose_backend()
    from training.run import run_folder
    from training.train import train

    folder = run_folder(runs, chosen.name, seed)
    check_free(folder, resume)  # before the data are read
    loaded = data_of(chosen, data, runs)
    run = one_run(train, chosen, loaded, seed, folder, resume, shown)
    with talk(progress):
        print(f"{folder}: {judgement(run.measured)}")
        where = shlex.quote(str(folder))
        by = " --validation" if run.validation else ""
        print(f"  convolu-train report {where}{by}     # draws it: curves, confusion, mistakes")
        if chosen.name in RECIPES:  # its file is what `build` makes
            print(f"  convolu-train evaluate {where}     # measures it on the test images")
        else:
            print(f"  convolu-train export {where}     # measures it and puts it into models/")


def _seeds(name: str) -> tuple[int, ...]:
    """Those of the recipe of that name, whose folders `build` takes."""
    try:
        return named(name).seeds
    except KeyError:
        return ()
