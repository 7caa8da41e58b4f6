from __future__ import annotations

from pathlib import Path

import keras
import pytest

from app.preprocess import Preprocess
from training.normalise import Normalise
from training.own import from_pretrained, from_scratch, validation_images
from training.photo import PhotoChange
from training.pretrained.backbone import Backbone


@pytest.mark.parametrize(
    ("images", "epochs"),
    [(10, 200), (2000, 200), (2010, 199), (10_000, 40), (33_000, 12), (1_000_000, 12)],
)
def test_so_many_images_are_shown_in_all_however_many_there_are(images: int, epochs: int) -> None:
    assert from_scratch("pets", "folder:pets", images).epochs == epochs


@pytest.mark.parametrize(
    ("images", "validation"), [(2, 1), (10, 1), (2000, 200), (50_000, 5000), (80_000, 5000)]
)
def test_a_tenth_is_left_out_to_judge_by(images: int, validation: int) -> None:
    assert validation_images(images) == validation
    assert from_scratch("pets", "folder:pets", images).validation == validation


def test_the_recipe_is_named_as_asked_and_weighs_classes_alike() -> None:
    recipe = from_scratch("pets", "folder:/pictures/pets", 100)
    assert (recipe.name, recipe.data) == ("pets", "folder:/pictures/pets")
    assert recipe.balanced
    assert recipe.preprocess is not None


def start(side: int) -> Backbone:
    preprocess = Preprocess(side, side, layout="crop", resample="bicubic")
    return Backbone(
        "Xception", keras.Sequential(), preprocess, Normalise((127.5,) * 3, (127.5,) * 3)
    )


@pytest.mark.train
@pytest.mark.parametrize(("images", "epochs"), [(10, 20), (1000, 12), (2000, 6), (20_000, 2)])
def test_the_last_layers_of_a_pretrained_network_are_shown_so_many(
    images: int, epochs: int
) -> None:
    assert from_pretrained("pets", "folder:pets", images, start(224), None).epochs == epochs


@pytest.mark.train
def test_pictures_are_as_the_pretrained_network_knows_them() -> None:
    recipe = from_pretrained("pets", "folder:pets", 100, start(299), Path("some_notop.h5"))
    assert recipe.network_options == {"backbone": "Xception", "weights": "some_notop.h5"}
    assert recipe.preprocess == start(299).preprocess
    assert recipe.normalise == start(299).normalise
    assert isinstance(recipe.augmentation, PhotoChange)
    assert recipe.augmentation.crop_side == 299
    assert recipe.balanced
    assert recipe.head_first
