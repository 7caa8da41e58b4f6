from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from app.preprocess import Preprocess
from tests.training.test_train import TINY
from training.augment import Distortion
from training.batches import Batches
from training.data import Data
from training.normalise import Normalise
from training.photo import PhotoChange
from training.recipes import Recipe

pytestmark = pytest.mark.train

STILL = replace(
    TINY, batch_size=8, normalise=Normalise((0.0,), (1.0,)), augmentation=None
)  # pixels as they are


def numbered(n: int) -> NDArray[np.uint8]:
    """Pictures that say in each pixel which they are."""
    return np.repeat(np.arange(n, dtype=np.uint8), 16).reshape(n, 4, 4, 1)


def data_of(pixels: NDArray[np.uint8], truth: NDArray[np.int64] | None = None) -> Data:
    truth = np.arange(len(pixels)) % 10 if truth is None else truth
    shape = Preprocess(*pixels.shape[1:])
    return Data("numbers", tuple("abcdefghij"), shape, pixels, truth, pixels[:0], truth[:0])


def batches_of(n: int, recipe: Recipe = STILL, seed: int = 5, first_epoch: int = 0) -> Batches:
    return Batches(recipe, data_of(numbered(n)), np.arange(n), seed, first_epoch)


def order_of(batches: Batches) -> list[int]:
    return [int(number) for i in range(len(batches)) for number in batches[i][0][:, 0, 0, 0]]


@pytest.mark.parametrize(
    ("n", "sizes"), [(20, [8, 8, 4]), (16, [8, 8]), (17, [8, 8, 1]), (5, [5]), (8, [8])]
)
def test_only_the_last_batch_is_smaller(n: int, sizes: list[int]) -> None:
    batches = batches_of(n)
    assert len(batches) == len(sizes)
    assert [len(batches[i][0]) for i in range(len(batches))] == sizes
    assert [len(batches[i][1]) for i in range(len(batches))] == sizes


def test_every_epoch_has_every_picture_once_and_in_another_order() -> None:
    batches = batches_of(100)
    orders = []
    for _ in range(3):
        orders.append(order_of(batches))
        assert sorted(orders[-1]) == list(range(100))
        batches.next_epoch()
    assert len({tuple(order) for order in orders} | {tuple(range(100))}) == 4


def test_every_picture_keeps_its_label() -> None:
    batches = batches_of(100)
    for i in range(len(batches)):
        pixels, targets = batches[i]
        assert pixels.dtype == targets.dtype == np.float32
        assert np.array_equal(targets, np.eye(10)[pixels[:, 0, 0, 0].astype(int) % 10])


def test_the_seed_decides_the_order_and_another_gives_another() -> None:
    assert order_of(batches_of(100)) == order_of(batches_of(100))
    assert order_of(batches_of(100)) != order_of(batches_of(100, seed=2))


def test_pixels_are_distorted_and_then_normalised() -> None:
    recipe = replace(STILL, normalise=Normalise((10.0,), (2.0,)), augmentation=TINY.augmentation)
    pixels, _ = Batches(recipe, data_of(np.full((1, 9, 9, 1), 20, np.uint8)), np.arange(1), 5)[0]
    assert pixels[0, 4, 4, 0] == 5  # the middle stays 20
    assert pixels.min() < 5  # at a border comes 0 in: as −5, and blended


def test_a_picture_is_bent_another_way_in_each_epoch_by_each_seed_and_in_each_batch() -> None:
    recipe = replace(STILL, batch_size=1, augmentation=Distortion(shift_pixels=3))
    same = np.random.default_rng(0).integers(0, 256, (1, 9, 9, 1), dtype=np.uint8).repeat(4, axis=0)

    def bent(seed: int, epoch: int) -> list[bytes]:
        batches = Batches(recipe, data_of(same), np.arange(4), seed)
        for _ in range(epoch):
            batches.next_epoch()
        return [batches[i][0].tobytes() for i in range(4)]

    assert bent(5, 0) == bent(5, 0)
    assert len({*bent(5, 0), *bent(5, 1), *bent(2, 0)}) == 12


def test_only_the_chosen_pictures_are_in_a_batch() -> None:
    batches = Batches(STILL, data_of(numbered(30)), np.array([3, 7, 29]), 5)
    assert sorted(order_of(batches)) == [3, 7, 29]


def test_a_run_that_goes_on_meets_the_batches_that_it_would_have_met() -> None:
    batches = batches_of(40)
    for _ in range(3):
        batches.next_epoch()
    assert order_of(batches_of(40, first_epoch=3)) == order_of(batches)


def test_half_of_the_pictures_are_mirrored_and_in_the_next_epoch_the_others() -> None:
    pixels = np.zeros((100, 4, 4, 1), np.uint8)
    pixels[:, :, 0] = np.arange(1, 101, dtype=np.uint8)[:, None, None]  # ink on the left
    batches = Batches(replace(STILL, flip=True), data_of(pixels), np.arange(100), 5)

    def mirrored() -> set[int]:
        seen = np.concatenate([batches[i][0] for i in range(len(batches))])
        assert ((seen[:, 0, 0] > 0) != (seen[:, 0, 3] > 0)).all()
        return {int(row[0, 3, 0]) for row in seen if row[0, 3, 0]}

    first = mirrored()
    assert 30 < len(first) < 70
    batches.next_epoch()
    assert mirrored() == set(range(1, 101)) - first
    batches.next_epoch()
    assert mirrored() == first


def test_photos_are_changed_and_the_batch_says_what_shape_they_have() -> None:
    recipe = replace(STILL, augmentation=PhotoChange(crop_side=6, crop_area=0.5))
    batches = Batches(recipe, data_of(np.zeros((3, 9, 9, 3), np.uint8)), np.arange(3), 5)
    assert batches[0][0].shape == (3, 6, 6, 3)
    assert batches.image == (6, 6, 3)
    assert batches_of(3).image == (4, 4, 1)


def test_where_classes_are_uneven_each_counts_the_same_if_the_recipe_says_so() -> None:
    truth = np.array([0] * 12 + [1] * 4)
    data = replace(data_of(numbered(16), truth), labels=("many", "few"))
    batches = Batches(replace(STILL, batch_size=16, balanced=True), data, np.arange(16), 5)
    _, targets, weights = batches[0]
    assert [float(weights[targets[:, one] == 1].sum()) for one in (0, 1)] == pytest.approx([8, 8])
    assert weights.dtype == np.float32


def test_even_classes_have_no_weights() -> None:
    batches = batches_of(20, replace(STILL, balanced=True))
    assert len(batches[0]) == 2
