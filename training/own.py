"""Recipes for pictures of one's own, which nobody has tuned: what cats and dogs were best with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.preprocess import Preprocess
from training.photo import PhotoChange
from training.recipes import RECIPES, Recipe

if TYPE_CHECKING:
    from training.pretrained.backbone import Backbone

AS_SEEN = Preprocess(160, 160)  # all of a picture, squashed
FEW_IMAGES = 20_000  # below it, a network that has seen a million pictures is the better start
# From scratch, so many images are shown in all, however many there are: an hour on two cores.
IMAGES_SHOWN = 400_000
FEWEST_EPOCHS, MOST_EPOCHS = 12, 200
# So many images are shown to the last layers of a pretrained network, after its head.
IMAGES_TUNED_ON = 12_000
FEWEST_TUNING, MOST_TUNING = 2, 20
VALIDATION_SHARE, MOST_VALIDATION = 0.1, 5000


def from_scratch(name: str, data: str, images: int) -> Recipe:
    """The project's own network, on so many training images of the data set `data`."""
    epochs = min(max(round(IMAGES_SHOWN / images), FEWEST_EPOCHS), MOST_EPOCHS)
    return replace(
        RECIPES["cats-dogs"],
        name=name,
        description=f"Pictures of {name}: a deep network, from scratch.",
        data=data,
        preprocess=AS_SEEN,
        epochs=epochs,
        balanced=True,
        validation=validation_images(images),
        seeds=(),
    )


def from_recipe(
    recipe: Recipe, name: str, data: str, images: int, preprocess: Preprocess
) -> Recipe:
    """A recipe for other pictures, `data`, of which so many are training images."""
    return replace(
        recipe,
        name=name,
        description=f"Pictures of {name}, as {recipe.name} is trained.",
        data=data,
        preprocess=preprocess,
        balanced=True,
        validation=validation_images(images),
        seeds=(),
    )


def from_pretrained(
    name: str, data: str, images: int, start: Backbone, weights: Path | None
) -> Recipe:
    """A network that knows ImageNet, on so many training images of the data set `data`.

    `weights` is the file that those of `start` came from, None if they came by its name.
    """
    options = {"backbone": start.name}
    return replace(
        RECIPES["cats-dogs-lite0"],
        name=name,
        description=f"Pictures of {name}: {start.name}, which knows ImageNet.",
        data=data,
        network_options=options if weights is None else options | {"weights": str(weights)},
        preprocess=start.preprocess,
        epochs=min(max(round(IMAGES_TUNED_ON / images), FEWEST_TUNING), MOST_TUNING),
        normalise=start.normalise,
        augmentation=PhotoChange(crop_side=start.preprocess.height, crop_area=0.5),
        label_smoothing=0.1,
        balanced=True,
        validation=validation_images(images),
        seeds=(),
    )


def validation_images(images: int) -> int:
    """How many of so many training images are left out to judge by."""
    return max(1, min(round(images * VALIDATION_SHARE), MOST_VALIDATION))
