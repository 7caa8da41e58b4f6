"""`convolu-train recipes`: what there is to train."""

from __future__ import annotations

from training.recipes import RECIPES


def recipes() -> None:
    """List the recipes: name, epochs, what for."""
    for recipe in RECIPES.values():
        print(f"{recipe.name:16} {recipe.epochs:4} epochs  {recipe.description}")
