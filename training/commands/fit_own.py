"""`convolu-train fit --data folder:PATH`: from a folder of pictures to a measured model file."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.preprocess import Preprocess
from training.backend import choose_backend
from training.commands.evaluate import measured, said
from training.commands.one_run import check_free, one_run, with_options
from training.commands.options import fail
from training.data import FOLDER, Data, DataError, findings, load, read_as
from training.data.tree import read_tree
from training.progress import Progress
from training.recipes import Recipe
from training.run import NoRun, Run, read

if TYPE_CHECKING:
    from training.pretrained.backbone import Backbone

PRETRAINED, SCRATCH = "lite0", "scratch"
_TAKEN = ("cache", "features")  # folders beside the runs


def fit_own(
    source: str,
    base: Recipe | None,
    start: str | None,
    weights: Path | None,
    name: str | None,
    options: Mapping[str, Any],
    seed: int,
    runs: Path,
    resume: bool,
    progress: Progress,
) -> None:
    """Train on `source`, folder:PATH, and measure the result on the pictures of its test part.

    As the recipe `base` says or, without one, from what `start` names.
    """
    path = _folder(source)
    name = model_name(path.name if name is None else name)
    if str(path).encode(errors="replace").decode() != str(path):  # its name stands in the file
        fail(f"The path {str(path)!r} is no text in UTF-8. Rename the folder.")
    spec = f"{FOLDER}{path}"
    for folder in (runs / name, runs / f"{name}-tuned"):
        check_free(folder, resume)  # before pictures are read
    choose_backend()
    from training.own import AS_SEEN, from_pretrained, from_recipe, from_scratch

    if base is None:
        start = start or _start(path)
    if weights is not None and start in (PRETRAINED, SCRATCH):
        fail(f"--from {start} has no use for --weights: name what they are of, with --from.")
    if base is not None:
        preprocess = base.preprocess or read_as(base.data)
        data = _read(spec, preprocess, runs, progress)
        recipe = from_recipe(base, name, spec, len(data.x_train), preprocess)
    elif start == SCRATCH:
        data = _read(spec, AS_SEEN, runs, progress)
        recipe = from_scratch(name, spec, len(data.x_train))
    else:
        assert start is not None
        backbone = _backbone(start, weights)
        data = _read(spec, backbone.preprocess, runs, progress)
        recipe = from_pretrained(name, spec, len(data.x_train), backbone, weights)
    recipe = with_options(recipe, options)
    if data.validation_images and recipe.validation:
        if options.get("validation", data.validation_images) != data.validation_images:
            fail(f"{path} says itself which pictures judge: leave --validation out, or give 0.")
        recipe = replace(recipe, validation=data.validation_images)
    run = _trained(recipe, data, seed, runs / name, resume, progress)
    print(said(measured(run, None, data, progress)))
    where = shlex.quote(str(run.folder))
    print(f"  convolu-train report {where}     # draws it: curves, confusion, mistakes")
    print(f"  convolu-train export {where}     # puts it into models/")


def _folder(source: str) -> Path:
    try:
        path = Path(source.removeprefix(FOLDER)).expanduser().resolve()
    except RuntimeError as exc:
        fail(f"{source}: {exc}")  # ~NAME of nobody here
    if source == FOLDER:
        fail(f"{FOLDER}PATH needs a path.")
    return path


def model_name(name: str) -> str:
    """That name, if it can be one; else it ends the command."""
    if name in ("", ".", "..", *_TAKEN) or Path(name).name != name:
        fail(f"{name!r} cannot be the name of a model, a folder and a file. Give another --name.")
    return name


def _trained(
    recipe: Recipe, data: Data, seed: int, folder: Path, resume: bool, progress: Progress
) -> Run:
    """The run in `folder`: of a pretrained network the one that held-out pictures are for.

    Its last layers are tuned in `folder`-tuned. That becomes `folder` if it judges them better than
    the head alone does; else the head alone is trained there.
    """
    from training.train import train
    from training.transfer.start import tuning_paid
    from training.validation import split

    def run(recipe: Recipe, folder: Path) -> Run:
        return one_run(train, recipe, data, seed, folder, resume, progress)

    if not recipe.head_first or recipe.epochs == 0:
        return run(recipe, folder)
    head_alone, tuning = replace(recipe, epochs=0), folder.with_name(f"{folder.name}-tuned")
    if not len(split(data, recipe.validation)[1]):
        print(
            "No picture is left out to judge tuning by: the head alone is taken.", file=sys.stderr
        )
        return run(head_alone, folder)
    if folder.exists() and tuning.exists() and _begun(folder).recipe.epochs == 0:
        run(recipe, tuning)  # which was rejected, unless now another one is asked for
        return run(head_alone, folder)
    if folder.exists():
        return run(recipe, folder)
    tuned = run(recipe, tuning)
    if tuning_paid(tuned):
        return read(tuned.folder.rename(folder))
    print("The new head alone judges held-out pictures better: it is taken.", file=sys.stderr)
    return run(head_alone, folder)


def _begun(folder: Path) -> Run:
    try:
        return read(folder)
    except NoRun as exc:
        fail(str(exc))


def _start(path: Path) -> str:
    from training.own import FEW_IMAGES

    try:
        return PRETRAINED if len(read_tree(path).pictures) < FEW_IMAGES else SCRATCH
    except DataError as exc:
        fail(str(exc))


def _backbone(start: str, weights: Path | None) -> Backbone:
    from training.pretrained.backbone import load_backbone
    from training.pretrained.lite0_weights import WeightsError

    try:
        return load_backbone(start, weights)
    except WeightsError as exc:
        fail(f"{start}: {exc}")


def _read(spec: str, preprocess: Preprocess, runs: Path, progress: Progress) -> Data:
    """The pictures; what a person should know of them is said before anything else is done."""

    def count(done: int, total: int) -> None:
        if done == 0:
            progress.stage("reading pictures", total)
        progress.step(done)

    try:
        data = load(spec, None, preprocess, runs / "cache", count)
    except DataError as exc:
        fail(str(exc))
    for finding in findings(data.split) if data.split else []:
        print(finding, file=sys.stderr)
    counts = f"{len(data.x_train):,} pictures to train and choose by, {len(data.x_test):,} to test"
    print(f"{len(data.labels)} classes: {counts}", file=sys.stderr)
    return data
