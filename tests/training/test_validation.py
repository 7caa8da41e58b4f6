from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.preprocess import Preprocess
from tests.training.test_train import bars
from training.data.split import File, Split
from training.validation import picture_numbers, split

pytestmark = pytest.mark.train


def test_each_class_has_its_share_among_the_images_that_judge() -> None:
    data = replace(bars(1000), y_train=np.repeat([0, 1, 2], [900, 80, 20]))
    kept, judges = split(data, 100)
    assert np.bincount(data.y_train[judges]).tolist() == [90, 8, 2]
    assert sorted([*kept, *judges]) == list(range(1000))
    assert len(set(data.y_train[kept[:50]])) > 1  # in no order


def test_an_image_that_is_there_twice_is_trained_on_and_does_not_judge() -> None:
    files = tuple(File(f"{number}.png", "a", "train", "") for number in range(10))
    known = Split(
        *("folder", ("a",), Preprocess(28, 28, 1), 0, 0.2, files, ()),
        *((("0.png", "7.png"), ("3.png", "of the test.png")), (), ()),
    )
    data = replace(bars(10), y_train=np.zeros(10, np.int64), labels=("a",), split=known)
    kept, judges = split(data, 9)
    assert set(kept) >= {0, 7}
    assert len(judges) == 7  # of those that are there once one is trained on
    every = (tuple(file.path for file in files),)
    assert len(split(replace(data, split=replace(known, duplicates=every)), 9)[1]) == 0


def test_images_with_equal_pixels_are_of_one_picture() -> None:
    files = tuple(File(f"{number}.png", "a", "train", "") for number in range(6))
    known = Split(
        *("folder", ("a",), Preprocess(28, 28, 1), 0, 0.2, files, ()),
        *((("4.png", "1.png", "5.png"), ("3.png", "of the test.png"), ("x.png", "y.png")), (), ()),
    )
    assert picture_numbers(replace(bars(6), split=known)).tolist() == [0, 1, 2, 3, 1, 1]
    assert picture_numbers(bars(3)).tolist() == [0, 1, 2]


def test_which_images_judge_stays_what_it_was_in_all_versions() -> None:
    data = replace(bars(20), y_train=np.zeros(20, np.int64), labels=("a",))
    assert split(data, 5)[1].tolist() == [14, 18, 0, 9, 13]


@pytest.mark.parametrize("validation", [1, 3, 999])
def test_of_every_class_an_image_is_left_to_train_on(validation: int) -> None:
    data = replace(bars(10), y_train=np.array([0] * 7 + [1] * 2 + [2]))
    kept, _ = split(data, validation)
    assert set(data.y_train[kept]) == {0, 1, 2}


@pytest.mark.parametrize(
    ("images", "validation", "judging"),
    [
        ([2, 2], 1, [1, 0]),
        ([1, 3], 1, [0, 1]),
        ([1, 1], 1, [0, 0]),
        ([5] * 6, 3, [1, 1, 1, 0, 0, 0]),
        ([4] * 4 + [16], 3, [1, 0, 0, 0, 2]),
        ([3, 3, 94], 10, [0, 0, 10]),
        ([7, 2, 1], 10, [6, 1, 0]),
    ],
)
def test_what_is_left_of_shares_goes_to_the_largest_remainders(
    images: list[int], validation: int, judging: list[int]
) -> None:
    data = replace(bars(sum(images)), y_train=np.repeat(range(len(images)), images))
    kept, judges = split(data, validation)
    assert np.bincount(data.y_train[judges], minlength=len(images)).tolist() == judging
    assert sorted([*kept, *judges]) == list(range(sum(images)))


def test_images_that_came_to_judge_by_are_the_ones() -> None:
    kept, judges = split(replace(bars(10), validation_images=3), 5)
    assert kept.tolist() == list(range(7))
    assert judges.tolist() == [7, 8, 9]
    assert len(split(replace(bars(10), validation_images=3), 0)[1]) == 0
