"""Any mode → grey or RGB: depth, palettes, transparency, CMYK."""

from __future__ import annotations

from typing import Literal, cast

import numpy as np
import pytest
from PIL import Image

from app.decode import decode
from app.preprocess import Preprocess, colour, pixels_from
from tests.app.pictures import (
    BLUE,
    CHANNELS,
    GREY,
    WHITE,
    as_it_is,
    chunk,
    corners,
    difference,
    gradient,
    needs_avif,
    needs_webp,
    png,
)
from tests.conftest import encode


@pytest.mark.parametrize("channels", CHANNELS)
def test_sixteen_bit_grey_equals_its_eight_bit_twin(channels: Literal[1, 3]) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(8, 32)
    wide = encode(Image.fromarray(levels.astype(np.uint16) * 257))
    assert decode(wide).mode == "I;16"
    assert np.array_equal(as_it_is(wide, channels), as_it_is(encode(levels), channels))


def test_sixteen_bit_grey_is_scaled_to_the_nearest_of_eight_bits() -> None:
    levels = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    expected = np.rint(levels / 257).astype(np.uint8)
    assert np.array_equal(as_it_is(encode(Image.fromarray(levels)), 1)[..., 0], expected)


@pytest.mark.parametrize(
    ("colour_type", "samples", "background"),
    [(2, 3, WHITE), (4, 2, BLUE), (6, 4, BLUE)],
    ids=["RGB", "grey and alpha", "RGBA"],
)
def test_sixteen_bits_per_sample_equal_eight(
    colour_type: int, samples: int, background: tuple[int, int, int]
) -> None:
    levels = bytes(range(40, 40 + 5 * samples))  # one row of five pixels
    narrow = png(5, 1, 8, colour_type, b"\x00" + levels)
    wide = png(5, 1, 16, colour_type, b"\x00" + bytes(byte for byte in levels for _ in "hi"))
    assert np.array_equal(
        as_it_is(wide, background=background), as_it_is(narrow, background=background)
    )


def test_one_bit_is_black_and_white() -> None:
    bits = np.indices((6, 10)).sum(axis=0) % 2 == 0
    data = encode(Image.fromarray(bits))
    assert decode(data).mode == "1"
    assert np.array_equal(as_it_is(data, 1)[..., 0], bits * np.uint8(255))


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_grey_of_few_bits_spans_black_to_white(depth: int) -> None:
    data = png(2, 1, depth, 0, bytes([0, (2**depth - 1) << (8 - 2 * depth)]))
    assert as_it_is(data, 1).ravel().tolist() == [0, 255]


def test_a_palette_gives_its_colours() -> None:
    data = encode(Image.fromarray(corners()).quantize(4))
    assert decode(data).mode == "P"
    assert np.array_equal(as_it_is(data), corners())


def half_transparent(alpha: int) -> Image.Image:
    """The four corners; the lower half has that alpha."""
    image = Image.fromarray(corners()).convert("RGBA")
    mask = Image.new("L", image.size, 255)
    mask.paste(alpha, (0, 16, 48, 32))
    image.putalpha(mask)
    return image


def palette_with_a_transparent_colour() -> bytes:
    image = Image.fromarray(corners()).quantize(4)
    index = cast("int", image.getpixel((0, 0)))
    return encode(image, transparency=index)


def palette_with_alpha_for_each_colour() -> bytes:
    rows = b"\x00\x00\x01\x02"
    palette = chunk(b"PLTE", bytes([200, 0, 0, 0, 200, 0, 0, 0, 200]))
    return png(3, 1, 8, 3, rows, palette, chunk(b"tRNS", b"\x00\x80\xff"))


@pytest.mark.parametrize("background", [WHITE, BLUE, GREY])
@pytest.mark.parametrize("alpha", [0, 1, 128, 254, 255])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_laid_on_the_background(
    mode: str, alpha: int, background: tuple[int, int, int]
) -> None:
    image = half_transparent(alpha).convert(mode)
    pixels = as_it_is(encode(image), background=background)
    opaque = np.asarray(image.convert("RGB")).astype(float)
    expected = opaque.copy()
    expected[16:] = (opaque[16:] * alpha + np.array(background) * (255 - alpha)) / 255
    assert np.abs(pixels - expected).max() <= 1


