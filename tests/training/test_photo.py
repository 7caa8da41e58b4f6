from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.photo import PhotoChange, change

EVERYTHING = PhotoChange(
    crop_side=24,
    crop_area=0.3,
    shift_pixels=3,
    cutout_pixels=8,
    brightness=0.3,
    contrast=0.3,
    saturation=0.3,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def noise(n: int = 4, side: int = 32, channels: int = 3) -> NDArray[np.uint8]:
    return rng(9).integers(0, 256, (n, side, side, channels), dtype=np.uint8)


def ramp(n: int, side: int = 32) -> NDArray[np.uint8]:
    """Each pixel says where it lies: red is its row, green its column."""
    rows, columns = np.indices((side, side), dtype=np.uint8)
    return np.stack([rows, columns, np.zeros_like(rows)], axis=-1)[None].repeat(n, axis=0)


def test_no_change_gives_the_pixels_back() -> None:
    assert np.array_equal(change(noise(), PhotoChange(), rng()), noise())


def test_the_same_seed_changes_the_same_way_and_another_another_way() -> None:
    once = change(noise(), EVERYTHING, rng(1))
    assert np.array_equal(change(noise(), EVERYTHING, rng(1)), once)
    assert not np.array_equal(change(noise(), EVERYTHING, rng(2)), once)


@pytest.mark.parametrize("channels", [1, 3])
def test_type_and_channels_are_kept_and_the_pixels_given_are_left_alone(channels: int) -> None:
    pixels = noise(channels=channels)
    before = pixels.copy()
    changed = change(pixels, EVERYTHING, rng())
    assert changed.shape == (4, 24, 24, channels)
    assert changed.dtype == np.uint8
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize(
    "one",
    [
        PhotoChange(crop_side=32, crop_area=0.3),
        PhotoChange(shift_pixels=3),
        PhotoChange(cutout_pixels=8),
        PhotoChange(brightness=0.3),
        PhotoChange(contrast=0.3),
        PhotoChange(saturation=0.3),
    ],
    ids=str,
)
def test_each_picture_of_a_batch_is_changed_its_own_way(one: PhotoChange) -> None:
    changed = change(noise(1).repeat(8, axis=0), one, rng())
    assert len({picture.tobytes() for picture in changed}) > 4


def test_a_shift_is_by_whole_pixels_up_to_the_most_and_mirrors_the_edge() -> None:
    shifted = change(ramp(400), PhotoChange(shift_pixels=3), rng()).astype(int)
    down, across = shifted[:, 16, 16, 0] - 16, shifted[:, 16, 16, 1] - 16
    assert set(down) == set(across) == set(range(-3, 4))
    assert abs(np.corrcoef(down, across)[0, 1]) < 0.15
    for picture, step in zip(shifted, down, strict=True):
        rows = np.arange(32) + step
        mirrored = np.where(rows < 0, -rows, np.where(rows > 31, 62 - rows, rows))
        assert np.array_equal(picture[:, 5, 0], mirrored)


def test_a_crop_has_at_least_the_least_area_and_lies_everywhere() -> None:
    side, crops = 120, 300
    cropped = change(ramp(crops, side), PhotoChange(crop_side=30, crop_area=0.25), rng())
    top, bottom = (cropped[:, row, 0, 0].astype(float) for row in (0, -1))
    left, right = (cropped[:, 0, column, 1].astype(float) for column in (0, -1))
    height, width = (bottom - top) * 30 / 29, (right - left) * 30 / 29
    areas = height * width / side**2
    assert 0.22 < areas.min() < 0.32
    assert 0.9 < areas.max() < 1.05
    assert (height / width).max() < 4 / 3 * 1.06
    assert (width / height).max() < 4 / 3 * 1.06
    assert top.min() < 4
    assert bottom.max() > side - 5
    assert left.min() < 4
    assert right.max() > side - 5


def test_a_cutout_blanks_one_square_with_the_mean_of_the_picture() -> None:
    pixels, shapes = noise(200), set()
    changed = change(pixels, PhotoChange(cutout_pixels=8), rng())
    for before, after in zip(pixels, changed, strict=True):
        rows, columns = np.nonzero((before != after).any(axis=-1))
        blank = after[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        shapes.add(blank.shape[:2])
        assert np.array_equal(blank, np.broadcast_to(blank[0, 0], blank.shape))
        assert np.abs(blank[0, 0] - before.mean(axis=(0, 1))).max() < 1
    assert max(shapes) == (8, 8)  # at the edge it is smaller
    assert max(map(max, shapes)) == 8


def flat(*colour: int) -> NDArray[np.uint8]:
    return np.broadcast_to(np.array(colour, np.uint8), (500, 4, 4, 3)).copy()


def test_brightness_scales_the_mean_evenly_up_to_its_half_width() -> None:
    means = change(flat(100, 100, 100), PhotoChange(brightness=0.3), rng())[:, 0, 0, 0]
    assert means.min() in (70, 71)
    assert means.max() in (129, 130)
    assert abs(np.median(means) - 100) < 4


def test_contrast_spreads_around_the_mean_and_leaves_it() -> None:
    pixels = flat(80, 80, 80)
    pixels[:, :2] = 120
    changed = change(pixels, PhotoChange(contrast=0.5), rng()).astype(int)
    assert np.abs(changed.mean(axis=(1, 2, 3)) - 100).max() <= 0.5
    spread = changed[:, 0, 0, 0] - changed[:, 3, 0, 0]
    assert (spread.min(), spread.max()) == (20, 60)


def test_saturation_moves_colours_towards_grey_or_away_and_leaves_grey() -> None:
    one = PhotoChange(saturation=0.5)
    assert np.array_equal(change(flat(90, 90, 90), one, rng()), flat(90, 90, 90))
    spread = np.ptp(change(flat(60, 90, 120), one, rng()).astype(int), axis=-1)
    assert 29 <= spread.min() <= 32
    assert 88 <= spread.max() <= 91


@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.integers(1, 12), st.sampled_from([1, 3]))
def test_any_size_of_picture_survives_any_change(
    seed: int, side: int, crop_side: int, channels: int
) -> None:
    pixels = np.full((2, side, side + 1, channels), 255, np.uint8)
    one = replace(EVERYTHING, crop_side=crop_side, shift_pixels=0)
    assert change(pixels, one, rng(seed)).shape == (2, crop_side, crop_side, channels)
