from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn
from numpy.typing import NDArray

from training.augment import Distortion, _smooth_noise, distort

EVERYTHING = Distortion(
    rotation_degrees=20,
    shear_degrees=10,
    scale=0.2,
    shift_pixels=2,
    elastic_pixels=1.5,
    elastic_sigma_pixels=3,
    stroke=0.5,
)

# Where each pixel of a bent picture came from can be read off a bent ramp: grey = 10 · row. The
# side is odd, so that one pixel is the centre; CORE stays inside the picture under each bend below.
SIDE, STEP, MIDDLE = 25, 10, 12
CORE = slice(7, 18)
INSIDE = slice(11, 14)  # stays inside under EVERYTHING at once
OFFSETS = np.arange(CORE.start, CORE.stop, dtype=np.float64) - MIDDLE
ROWS, COLUMNS = np.meshgrid(OFFSETS, OFFSETS, indexing="ij")
ROUNDING = 0.5 / STEP + 1e-3  # pixels: grey levels are whole numbers

Floats = NDArray[np.float64]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def noise(n: int, height: int = 28, width: int = 28, seed: int = 0) -> NDArray[np.uint8]:
    return rng(seed).integers(0, 256, (n, height, width, 1), dtype=np.uint8)


def sources(distortion: Distortion, n: int) -> tuple[Floats, Floats]:
    """Where the pixels of the core came from, in n bends: rows and columns, 0 at the centre."""
    grey = np.arange(SIDE, dtype=np.uint8)[:, None] * np.uint8(STEP)
    ramp = np.broadcast_to(grey, (n, SIDE, SIDE))
    down, across = (
        distort(pixels[..., None], distortion, rng())[:, CORE, CORE, 0] / STEP - MIDDLE
        for pixels in (ramp, ramp.transpose(0, 2, 1))
    )
    return down, across


def assert_fills(values: Floats, half_width: float, tolerance: float) -> None:
    """The values lie within ± half_width and spread evenly over it."""
    assert np.abs(values).max() <= half_width + tolerance
    for share in (-0.5, 0.0, 0.5):
        below = (values < share * half_width).mean()
        assert abs(below - (1 + share) / 2) < 0.12


@settings(deadline=None)
@given(stn.arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))))
def test_no_distortion_gives_the_pixels_back_to_the_byte(pixels: NDArray[np.uint8]) -> None:
    assert np.array_equal(distort(pixels[..., None], Distortion(), rng()), pixels[..., None])


def test_the_same_seed_bends_the_same_way_and_another_another_way() -> None:
    pixels = noise(4)
    once = distort(pixels, EVERYTHING, rng(1))
    assert np.array_equal(distort(pixels, EVERYTHING, rng(1)), once)
    assert not np.array_equal(distort(pixels, EVERYTHING, rng(2)), once)


@pytest.mark.parametrize("shape", [(1, 28, 28, 1), (64, 28, 28, 1), (3, 12, 20, 1), (2, 7, 5, 1)])
def test_shape_and_type_are_kept_and_the_pixels_given_are_left_alone(
    shape: tuple[int, int, int, int],
) -> None:
    pixels = rng().integers(0, 256, shape, dtype=np.uint8)
    before = pixels.copy()
    bent = distort(pixels, EVERYTHING, rng())
    assert bent.shape == shape
    assert bent.dtype == np.uint8
    assert np.array_equal(pixels, before)
    assert not np.array_equal(bent, before)


@settings(max_examples=50, deadline=None)
@given(stn.arrays(np.uint8, (2, 9, 9, 1)), st.integers(0, 1000))
def test_no_pixel_is_brighter_than_the_brightest_of_its_picture(
    pixels: NDArray[np.uint8], seed: int
) -> None:
    bent = distort(pixels, EVERYTHING, rng(seed))
    assert (bent.max(axis=(1, 2, 3)) <= pixels.max(axis=(1, 2, 3))).all()


def test_a_white_picture_stays_white_inside_and_takes_black_in_from_outside() -> None:
    bent = distort(np.full((50, SIDE, SIDE, 1), 255, np.uint8), EVERYTHING, rng())
    assert (bent[:, INSIDE, INSIDE] == 255).all()
    assert (bent[:, 0] == 0).any()
    assert (bent[:, :, -1] == 0).any()


def test_each_picture_is_bent_its_own_way() -> None:
    bent = distort(np.repeat(noise(1), 5, axis=0), EVERYTHING, rng())
    assert len({picture.tobytes() for picture in bent}) == 5