@pytest.mark.parametrize(
    "format_name", [pytest.param("WEBP", marks=needs_webp), pytest.param("AVIF", marks=needs_avif)]
)
def test_alpha_of_other_formats_is_laid_on_the_background_too(format_name: str) -> None:
    pixels = as_it_is(encode(half_transparent(0), format_name, quality=100), background=BLUE)
    assert np.abs(pixels[20:28].astype(int) - BLUE).max() <= 3
    assert difference(pixels[:12], corners()[:12]) <= 3


def test_the_background_is_white_unless_told_otherwise() -> None:
    pixels = pixels_from(encode(half_transparent(0)), Preprocess(32, 48))
    assert np.array_equal(pixels[16:], np.full((16, 48, 3), 255, np.uint8))


@pytest.mark.parametrize(("background", "luma"), [(WHITE, 255), (GREY, 90), ((255, 0, 0), 76)])
def test_transparent_pixels_have_the_background_as_grey_too(
    background: tuple[int, int, int], luma: int
) -> None:
    pixels = as_it_is(encode(half_transparent(0)), 1, background)
    assert np.unique(pixels[16:]).tolist() == [luma]


@pytest.mark.parametrize("background", [WHITE, BLUE])
def test_the_transparent_colour_of_a_palette_is_laid_on_the_background(
    background: tuple[int, int, int],
) -> None:
    pixels = as_it_is(palette_with_a_transparent_colour(), background=background)
    expected = corners()
    expected[:16, :24] = background
    assert np.array_equal(pixels, expected)


def test_every_colour_of_a_palette_has_its_own_alpha() -> None:
    pixels = as_it_is(palette_with_alpha_for_each_colour(), background=(0, 0, 100))
    assert pixels.tolist() == [[[0, 0, 100], [0, 100, 50], [0, 0, 200]]]


@pytest.mark.parametrize("background", [WHITE, GREY])
@pytest.mark.parametrize(
    ("depth", "colour_type", "row", "key"),
    [
        (1, 0, b"\x00\x40", b"\x00\x00"),
        (2, 0, b"\x00\x10", b"\x00\x00"),
        (4, 0, b"\x00\x01", b"\x00\x00"),
        (8, 0, b"\x00\x40\x80", b"\x00\x40"),
        (16, 0, b"\x00\x40\x40\x80\x80", b"\x40\x40"),
        (8, 2, b"\x00\x40\x40\x40\x80\x80\x80", b"\x00\x40" * 3),
        (16, 2, b"\x00" + b"\x40" * 6 + b"\x80" * 6, b"\x40\x40" * 3),
    ],
    ids=["1-bit grey", "2-bit grey", "4-bit grey", "grey", "16-bit grey", "RGB", "16-bit RGB"],
)
def test_the_transparent_colour_of_a_png_is_laid_on_the_background(
    depth: int, colour_type: int, row: bytes, key: bytes, background: tuple[int, int, int]
) -> None:
    transparent, opaque = (
        as_it_is(png(2, 1, depth, colour_type, row, *extra), background=background)[0]
        for extra in ([chunk(b"tRNS", key)], [])
    )
    assert transparent[0].tolist() == list(background)
    assert np.array_equal(transparent[1], opaque[1])


def test_a_transparent_gif_is_laid_on_the_background() -> None:
    image = Image.fromarray(corners()).quantize(4)
    data = encode(image, "GIF", transparency=image.getpixel((0, 0)))
    expected = corners()
    expected[:16, :24] = BLUE
    assert np.array_equal(as_it_is(data, background=BLUE), expected)


def test_cmyk_becomes_rgb() -> None:
    image = Image.fromarray(corners()).convert("CMYK")
    assert np.array_equal(np.asarray(colour(image, Preprocess(32, 48))), corners())


def test_a_cmyk_jpeg_looks_like_its_rgb_twin() -> None:
    data = encode(Image.fromarray(gradient()).convert("CMYK"), "JPEG", quality=95)
    assert decode(data).mode == "CMYK"
    assert difference(as_it_is(data), gradient()) <= 3


@pytest.mark.parametrize("channels", CHANNELS)
def test_a_grey_jpeg_equals_itself_in_colour(channels: Literal[1, 3]) -> None:
    grey = Image.fromarray(gradient()).convert("L")
    pixels = as_it_is(encode(grey, "JPEG", quality=95), channels)
    assert difference(pixels, np.repeat(np.asarray(grey)[..., None], channels, axis=2)) <= 2
