"""`convolu-train evaluate`: a run, measured once on the test images."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from app.card import Card
from app.classifier import Classifier
from app.errors import ConvoluError, ModelRefused
from training.backend import choose_backend
from training.commands.options import DataOption, data_of, fail
from training.data import FOLDER, Data
from training.progress import Progress
from training.progress import progress as progress_of
from training.run import NoRun, Run, read

RunFolder = Annotated[Path, typer.Argument(help="A run folder, as `fit` leaves it.")]


def evaluate(run: RunFolder, data: DataOption = None) -> None:
    """Measure a run on the test images, through the service's own path; writes RUN/NAME.onnx.

    Do it once, when all choices are made: who chooses by the test images measures nothing.
    """
    found = run_in(run)
    print(said(measured(found, data)))


def run_in(folder: Path) -> Run:
    """The run of a folder; ends the command if there is none to be measured."""
    if folder.name in ("", ".."):
        folder = folder.resolve()  # what lies beside it is looked for
    try:
        run = read(folder)
    except NoRun as exc:
        fail(str(exc))
    if not run.last.exists():
        fail(f"{folder} has no weights yet: let its training end, or go on with it by --resume.")
    if not run.finished:
        done = f"{len(run.history)} of {run.recipe.epochs} epochs"
        print(f"{folder} was stopped after {done}: --resume would go on with it.", file=sys.stderr)
    return run


def measured(
    run: Run,
    data_folder: str | None,
    data: Data | None = None,
    progress: Progress | None = None,
) -> Path:
    """The model file of a run, made and measured unless it is there."""
    path = run.folder / f"{run.recipe.name}.onnx"
    is_fresh = path.exists() and path.stat().st_mtime >= run.last.stat().st_mtime
    names_pictures = data_folder is not None and data_folder.startswith(FOLDER)
    if data is None and (names_pictures or not is_fresh):
        data = data_of(run.recipe, data_folder, run.folder.parent)
    if data is not None:
        check_same(run, data, data_folder)
    if is_fresh and data is not None and list(data.labels) != card_in(path).labels:
        is_fresh = False  # a class was renamed
    if data is None or is_fresh:
        return path
    choose_backend()
    from training.export import ExportError
    from training.export.file import write
    from training.finish import finish, temperature_of

    try:
        progress = progress or progress_of()
        write(path, finish(run, data, temperature_of(run, data), progress))
        progress.end()
    except (ConvoluError, ExportError, OSError) as exc:
        fail(str(exc))
    return path


def check_same(run: Run, data: Data, data_folder: str | None) -> None:
    """End the command if these are not the data of the run."""
    if data.sha256 != run.data_sha256:
        fail(
            f"{run.folder} was trained on other data than {data_folder or run.recipe.data} holds. "
            "Train again, or name where its own lie with --data."
        )


def card_in(path: Path) -> Card:
    """The card of a run's model file; ends the command if somebody has damaged it."""
    return _classifier(path).card


def _classifier(path: Path) -> Classifier:
    try:
        return Classifier(path.read_bytes())
    except (ModelRefused, OSError) as exc:
        fail(f"{path}: {exc} Remove it: it is made again.")


def said(path: Path) -> str:
    """How good the model in a run's file is, in lines for people."""
    from training.doctor.examine import differences

    classifier = _classifier(path)
    card, metrics = classifier.card, classifier.card.metrics
    assert metrics is not None
    assert card.confusion is not None
    low, high = metrics.accuracy_interval
    lines = [
        f"{card.name}: {metrics.accuracy:.2%} right of {metrics.images:,} test images "
        f"(95 %: {low:.2%} to {high:.2%})",
        f"calibration error {metrics.calibration_error:.3f}",
    ]
    wrong, true, answer = max(
        (count, true, answer)
        for true, row in enumerate(card.confusion)
        for answer, count in enumerate(row)
        if true != answer
    )
    if wrong:
        lines.append(
            f"most often confused: {wrong} × {card.labels[true]} taken for {card.labels[answer]}"
        )
    found = differences(classifier, card.proof)
    lines.append(f"{len(found)} pictures of its proof answered as in Keras, to {max(found):.0e}")
    return "\n".join(lines)
