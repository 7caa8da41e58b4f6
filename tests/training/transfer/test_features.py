from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from tests.training.transfer.conftest import NORMALISE, stripes
from training.normalise import Normalise
from training.progress import Progress, Row
from training.transfer.features import cached_features

pytestmark = pytest.mark.train

PIXELS = stripes((25, 25)).x_train  # no multiple of a batch


class Told(Progress):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[tuple[object, ...]] = []

    def stage(self, title: str, total: int) -> None:
        self.lines.append((title, total))

    def step(self, done: int, values: Row | None = None) -> None:
        self.lines.append((done,))


def test_a_picture_and_its_mirror_image_become_features(
    network: keras.Model, tmp_path: Path
) -> None:
    found = cached_features(network, NORMALISE, PIXELS, "abc", tmp_path, Progress())
    assert found.shape == (50, 2, 2)
    assert found.dtype == np.float32
    for view, pixels in enumerate((PIXELS, PIXELS[:, :, ::-1])):
        asked = network.predict_on_batch(NORMALISE(pixels))
        np.testing.assert_allclose(found[:, view], asked, atol=1e-5)


def test_they_are_mapped_from_one_file_and_progress_is_told(
    network: keras.Model, tmp_path: Path
) -> None:
    told = Told()
    found = cached_features(network, NORMALISE, PIXELS, "abc", tmp_path / "new", told)
    assert isinstance(found, np.memmap)
    assert [path.suffix for path in (tmp_path / "new").iterdir()] == [".npy"]
    assert told.lines == [("features", 50), (32,), (50,)]


def test_of_large_pictures_fewer_are_looked_at_at_once(tmp_path: Path) -> None:
    """So that memory does not grow with them: as many pixels as 32 pictures of 224×224 have."""
    large = np.zeros((10, 448, 448, 1), np.uint8)
    network = keras.Sequential([keras.Input(large.shape[1:]), keras.layers.GlobalMaxPooling2D()])
    told = Told()
    cached_features(network, Normalise((0.0,), (255.0,)), large, "abc", tmp_path, told)
    assert told.lines == [("features", 10), (8,), (10,)]


def test_what_is_there_is_not_computed_again(network: keras.Model, tmp_path: Path) -> None:
    once = cached_features(network, NORMALISE, PIXELS, "abc", tmp_path, Progress())
    told = Told()
    again = cached_features(network, NORMALISE, PIXELS, "abc", tmp_path, told)
    assert told.lines == []
    assert (once == again).all()


def test_other_pictures_or_weights_have_a_file_of_their_own(
    network: keras.Model, tmp_path: Path
) -> None:
    cached_features(network, NORMALISE, PIXELS, "abc", tmp_path, Progress())
    cached_features(network, NORMALISE, PIXELS, "def", tmp_path, Progress())
    kernel = network.get_layer("conv1").kernel
    kernel.assign(np.asarray(kernel) + 1)
    cached_features(network, NORMALISE, PIXELS, "abc", tmp_path, Progress())
    assert len(list(tmp_path.iterdir())) == 3


def test_a_file_that_was_not_finished_is_not_taken(network: keras.Model, tmp_path: Path) -> None:
    class Stop(Progress):
        def step(self, done: int, values: Row | None = None) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_features(network, NORMALISE, PIXELS, "abc", tmp_path, Stop())
    found = cached_features(network, NORMALISE, PIXELS, "abc", tmp_path, Progress())
    assert (found[-1] != 0).all()
