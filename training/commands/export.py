"""`convolu-train export`: the model file of a run, put where it is served."""

from __future__ import annotations

import shlex
from pathlib import Path

from training.commands.evaluate import RunFolder, card_in, measured, run_in, said
from training.commands.options import DataOption, Models, fail


def export(run: RunFolder, data: DataOption = None, models: Models = Path("models")) -> None:
    """Write the model file of a run into a folder of models; it is measured first, if it is not."""
    from training.export.file import write

    found = run_in(run)
    file = measured(found, data)
    card, content = card_in(file), file.read_bytes()
    path = models / f"{found.recipe.name}.onnx"
    if path.exists() and (author := card_in(path).author) != card.author:
        fail(f"{path} is there already, by {author or 'somebody else'}. Export to other --models.")
    try:
        write(path, content)
    except OSError as exc:
        fail(f"{models} cannot be written to: {exc}")
    print(said(file))
    print(f"{path}: {len(content) / 1e6:.1f} MB, proven. Serve it:")
    chosen = [f"--default-model={found.recipe.name}", f"--models={models}"]
    print(f"  convolu serve {shlex.join(chosen)}")
