"""`convolu-train export`: the model file of a run, put where it is served."""

from __future__ import annotations

import shlex
from pathlib import Path

from training.commands.evaluate import RunFolder, card_in, measured, run_in, said
from training.commands.options import DataOption, Models, fail


def export(run: RunFolder, data: DataOption = None, models: Models = Path("models")) -> None:
    """Write the model file of a run into a folder of models; it is measured first, if it is not."""
    from training.export.file import write
    from training.model_card import made_by_build

    found = run_in(run)
    path = models / f"{found.recipe.name}.onnx"
    if (beside := path.with_suffix(".json")).exists():
        fail(
            f"{beside} is the card of a model from elsewhere, and would be taken for this one's. "
            "Export to other --models."
        )
    there = card_in(path) if path.exists() else None
    if there is not None and there.recipe is not None and made_by_build(there.recipe):
        fail(
            f"{path} is there already, as `build` made it. Export to other --models, or train "
            "with a --name."
        )
    file = measured(found, data)
    card, content = card_in(file), file.read_bytes()
    if there and there.author != card.author:
        by = there.author or "somebody else"
        fail(f"{path} is there already, by {by}. Export to other --models.")
    try:
        write(path, content)
    except OSError as exc:
        fail(f"{models} cannot be written to: {exc}")
    print(said(file))
    print(f"{path}: {len(content) / 1e6:.1f} MB, proven. Serve it:")
    chosen = [f"--default-model={found.recipe.name}", f"--models={models}"]
    print(f"  convolu serve {shlex.join(chosen)}")
