"""`convolu-train doctor`: what is in an ONNX file, and whether it would be served."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def doctor(
    files: Annotated[list[Path], typer.Argument(help="ONNX files, each with or without a card.")],
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say what is in an ONNX file, whether it would be served, and what to do if not."""
    from training.doctor import as_text, examine, to_json

    reports = [examine(file) for file in files]
    print(to_json(reports) if as_json else "\n\n".join(map(as_text, reports)))
    raise typer.Exit(0 if all(report.sound for report in reports) else 1)
