"""`convolu-train readme`: the table of models/README.md, and a NAME.md for each model."""

from __future__ import annotations

import sys
from pathlib import Path

from app.errors import ModelRefused
from training.commands.options import Models, fail

_UNKNOWN = "it is of your own pictures or from elsewhere, and nobody has described it."


def readme(models: Models = Path("models")) -> None:
    """Write models/README.md's table and a NAME.md beside each file, from the cards in them."""
    from training.model_card import EmptyField, write_model_cards
    from training.models_readme import write_readme

    try:
        for path in write_model_cards(models):
            print(f"{path.name} has no page: {_UNKNOWN}", file=sys.stderr)
        write_readme(models)
    except (EmptyField, ModelRefused, OSError, ValueError) as exc:
        fail(str(exc))
