"""`convolu-train fit --data folder:PATH`: from a folder of pictures to a measured model file."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.classifier import Classifier
from app.preprocess import Preprocess
from training.backend import choose_backend
from training.commands.evaluate import measured, said
from training.commands.one_run import changed, one_run
from training.commands.options import fail
from training.data import FOLDER, Data, DataError, findings, load, write_split
from training.data.tree import read_tree
from training.progress import Progress

if TYPE_CHECKING:
    from training.pretrained.backbone import Backbone

PRETRAINED, SCRATCH = "lite0", "scratch"


def fit_own(
    source: str,
    start: str | None,
    weights: Path | None,
    name: str | None,
    options: Mapping[str, Any],
    seed: int,
    runs: Path,
    resume: bool,
    progress: Progress,
) -> None:
    """Train on `source`, folder:PATH, and measure the result on the pictures of its test part."""
    path = Path(source.removeprefix(FOLDER)).expanduser().resolve()
    spec, name = f"{FOLDER}{path}", name or path.name
    choose_backend()
    from training.own import AS_SEEN, from_pretrained, from_scratch
    from training.train import train
    from training.transfer.start import tuning_paid

    start = start or _start(path)
    if start == SCRATCH:
        data = _read(spec, AS_SEEN, runs, progress)
        recipe = from_scratch(name, spec, len(data.x_train))
    else:
        backbone = _backbone(start, weights)
        data = _read(spec, backbone.preprocess, runs, progress)
        recipe = from_pretrained(name, spec, len(data.x_train), backbone, weights)
    recipe, folder = changed(recipe, options), runs / name
    run = one_run(train, recipe, data, seed, folder, resume, progress)
    if recipe.head_first and recipe.epochs and not tuning_paid(run):
        print("The new head alone judges held-out pictures better: it is taken.", file=sys.stderr)
        recipe, folder = replace(recipe, epochs=0), runs / f"{name}-head"
        run = one_run(train, recipe, data, seed, folder, resume, progress)
    if data.split is not None:
        write_split(data.split, folder)
    file = measured(run, None, data, progress)
    print(said(Classifier(file.read_bytes()).card))
    print(f"  convolu-train report {folder}     # draws it: curves, confusion, mistakes")
    print(f"  convolu-train export {folder}     # puts it into models/")


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
    counts = f"{len(data.x_train):,} pictures to train on, {len(data.x_test):,} to test"
    print(f"{len(data.labels)} classes: {counts}", file=sys.stderr)
    return data