def test_nothing_comes_in_from_the_neighbours_in_the_batch() -> None:
    pixels = np.zeros((200, SIDE, SIDE, 1), np.uint8)
    pixels[1::2] = 255
    bent = distort(pixels, EVERYTHING, rng())
    assert (bent[::2] == 0).all()
    assert (bent[1::2, INSIDE, INSIDE] == 255).all()


def test_a_shift_moves_a_dot_by_at_most_so_many_pixels() -> None:
    dot = np.zeros((500, SIDE, SIDE, 1), np.uint8)
    dot[:, MIDDLE, MIDDLE] = 255
    moved = distort(dot, Distortion(shift_pixels=2), rng())[..., 0].astype(np.float64)
    mass = moved.sum(axis=(1, 2))
    places = np.arange(SIDE) - MIDDLE
    assert_fills((moved.sum(axis=2) * places).sum(axis=1) / mass, 2, 0.02)
    assert_fills((moved.sum(axis=1) * places).sum(axis=1) / mass, 2, 0.02)


def test_a_shift_moves_every_pixel_alike_and_rows_apart_from_columns() -> None:
    rows, columns = sources(Distortion(shift_pixels=3), 500)
    down, across = rows - ROWS, columns - COLUMNS
    for moved in (down, across):
        assert np.ptp(moved, axis=(1, 2)).max() <= 2 * ROUNDING
        assert_fills(moved.mean(axis=(1, 2)), 3, ROUNDING)
    correlation = np.corrcoef(down.mean(axis=(1, 2)), across.mean(axis=(1, 2)))[0, 1]
    assert abs(correlation) < 0.2


def test_what_moves_by_a_part_of_a_pixel_stays_sharp() -> None:
    """Waves 4 pixels long: read by straight lines, half way between pixels .71 would be left."""
    wave = (128 + 100 * np.sin(np.arange(SIDE) * np.pi / 2)).astype(np.uint8)
    waves = np.broadcast_to(wave[:, None, None], (200, SIDE, SIDE, 1))
    for pixels, along in ((waves, 1), (waves.transpose(0, 2, 1, 3), 2)):
        moved = distort(pixels, Distortion(shift_pixels=1), rng())[:, CORE, CORE] - 128.0
        two_waves = np.take(moved, range(8), axis=along)
        height = np.sqrt(2 * np.square(two_waves).mean(axis=along))
        assert height.min() > 92
        assert height.max() < 102


def test_strokes_thin_or_thicken_by_the_grey_at_their_edges() -> None:
    """Half of full grey becomes ½ to the power of e^-0.6 to e^0.6; ink and paper stay."""
    stroke = np.zeros((2000, 3, 3, 1), np.uint8)
    stroke[:, :, 1], stroke[:, :, 2] = 100, 200  # the picture's own brightest is full
    thin = distort(stroke, Distortion(stroke=0.6), rng())[..., 0]
    assert (thin[:, :, 0] == 0).all()
    assert (thin[:, :, 2] == 200).all()
    assert np.ptp(thin[:, :, 1], axis=1).max() == 0
    powers = np.log(thin[:, 0, 1] / 200) / np.log(0.5)
    assert_fills(np.log(powers), 0.6, 0.02)


def test_a_share_of_pictures_stays_as_it_is_and_the_others_do_not() -> None:
    pixels = noise(2000)
    bent = distort(pixels, replace(EVERYTHING, untouched=0.25), rng())
    same = (bent == pixels).all(axis=(1, 2, 3))
    assert 0.22 < same.mean() < 0.28
    assert (bent[~same] != pixels[~same]).mean(axis=(1, 2, 3)).min() > 0.5


def test_a_rotation_keeps_the_centre_and_all_distances_from_it() -> None:
    rows, columns = sources(Distortion(rotation_degrees=30), 500)
    centre = len(OFFSETS) // 2
    assert np.abs(rows[:, centre, centre]).max() <= ROUNDING
    assert np.abs(columns[:, centre, centre]).max() <= ROUNDING
    assert np.abs(np.hypot(rows, columns) - np.hypot(ROWS, COLUMNS)).max() <= 2 * ROUNDING


