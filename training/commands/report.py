"""`convolu-train report`: what a run came to, as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.backend import choose_backend
from training.commands.evaluate import RunFolder, card_in, check_same, measured, run_in
from training.commands.options import DataOption, data_of, fail
from training.data import Data
from training.run import Run

Validation = Annotated[
    bool,
    typer.Option("--validation", help="Of the training images left out, while you choose."),
]


def report(run: RunFolder, data: DataOption = None, validation: Validation = False) -> None:
    """Write RUN/report.html: curves, confusion, mistakes, calibration.

    It is of the test images, measured first if they are not yet. With --validation it is of the
    images that the training left out, and the test images are not looked at.
    """
    found = run_in(run)
    choose_backend()
    from training.export import ExportError

    pictures = data_of(found.recipe, data, found.folder.parent)
    drawn = _of_images_left_out if validation else _of_test
    try:
        print(drawn(found, pictures, data))
    except (ExportError, OSError, ValueError) as exc:
        fail(str(exc))


def _of_test(run: Run, pictures: Data, data: str | None) -> Path:
    from training.report.run import write_report

    file = measured(run, data, pictures)
    card_in(file)
    files = pictures.test_files
    return write_report(
        run.folder,
        file.read_bytes(),
        pictures.test_images,
        pictures.y_test,
        "the test images",  # the card says it better
        [f"{path.parent.name}/{path.name}" for path in files] if files else None,
    )


def _of_images_left_out(run: Run, pictures: Data, data: str | None) -> Path:
    from training.finish import exported, temperature_of
    from training.report.run import write_report
    from training.validation import split

    check_same(run, pictures, data)
    _, left_out = split(pictures, run.validation)
    if not (run.validation and len(left_out)):
        fail(f"{run.folder} left no images out of its training.")
    files = pictures.split.files if pictures.split else None
    temperature = temperature_of(run, pictures)
    fitted = "" if temperature == 1 else ", by which its temperature was fitted too"
    return write_report(
        run.folder,
        exported(run, pictures, temperature, {}),
        pictures.training_images(left_out),
        pictures.y_train[left_out],
        f"{len(left_out):,} training images that were left out of the training{fitted}",
        [files[number].path for number in left_out] if files else None,
        temperature,
    )
