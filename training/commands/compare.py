"""`convolu-train compare`: networks side by side, trained or not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from app.errors import ModelRefused
from training.backend import choose_backend
from training.candidate import Candidate, of_file, of_recipe, of_run
from training.commands.options import fail, recipe_named
from training.compare import FORMATS, Format, Order
from training.compare import compare as compared
from training.pretrained.lite0_weights import WeightsError
from training.run import NoRun, read


def compare(
    what: Annotated[
        list[str], typer.Argument(help="Run folders, model files (NAME.onnx) and recipes.")
    ],
    sort: Annotated[Order | None, typer.Option(help="Else as given. The best first.")] = None,
    form: Annotated[Format, typer.Option("--format", help="How to print it.")] = "table",
) -> None:
    """Print parameters, multiply-adds, accuracy, seconds per epoch, file size and latency of each.

    `validation` is of images left out of the training, after its last epoch; `test` of the test
    images, where it was measured. Latency is of one image on one thread: the median, and between
    what half of the runs lay.
    """
    choose_backend()
    found = [candidate for one in what if (candidate := _candidate(one)) is not None]
    if not found:
        fail("There is nothing to compare.")
    print(FORMATS[form](compared(found, sort)))


def _candidate(what: str) -> Candidate | None:
    """None, and a line on stderr, for a folder that cannot be compared: of runs/* not all can."""
    from training.export import ExportError
    from training.networks import DamagedFile, EmptyFeatureMap

    path = Path(what)
    try:
        if what.endswith(".onnx"):
            return of_file(path)
        if not path.is_dir():
            return of_recipe(recipe_named(what))
        run = read(path)
        if run.last.exists():
            return of_run(run)
        print(f"left out: {path} has no weights yet, its training has not ended", file=sys.stderr)
    except (DamagedFile, NoRun) as exc:
        print(f"left out: {exc}", file=sys.stderr)
    except (EmptyFeatureMap, ExportError, WeightsError) as exc:
        fail(str(exc))
    except (OSError, ModelRefused) as exc:
        fail(f"{path}: {exc}")
    return None