def test_a_rotation_turns_by_at_most_so_many_degrees() -> None:
    rows, columns = sources(Distortion(rotation_degrees=30), 500)
    right = (slice(None), len(OFFSETS) // 2, -1)  # the pixel 5 to the right of the centre
    degrees = np.rad2deg(np.arctan2(rows[right], columns[right]))
    assert_fills(degrees, 30, np.rad2deg(2 * ROUNDING / 5))
    below = (slice(None), -1, len(OFFSETS) // 2)
    also = np.rad2deg(np.arctan2(-columns[below], rows[below]))
    assert np.abs(degrees - also).max() <= 2 * np.rad2deg(2 * ROUNDING / 5)  # it does not mirror


def test_a_shear_slides_rows_sideways_in_proportion_to_their_distance_from_the_middle() -> None:
    rows, columns = sources(Distortion(shear_degrees=20), 500)
    assert np.abs(rows - ROWS).max() <= ROUNDING
    slid = columns - COLUMNS
    slope = slid[:, -1].mean(axis=1) / OFFSETS[-1]
    assert np.abs(slid - slope[:, None, None] * ROWS).max() <= 2 * ROUNDING
    assert_fills(np.rad2deg(np.arctan(slope)), 20, np.rad2deg(ROUNDING / OFFSETS[-1]))


def test_a_scale_stretches_height_and_width_each_by_its_own_factor() -> None:
    rows, columns = sources(Distortion(scale=0.3), 500)
    height = (rows[:, -1].mean(axis=1) - rows[:, 0].mean(axis=1)) / (OFFSETS[-1] - OFFSETS[0])
    width = (columns[..., -1].mean(axis=1) - columns[..., 0].mean(axis=1)) / 10
    assert np.abs(rows - height[:, None, None] * ROWS).max() <= 2 * ROUNDING
    assert np.abs(columns - width[:, None, None] * COLUMNS).max() <= 2 * ROUNDING
    assert_fills(height - 1, 0.3, ROUNDING / 5)
    assert_fills(width - 1, 0.3, ROUNDING / 5)
    assert abs(np.corrcoef(height, width)[0, 1]) < 0.2


def test_an_elastic_displacement_is_as_strong_as_a_uniform_share_of_its_pixels() -> None:
    """The strength is uniform from 0 to 1.2 pixels; the root of its mean square is 1.2 / √3."""
    rows, columns = sources(Distortion(elastic_pixels=1.2, elastic_sigma_pixels=2), 2000)
    for displaced in (rows - ROWS, columns - COLUMNS):
        assert np.sqrt(np.square(displaced).mean()) == pytest.approx(1.2 / np.sqrt(3), rel=0.05)
        assert abs(displaced.mean()) < 0.05
        strengths = np.sqrt(np.square(displaced).mean(axis=(1, 2)))
        assert 0.15 < (strengths < 0.3).mean() < 0.4  # about 0.3 / 1.2 are hardly bent
        assert 0.15 < (strengths > 0.9).mean() < 0.4  # and as many almost as far as can be


def test_an_elastic_displacement_moves_rows_apart_from_columns() -> None:
    rows, columns = sources(Distortion(elastic_pixels=1.2, elastic_sigma_pixels=2), 2000)
    assert abs(np.corrcoef((rows - ROWS).ravel(), (columns - COLUMNS).ravel())[0, 1]) < 0.1


@pytest.mark.parametrize(("height", "width", "sigma"), [(28, 28, 4.0), (12, 20, 2.0), (6, 5, 9.0)])
def test_smooth_noise_has_root_mean_square_1_everywhere_up_to_the_borders(
    height: int, width: int, sigma: float
) -> None:
    field = _smooth_noise(4000, height, width, Distortion(elastic_sigma_pixels=sigma), rng())
    assert field.shape == (4000, height, width)
    assert field.dtype == np.float32
    at_each_place = np.sqrt(np.square(field).mean(axis=0))
    assert at_each_place.min() > 0.93
    assert at_each_place.max() < 1.07


@pytest.mark.parametrize("sigma", [2.0, 4.0, 6.0])
def test_smooth_noise_is_as_smooth_as_its_gaussian(sigma: float) -> None:
    """Noise smoothed by a Gaussian correlates by exp(−d² / 4σ²) over the distance d."""
    field = _smooth_noise(2000, 60, 60, Distortion(elastic_sigma_pixels=sigma), rng())
    inside = field[:, 24:36, 24:36]
    for distance in (1, 4):
        expected = np.exp(-(distance**2) / (4 * sigma**2))
        down = (inside * field[:, 24 + distance : 36 + distance, 24:36]).mean()
        across = (inside * field[:, 24:36, 24 + distance : 36 + distance]).mean()
        assert down == pytest.approx(expected, abs=0.05)
        assert across == pytest.approx(expected, abs=0.05)
