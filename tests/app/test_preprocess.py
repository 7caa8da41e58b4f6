"""From bytes to pixels, all steps together."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from app.decode import decode
from app.digit import digit_pixels
from app.preprocess import Layout, Preprocess, pixels_from, resize
from tests.app.pictures import AS_STORED, difference, gradient, stored
from tests.conftest import encode


@pytest.mark.parametrize("orientation", AS_STORED)
@pytest.mark.parametrize("layout", ["squash", "crop", "pad"])
def test_the_shortcut_for_large_jpegs_changes_next_to_nothing(
    layout: Layout, orientation: int
) -> None:
    picture = gradient(600, 800)
    picture[250:350, 350:450] = (250, 240, 30)  # and something with an edge
    data = stored(orientation, "JPEG", picture, quality=90)
    preprocess = Preprocess(32, 48, layout=layout)
    assert decode(data, (32, 48)).width < decode(data).width
    exact = np.asarray(resize(Image.fromarray(picture), preprocess))
    assert difference(pixels_from(data, preprocess), exact) <= 3


def page_with_a_digit(side: int) -> bytes:
    """A seven on paper, in thin strokes."""
    unit, page = side // 40, np.full((side, side), 255, np.uint8)
    page[10 * unit : 11 * unit, 10 * unit : 26 * unit] = 0
    page[10 * unit : 30 * unit, 25 * unit : 26 * unit] = 0
    return encode(page, "JPEG", quality=95)


@pytest.mark.parametrize(("side", "bound"), [(200, 0), (600, 0), (799, 0), (800, 3), (2400, 3)])
def test_the_digit_layout_sees_the_strokes_of_a_large_jpeg(side: int, bound: float) -> None:
    data = page_with_a_digit(side)
    in_full = digit_pixels(np.asarray(decode(data)), 28, 28)
    assert difference(pixels_from(data, Preprocess(28, 28, 1, "digit")), in_full) <= bound


def test_pixels_do_not_depend_on_whether_a_layer_of_opaque_alpha_is_there() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (33, 47, 3), np.uint8)
    opaque = encode(Image.fromarray(noise).convert("RGBA"))
    for layout in ("squash", "crop", "pad"):
        preprocess = Preprocess(20, 20, layout=layout)
        assert np.array_equal(
            pixels_from(opaque, preprocess), pixels_from(encode(noise), preprocess)
        )
