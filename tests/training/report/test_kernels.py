from __future__ import annotations

import numpy as np
import pytest

from training.report.kernels import MOST, kernels, tiles

pytestmark = pytest.mark.train


def test_kernels_lie_eight_across_with_nothing_between_them() -> None:
    grid = tiles(np.ones((3, 5, 1, 10)))
    assert grid.shape == (2 * 4 - 1, 8 * 6 - 1, 4)
    opaque = grid[..., 3] == 255
    assert opaque.sum() == 10 * 3 * 5
    assert not opaque[3].any()  # the line between the rows
    assert not opaque[:, 5].any()
    assert not opaque[4:, 12:].any()  # the second row has two


def test_grey_kernels_are_blue_below_0_and_red_above() -> None:
    weights = np.zeros((1, 1, 1, 3))
    weights[..., 0], weights[..., 2] = -1, 1
    (low, _, zero, _, high) = tiles(weights)[0, :, :3].astype(int)
    assert low[2] > low[0]
    assert high[0] > high[2]
    assert np.ptp(zero) < 10  # near white


def test_kernels_of_three_channels_are_in_their_colours_about_grey() -> None:
    weights = np.zeros((1, 1, 3, 2))
    weights[0, 0, :, 0] = (1, -1, 0)
    first, _, second = tiles(weights)[0, :, :3]
    assert first.tolist() == [255, 0, 128]
    assert second.tolist() == [128, 128, 128]


def test_a_kernel_far_out_does_not_pale_the_others() -> None:
    weights = np.full((3, 3, 1, 64), 0.1)
    weights[0, 0, 0, 0] = 50
    assert tiles(weights)[0, 4, 0] == tiles(np.full((3, 3, 1, 64), 0.1))[0, 4, 0]


def test_kernels_of_zeros_can_be_drawn() -> None:
    assert tiles(np.zeros((3, 3, 1, 1))).shape == (3, 3, 4)


@pytest.mark.parametrize("count", [1, MOST, MOST + 1])
def test_at_most_so_many_are_shown_and_all_are_counted(count: int) -> None:
    html = kernels(None, np.ones((3, 3, 3, count))) or ""
    assert f"{min(count, MOST)} of its {count} kernels, 3×3 each" in html


def test_before_and_after_stand_beside_each_other_and_before_may_be_missing() -> None:
    weights = np.ones((3, 3, 1, 2))
    assert (kernels(weights - 1, weights) or "").count("<figure") == 2
    assert "Before training" not in (kernels(None, weights) or "")
    assert kernels(weights, None) is None


def test_kernels_that_were_frozen_are_drawn_once_and_said_to_be() -> None:
    html = kernels(np.ones((3, 3, 1, 2)), np.ones((3, 3, 1, 2))) or ""
    assert html.count("<figure") == 1
    assert "which left them as they were" in html
