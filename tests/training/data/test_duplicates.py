from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from app.preprocess import Preprocess, pixels_from
from training.data import duplicates
from training.data.duplicates import seen_in_training

SIZE = Preprocess(64, 64)


def photo(seed: int) -> Image.Image:
    """Soft blobs of colour, 300×200, which JPEG keeps as it keeps a photo."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 12, 3), dtype=np.uint8))
    return coarse.resize((300, 200), Image.Resampling.BICUBIC).filter(ImageFilter.DETAIL)


def pixels(image: Image.Image, quality: int = 95) -> NDArray[np.uint8]:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return pixels_from(file.getvalue(), SIZE)


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(lambda image: pixels(image), id="the same"),
        pytest.param(lambda image: pixels(image, 20), id="quality 20"),
        pytest.param(lambda image: pixels(image.resize((150, 100))), id="half the size"),
        pytest.param(lambda image: pixels(image.convert("L")), id="grey"),
        pytest.param(lambda image: pixels(image.point(lambda v: v // 2 + 40)), id="paler"),
    ],
)
def test_a_photo_that_was_saved_again_is_found(again: object) -> None:
    assert callable(again)
    training = [pixels(photo(seed)) for seed in range(5)]
    testing = [pixels(photo(9)), again(photo(3))]
    assert seen_in_training(np.stack(training + testing), range(5), [5, 6]) == {6: 3}


def test_other_photos_are_none() -> None:
    photos = np.stack([pixels(photo(seed)) for seed in range(60)])
    assert seen_in_training(photos, range(40), range(40, 60)) == {}


def test_a_cropped_photo_is_another() -> None:
    both = np.stack([pixels(photo(1)), pixels(photo(1).crop((30, 20, 270, 180)))])
    assert seen_in_training(both, [0], [1]) == {}


@pytest.mark.parametrize(("near", "nearer"), [(7, 2050), (2050, 7)])
def test_the_most_alike_is_named_in_whichever_block_it_lies(near: int, nearer: int) -> None:
    rng = np.random.default_rng(0)
    many = rng.integers(0, 256, (2 * duplicates.BLOCK + 4, 6, 6, 1), dtype=np.uint8)
    test = len(many) - 1
    many[test] = many[near] = many[nearer]
    many[nearer, 0, 0] ^= 1
    many[near, 0, :2] ^= 8
    assert seen_in_training(many, range(test), [test]) == {test: nearer}


def test_pictures_of_one_colour_are_like_none() -> None:
    assert seen_in_training(np.full((2, 8, 8, 3), 200, np.uint8), [0], [1]) == {}


def test_two_shapes_on_black_are_two() -> None:
    both = np.zeros((2, 28, 28, 1), np.uint8)
    both[0, 4:24, 12:15] = 255
    both[1, 4:24, 13:16] = 255
    assert seen_in_training(both, [0], [1]) == {}
