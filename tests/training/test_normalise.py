from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from training.normalise import Normalise


def test_division_by_255_brings_grey_pixels_to_0_1() -> None:
    pixels = np.array([[[0], [51]], [[204], [255]]], np.uint8)[None]
    assert np.array_equal(
        Normalise((0.0,), (255.0,))(pixels),
        np.array([[[0.0], [0.2]], [[0.8], [1.0]]], np.float32)[None],
    )


def test_each_of_three_channels_has_its_own_mean_and_deviation() -> None:
    pixels = np.array([[[[150, 120, 0]]], [[[0, 60, 245]]]], np.uint8)
    assert np.array_equal(
        Normalise((100.0, 120.0, 140.0), (50.0, 60.0, 70.0))(pixels),
        np.array([[[[1.0, 0.0, -2.0]]], [[[-2.0, -1.0, 1.5]]]], np.float32),
    )


@settings(deadline=None)
@given(
    mean=st.floats(0, 255, width=32),
    std=st.floats(0.5, 255, width=32),
    pixel=st.integers(0, 255),
)
def test_every_pixel_is_mean_subtracted_then_divided(mean: float, std: float, pixel: int) -> None:
    (answer,) = Normalise((mean,), (std,))(np.array([[[[pixel]]]], np.uint8)).ravel()
    assert abs(float(answer) - (pixel - mean) / std) <= 1e-6 * max(1, abs(pixel - mean) / std)


def test_the_result_is_float32_of_the_same_shape_and_the_pixels_stay_as_they_were() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 4, 3), dtype=np.uint8)
    before = pixels.copy()
    answer = Normalise((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))(pixels)
    assert answer.dtype == np.float32
    assert answer.shape == pixels.shape
    assert np.array_equal(pixels, before)


def test_no_pictures_give_no_pictures() -> None:
    assert Normalise((0.0,), (255.0,))(np.zeros((0, 28, 28, 1), np.uint8)).shape == (0, 28, 28, 1)
