from __future__ import annotations

import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn
from numpy.typing import NDArray
from PIL import Image

from app.preprocess import Preprocess, pixels_from
from training.png import png

SIDES = st.tuples(st.integers(1, 30), st.integers(1, 30))
GREY = SIDES.flatmap(lambda sides: stn.arrays(np.uint8, (*sides, 1)))
RGB = SIDES.flatmap(lambda sides: stn.arrays(np.uint8, (*sides, 3)))


@settings(deadline=None)
@given(GREY | RGB)
def test_pixels_come_back_from_a_png_to_the_byte(pixels: NDArray[np.uint8]) -> None:
    data = png(pixels)
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"
        assert image.mode == ("L" if pixels.shape[-1] == 1 else "RGB")
        assert np.array_equal(np.asarray(image).reshape(pixels.shape), pixels)


@settings(deadline=None)
@given(GREY | RGB)
def test_the_service_reads_the_same_pixels_from_the_png(pixels: NDArray[np.uint8]) -> None:
    height, width, channels = pixels.shape
    preprocess = Preprocess(height, width, channels=1 if channels == 1 else 3)
    assert np.array_equal(pixels_from(png(pixels), preprocess), pixels)
