"""`convolu-train report`: what a run came to, as one HTML file."""

from __future__ import annotations

from training.backend import choose_backend
from training.commands.evaluate import RunFolder, card_in, measured, run_in
from training.commands.options import DataOption, data_of, fail


def report(run: RunFolder, data: DataOption = None) -> None:
    """Write RUN/report.html: curves, confusion, mistakes, calibration; it is measured first."""
    found = run_in(run)
    choose_backend()
    from training.report.run import write_report

    pictures = data_of(found.recipe, data, found.folder.parent)
    file = measured(found, data, pictures)
    card_in(file)
    content = file.read_bytes()
    files = pictures.test_files
    names = [f"{path.parent.name}/{path.name}" for path in files] if files else None
    measured_on = "the test images"  # the card says it better
    try:
        path = write_report(
            found.folder, content, pictures.test_images, pictures.y_test, measured_on, names
        )
    except (OSError, ValueError) as exc:
        fail(str(exc))
    print(path)
