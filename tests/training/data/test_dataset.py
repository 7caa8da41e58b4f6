from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.preprocess import Preprocess, pixels_from
from tests.training.data.pictures import noise, write_files
from training.data.dataset import CHUNK_BYTES, Data


def random_data(side: int = 8, channels: int = 3, train: int = 5, test: int = 3) -> Data:
    rng = np.random.default_rng(0)

    def pixels(n: int) -> np.ndarray:
        return rng.integers(0, 256, (n, side, side, channels), dtype=np.uint8)

    preprocess = Preprocess(side, side, channels=3 if channels == 3 else 1)
    return Data(
        name="random",
        labels=("a", "b"),
        preprocess=preprocess,
        x_train=pixels(train),
        y_train=np.arange(train) % 2,
        x_test=pixels(test),
        y_test=np.arange(test) % 2,
    )


def test_the_checksum_of_more_than_one_chunk_is_that_of_all_bytes() -> None:
    data = random_data(side=512, train=CHUNK_BYTES // (512 * 512 * 3) + 2, test=1)
    expected = hashlib.sha256()
    for array in (data.x_train, data.y_train, data.x_test, data.y_test):
        expected.update(array.tobytes())
    assert data.x_train.nbytes > CHUNK_BYTES
    assert data.sha256 == expected.hexdigest()


def test_the_checksum_is_the_same_for_pixels_that_are_mapped(tmp_path: Path) -> None:
    data = random_data()
    np.save(tmp_path / "x.npy", data.x_train)
    mapped = replace(data, x_train=np.load(tmp_path / "x.npy", mmap_mode="r"))
    assert mapped.sha256 == data.sha256


@pytest.mark.parametrize("channels", [1, 3])
def test_where_there_are_only_pixels_a_test_image_is_a_png_of_them(channels: int) -> None:
    data = random_data(channels=channels)
    images = list(data.test_images)
    assert len(images) == 3
    for image, pixels in zip(images, data.x_test, strict=True):
        assert image.startswith(b"\x89PNG")
        assert np.array_equal(pixels_from(image, data.preprocess), pixels)


def test_where_there_are_files_a_test_image_is_its_file_to_the_byte(tmp_path: Path) -> None:
    write_files(tmp_path, {"b.png": noise(1), "a.png": noise(2), "c.png": noise(3)})
    files = tuple(tmp_path / name for name in ("b.png", "a.png", "c.png"))
    data = replace(random_data(), test_files=files)
    assert list(data.test_images) == [noise(1), noise(2), noise(3)]
