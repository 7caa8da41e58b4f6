"""`convolu-train readme`: the table of models/README.md, and a NAME.md for each model."""

from __future__ import annotations

from pathlib import Path

from training.commands.options import Models, fail


def readme(models: Models = Path("models")) -> None:
    """Write models/README.md's table and a NAME.md beside each file, from the cards in them."""
    from training.model_card import EmptyField, write_model_cards
    from training.models_readme import write_readme

    try:
        write_model_cards(models)
    except EmptyField as exc:
        fail(str(exc))
    write_readme(models)
