"""Variants of the lecture's networks: what may be changed in each, and the recipe that results.

Knows recipes, and nothing of Keras.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal, TypedDict, get_args

from training.recipes import RECIPES, Recipe

Strides = Literal[1, 2]
Padding = Literal["valid", "same"]
Pooling = Literal["max", "average"]
Head = Literal["flatten", "global-average", "global-max"]


class Changes(TypedDict, total=False):
    """A variant as the keyword arguments that a network takes."""

    strides: Strides | None
    padding: Padding | None
    pooling: Pooling | None
    head: Head | None


CHOICES: dict[str, tuple[Any, ...]] = {
    "strides": get_args(Strides),
    "padding": get_args(Padding),
    "pooling": get_args(Pooling),
    "head": get_args(Head),
}


@dataclass(frozen=True)
class Variant:
    """What differs from the lecture's network; None leaves a thing as the lecture has it."""

    strides: Strides | None = None  # of every convolution
    padding: Padding | None = None  # of every convolution
    pooling: Pooling | None = None  # every pooling layer
    head: Head | None = None  # how the last feature map becomes a vector

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if value is not None and value not in choices:
                expected = ", ".join(map(str, choices))
                raise ValueError(f"{name} is one of {expected}; received {value!r}")

    @property
    def changes(self) -> dict[str, str | int]:
        """What is not None, by name."""
        return {name: value for name in CHOICES if (value := getattr(self, name)) is not None}

    @property
    def suffix(self) -> str:
        """What is behind the network's name: `-strides2-same-average-globalmax`."""
        return "".join(
            f"-strides{value}" if name == "strides" else f"-{str(value).replace('-', '')}"
            for name, value in self.changes.items()
        )


LECTURE = {
    "mnist_1conv": Variant(1, "valid", "max", "flatten"),
    "mnist_2conv": Variant(1, "valid", None, "flatten"),  # max first, then average
    "cifar10_simple": Variant(1, "valid", "max", "flatten"),
    "cats_dogs": Variant(1, "valid", "max", "flatten"),
}
_IN_WORDS = {
    "strides": "every convolution with stride {}",
    "padding": "every convolution with padding {}",
    "pooling": "every pooling {}",
    "head": "{} pooling instead of flatten",
}


def vary(recipe: Recipe, variant: Variant) -> Recipe:
    """The same recipe for a changed network: a recipe of its own, with a name of its own.

    What the lecture has already is no change. Raises ValueError if the network has no variants.
    """
    changes = variant.changes
    if not changes:
        return recipe
    if recipe.network not in LECTURE:
        varied = [one.name for one in RECIPES.values() if one.network in LECTURE]
        raise ValueError(f"{recipe.name} has no variants. These have: {', '.join(varied)}.")
    if recipe.variant:
        raise ValueError(f"{recipe.name} is a variant already. Vary the recipe it came from.")
    lecture = LECTURE[recipe.network].changes
    unchanged = {name: None for name, value in changes.items() if lecture.get(name) == value}
    variant = replace(variant, **unchanged)
    changes = variant.changes
    if not changes:
        return recipe
    words = [_IN_WORDS[name].format(value) for name, value in changes.items()]
    return replace(
        recipe,
        name=recipe.name + variant.suffix,
        description=f"{recipe.description.removesuffix('.')}; {', '.join(words)}.",
        variant=changes,
    )


def variants(recipe: Recipe) -> list[Recipe]:
    """The recipe itself and every variant of it, each once."""
    if recipe.network not in LECTURE:
        return [recipe]
    every = product(*((None, *choices) for choices in CHOICES.values()))
    varied = [vary(recipe, Variant(*values)) for values in every]
    return list({one.name: one for one in varied}.values())


def named(name: str) -> Recipe:
    """The recipe of a name, which may be a variant's: `mnist-2conv-strides2`. Raises KeyError."""
    if name in RECIPES:
        return RECIPES[name]
    bases = [recipe for recipe in RECIPES.values() if name.startswith(f"{recipe.name}-")]
    return {varied.name: varied for base in bases for varied in variants(base)}[name]
