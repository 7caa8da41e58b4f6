from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from training.whitening import whitening_kernel

RNG = np.random.default_rng(0)


def smooth_images(n: int = 200) -> NDArray[np.float32]:
    """Neighbours are alike and colours go together, as in photos."""
    noise = RNG.standard_normal((n, 18, 18, 1)).cumsum(axis=1).cumsum(axis=2)
    colours = noise * 0.1 + RNG.standard_normal((n, 18, 18, 3)) * 0.05
    return colours.astype(np.float32)


def answers(kernel: NDArray[np.float32], images: NDArray[np.float32]) -> NDArray[np.float64]:
    height, width = kernel.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(images, (height, width), axis=(1, 2))
    given: NDArray[np.float64] = np.einsum("nyxchw,hwck->nyxk", windows, kernel)
    return given.reshape(-1, kernel.shape[-1])


def test_answers_of_different_directions_are_uncorrelated_and_vary_by_1() -> None:
    images = smooth_images()
    kernel = whitening_kernel(images, 2, 2, filters=24, epsilon=0.0)
    half = answers(kernel, images)[:, :12]
    assert np.cov(half, rowvar=False) == pytest.approx(np.eye(12), abs=0.05)


def test_the_second_half_is_the_first_with_the_other_sign() -> None:
    kernel = whitening_kernel(smooth_images(), 3, 3, filters=32)
    assert kernel.shape == (3, 3, 3, 32)
    assert kernel.dtype == np.float32
    assert np.array_equal(kernel[..., 16:], -kernel[..., :16])


def test_the_strongest_directions_are_the_ones_kept() -> None:
    images = smooth_images()
    few = whitening_kernel(images, 2, 2, filters=4)
    all_of_them = whitening_kernel(images, 2, 2, filters=24)
    assert few[..., :2] == pytest.approx(all_of_them[..., :2])
    # A direction that varies more needs a smaller kernel to vary by 1.
    lengths = np.linalg.norm(all_of_them.reshape(12, 24), axis=0)[:12]
    assert (np.diff(lengths) > -1e-6).all()


def test_a_direction_that_hardly_varies_is_not_blown_up() -> None:
    grey = smooth_images()[..., :1].repeat(3, axis=-1)  # two of three colours say nothing new
    kernel = whitening_kernel(grey, 2, 2, filters=24)
    assert np.isfinite(kernel).all()
    assert np.abs(kernel).max() <= 1 / np.sqrt(5e-4)


@pytest.mark.parametrize("filters", [7, 26])
def test_more_filters_than_both_signs_of_each_direction_are_refused(filters: int) -> None:
    with pytest.raises(ValueError, match=f"up to 24; received {filters}"):
        whitening_kernel(smooth_images(), 2, 2, filters)
