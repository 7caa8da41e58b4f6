"""Any size → the size of the model, by each layout and filter."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from app.preprocess import Layout, Preprocess, Resample, pixels_from, resize
from tests.app.pictures import CHANNELS, GREY, LAYOUTS, WHITE, corners, gradient, grey_of
from tests.conftest import encode


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("layout", ["squash", "crop", "pad"])
@pytest.mark.parametrize(
    ("height", "width"),
    [(1, 1), (3, 2), (19, 31), (20, 30), (21, 29), (40, 60), (100, 7), (1, 500), (500, 1)],
)
def test_any_size_becomes_the_size_of_the_model(
    height: int, width: int, layout: Layout, channels: Literal[1, 3]
) -> None:
    pixels = pixels_from(
        encode(np.full((height, width, 3), GREY, np.uint8)),
        Preprocess(20, 30, channels, layout, background=GREY),
    )
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, np.full((20, 30, channels), 90, np.uint8))


@settings(max_examples=300, deadline=None, database=None)
@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    target=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    layout=st.sampled_from(LAYOUTS),
    channels=st.sampled_from(CHANNELS),
    resample=st.sampled_from(get_args(Resample)),
)
@example((55, 55), (28, 28), "crop", 3, "bilinear")  # the scale back is 55.00000000000001
def test_every_size_every_layout_and_every_filter_give_uint8_pixels_of_the_right_shape(
    size: tuple[int, int],
    target: tuple[int, int],
    layout: Layout,
    channels: Literal[1, 3],
    resample: Resample,
) -> None:
    channels = 1 if layout == "digit" else channels
    preprocess = Preprocess(*target, channels, layout, resample)
    pixels = pixels_from(encode(gradient(*size)), preprocess)
    assert pixels.shape == (*target, channels)
    assert pixels.dtype == np.uint8


@pytest.mark.parametrize(
    ("width", "height", "side"),
    [(55, 55, 28), (110, 110, 28), (55, 58, 224), (110, 110, 224), (450, 600, 299), (58, 55, 224)],
)
def test_crop_takes_sizes_whose_scale_is_no_exact_fraction(
    width: int, height: int, side: int
) -> None:
    image = Image.new("L", (width, height), 77)
    assert np.asarray(resize(image, Preprocess(side, side, 1, "crop"))).min() == 77


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("layout", ["squash", "crop", "pad"])
def test_a_picture_of_exactly_the_right_size_passes_untouched(
    layout: Layout, channels: Literal[1, 3]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    pixels = pixels_from(encode(noise), Preprocess(20, 30, channels, layout))
    assert np.array_equal(pixels, noise if channels == 3 else grey_of(noise))


def test_squash_ignores_the_proportions() -> None:
    pixels = pixels_from(encode(corners(40, 40)), Preprocess(10, 40, resample="box"))
    assert np.array_equal(pixels, corners(10, 40))


@pytest.mark.parametrize("side", [5, 10, 20])  # the stripe is scaled down, kept and scaled up
def test_crop_keeps_the_middle_of_a_wide_and_of_a_tall_picture(side: int) -> None:
    stripes = np.zeros((10, 30, 3), np.uint8)
    stripes[:, 10:20] = (0, 255, 0)
    middle = np.full((side, side, 3), (0, 255, 0), np.uint8)
    for pixels in (stripes, stripes.transpose(1, 0, 2).copy()):
        cut = pixels_from(encode(pixels), Preprocess(side, side, layout="crop"))
        assert np.array_equal(cut[1:-1, 1:-1], middle[1:-1, 1:-1])
        assert np.abs(cut.astype(int) - middle).max() <= 64  # filters see a little beyond the cut


def test_crop_keeps_as_much_as_fits() -> None:
    edge = np.zeros((10, 30, 3), np.uint8)
    edge[:, 5:25] = (0, 255, 0)  # all that a 10 × 20 window can see
    cut = pixels_from(encode(edge), Preprocess(10, 20, layout="crop"))
    assert np.array_equal(cut, edge[:, 5:25])


@pytest.mark.parametrize("layout", ["crop", "pad"])
def test_crop_and_pad_keep_the_proportions(layout: Layout) -> None:
    down, across = np.mgrid[0:60, 0:120]
    disc = ((down - 29.5) ** 2 + (across - 59.5) ** 2 <= 20**2) * np.uint8(255)
    pixels = pixels_from(encode(disc), Preprocess(30, 30, 1, layout, background=(0, 0, 0)))[..., 0]
    inside = pixels > 127
    tall, wide = inside.any(axis=1).sum(), inside.any(axis=0).sum()
    assert abs(int(tall) - int(wide)) <= 1
    assert tall == pytest.approx(20 if layout == "crop" else 10, abs=1)


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize(
    ("background", "luma"), [(WHITE, 255), ((0, 0, 0), 0), ((255, 0, 0), 76), ((0, 0, 255), 29)]
)
def test_pad_fills_up_with_the_background(
    background: tuple[int, int, int], luma: int, channels: Literal[1, 3]
) -> None:
    picture = np.full((10, 20, 3), GREY, np.uint8)
    expected = np.zeros((20, 20, 3), np.uint8)
    expected[:] = background if channels == 3 else luma
    expected[5:15] = GREY
    for pixels, wanted in (
        (picture, expected),
        (picture.transpose(1, 0, 2).copy(), expected.transpose(1, 0, 2)),
    ):
        padded = pixels_from(
            encode(pixels), Preprocess(20, 20, channels, "pad", background=background)
        )
        assert np.array_equal(padded, wanted[..., :channels])


@pytest.mark.parametrize("size", [(1, 500), (500, 1), (3, 4000)])
def test_pad_never_loses_a_thin_picture(size: tuple[int, int]) -> None:
    pixels = pixels_from(encode(Image.new("L", size, 0)), Preprocess(28, 28, 1, "pad"))
    assert (pixels == 0).sum() == 28


def test_scaling_down_averages_instead_of_picking() -> None:
    board = (np.indices((80, 80)).sum(axis=0) % 2 * 255).astype(np.uint8)
    pixels = pixels_from(encode(board), Preprocess(10, 10, 1))
    assert 120 <= pixels.min() <= pixels.max() <= 135


def test_the_filter_is_the_one_on_the_card() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)
    results = {
        name: pixels_from(encode(noise), Preprocess(9, 9, 1, resample=name))[..., 0]
        for name in get_args(Resample)
    }
    for name, pixels in results.items():
        wanted = Image.fromarray(noise).resize((9, 9), Image.Resampling[name.upper()])
        assert np.array_equal(pixels, np.asarray(wanted))
    assert len({pixels.tobytes() for pixels in results.values()}) == len(results)
