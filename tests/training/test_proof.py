from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.decode import decode
from app.preprocess import Preprocess
from tests.conftest import encode
from training.data import Data
from training.proof import MOST_BYTES, proof_images

NONE = np.zeros((0, 4, 4, 3), np.uint8), np.zeros(0, np.int64)
RNG = np.random.default_rng(0)


def pixels_of(images: list[bytes]) -> list[NDArray[np.uint8]]:
    return [np.asarray(decode(image)) for image in images]


def colours(test_files: tuple[Path, ...] | None = None) -> Data:
    pixels = RNG.integers(0, 256, (6, 4, 4, 3), dtype=np.uint8)
    classes = np.array([2, 2, 0, 1, 0, 1])
    labels = ("red", "green", "blue")
    return Data("colours", labels, Preprocess(4, 4), *NONE, pixels, classes, test_files)


def test_each_class_is_proven_by_its_first_test_image() -> None:
    data = colours()
    assert len(proof_images(data)) == 3
    for pixels, first in zip(pixels_of(proof_images(data)), (2, 3, 0), strict=True):
        assert np.array_equal(pixels, data.x_test[first])


def test_of_many_classes_the_first_ten_are_enough() -> None:
    pixels, classes = np.zeros((30, 4, 4, 3), np.uint8), np.arange(30)
    pixels[:, 0, 0, 0] = classes
    labels = tuple(f"class {number}" for number in range(30))
    images = proof_images(Data("many", labels, Preprocess(4, 4), *NONE, pixels, classes))
    assert [int(one[0, 0, 0]) for one in pixels_of(images)] == list(range(10))


def test_digits_are_also_proven_by_one_drawn_large_and_dark_on_light_paper() -> None:
    pixels, classes = np.zeros((10, 28, 28, 1), np.uint8), np.arange(10)
    pixels[:, 8:20, 12:16] = 255
    none = np.zeros((0, 28, 28, 1), np.uint8), np.zeros(0, np.int64)
    shape = Preprocess(28, 28, channels=1, layout="digit")
    images = proof_images(Data("digits", tuple("0123456789"), shape, *none, pixels, classes))
    assert len(images) == 11
    large = pixels_of(images)[-1]
    assert min(large.shape) > 100
    assert np.median(large) > 200
    assert large.min() < 50


@pytest.mark.parametrize(("more", "original"), [(0, True), (1, False)])
def test_an_original_file_is_the_proof_as_long_as_it_is_small(
    more: int, original: bool, tmp_path: Path
) -> None:
    photo = encode(RNG.integers(0, 256, (40, 30, 3), dtype=np.uint8))
    photo += bytes(MOST_BYTES + more - len(photo))  # behind the last chunk of a PNG
    files = tuple(tmp_path / f"{number}.png" for number in range(6))
    for file in files:
        file.write_bytes(photo)
    data = colours(files)
    first = proof_images(data)[0]
    assert (first == photo) == original
    if not original:
        assert np.array_equal(np.asarray(decode(first)), data.x_test[2])
