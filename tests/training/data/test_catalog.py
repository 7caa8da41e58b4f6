from __future__ import annotations

from pathlib import Path

import pytest

from app.preprocess import Preprocess
from tests.training.data.pictures import classes, write_files
from tests.training.data.test_named import write_mnist
from training.data import NAMES, DataError, load


def cats_dogs(folder: Path) -> Path:
    files = {
        f"cats-dogs/{part}/{path}": content
        for place, part in enumerate(("train", "test"))
        for path, content in classes("cats", "dogs", each=2, first=50 * place).items()
    }
    return write_files(folder, files)


def test_there_are_four_named_sets() -> None:
    assert NAMES == ("mnist", "fashion-mnist", "cifar10", "cats-dogs")


def test_a_folder_of_ones_own_is_read_at_the_size_asked_for(tmp_path: Path) -> None:
    write_files(tmp_path / "pets", classes("cats", "dogs"))
    spec, size = f"folder:{tmp_path}/pets", Preprocess(6, 5, channels=1)
    data = load(spec, None, size, tmp_path / "cache")
    assert data.name == "pets"
    assert data.preprocess == size
    assert data.x_train.shape == (8, 6, 5, 1)


def test_cats_and_dogs_are_read_at_160_pixels_unless_another_size_is_asked_for(
    tmp_path: Path,
) -> None:
    cats_dogs(tmp_path)
    data = load("cats-dogs", tmp_path, cache_folder=tmp_path / "cache")
    assert data.name == "cats-dogs"
    assert data.labels == ("cats", "dogs")
    assert data.preprocess == Preprocess(160, 160, channels=3, layout="squash", resample="bilinear")
    assert data.x_test.shape == (4, 160, 160, 3)
    larger = load("cats-dogs", tmp_path, Preprocess(170, 170), tmp_path / "cache")
    assert larger.x_test.shape == (4, 170, 170, 3)


def test_progress_is_told_of_pictures(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    cats_dogs(tmp_path)
    load("cats-dogs", tmp_path, None, tmp_path / "cache", lambda *counts: told.append(counts))
    assert told == [(0, 8), (8, 8)]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("cifar100", "There is no data set 'cifar100'. There are mnist, fashion-mnist, cifar10"),
        ("folder:", "folder:PATH needs a path"),
        ("folder:pets", "and a size to be read at"),
        ("cats-dogs", "cats-dogs cannot be downloaded"),
    ],
)
def test_what_cannot_be_loaded_says_why(spec: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        load(spec, None)


def test_a_folder_without_a_path_is_not_the_one_at_hand() -> None:
    with pytest.raises(DataError, match="folder:PATH needs a path"):
        load("folder:", None, Preprocess(8, 8))


def test_a_set_of_pixels_cannot_be_read_otherwise(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    own = load("mnist", tmp_path).preprocess
    assert load("mnist", tmp_path, own).preprocess == own
    with pytest.raises(DataError, match="mnist comes as pixels"):
        load("mnist", tmp_path, Preprocess(32, 32))
