"""Encoded bytes → pixels: what each format, mode and layout gives, and what is refused."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Literal, cast, get_args

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, features

from app.digit import digit_pixels
from app.errors import EmptyBody, ImageTooLarge, InvalidImage, UnsupportedImage
from app.preprocess import (
    MAX_PIXELS,
    MEGAPIXEL,
    Layout,
    Pixels,
    Preprocess,
    Resample,
    colour,
    decode,
    pixels_from,
    resize,
    sniff,
)
from tests.conftest import encode

LAYOUTS: tuple[Layout, ...] = get_args(Layout)
CHANNELS: tuple[Literal[1, 3], ...] = (1, 3)
WHITE, BLUE, GREY = (255, 255, 255), (0, 0, 255), (90, 90, 90)
as_in_production = pytest.mark.filterwarnings("ignore")  # Pillow warns; only tests make it an error


def corners(height: int = 32, width: int = 48) -> Pixels:
    """Red, green / blue, yellow: not square, and no two of the eight orientations look alike."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (255, 0, 0)
    pixels[: height // 2, width // 2 :] = (0, 255, 0)
    pixels[height // 2 :, : width // 2] = (0, 0, 255)
    pixels[height // 2 :, width // 2 :] = (255, 255, 0)
    return pixels


def gradient(height: int = 48, width: int = 64) -> Pixels:
    """Smooth in every channel, as photographs are."""
    down, across = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    wave = (1 + np.sin(5 * down + 7 * across)) / 2
    return np.asarray(np.stack([255 * down, 255 * across, 255 * wave], axis=-1), np.uint8)


def as_it_is(
    data: bytes, channels: Literal[1, 3] = 3, background: tuple[int, int, int] = WHITE
) -> Pixels:
    """The pixels of a whole picture, without resizing."""
    width, height = decode(data).size
    return pixels_from(data, Preprocess(height, width, channels, background=background))


def chunk(name: bytes, data: bytes) -> bytes:
    """One chunk of a PNG, with the right checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, depth: int, colour_type: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG written by hand: `rows` each begin with their filter byte, `extra` are chunks."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    chunks = (chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(rows)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND", b"")


def difference(left: Pixels, right: Pixels) -> float:
    return float(np.abs(left.astype(int) - right.astype(int)).mean())


needs_webp = pytest.mark.skipif(not features.check("webp"), reason="Pillow is built without WebP")
needs_avif = pytest.mark.skipif(not features.check("avif"), reason="Pillow is built without AVIF")

FORMATS = [
    "JPEG",
    "PNG",
    "GIF",
    "BMP",
    pytest.param("WEBP", marks=needs_webp),
    pytest.param("AVIF", marks=needs_avif),
]
NOT_ALLOWED = {
    "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>',
    "XML": b"<?xml version='1.0'?><svg/>",
    "ZIP": b"PK\x03\x04\x14\x00\x00\x00\x08\x00",
    "TIFF": encode(corners(), "TIFF"),
    "TIFF, big endian": b"MM\x00*\x00\x00\x00\x08\x00\x00",
    "ICO": encode(corners(), "ICO"),
    "PSD": b"8BPS\x00\x01" + bytes(20),
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n",
    "TGA": encode(corners(), "TGA"),
    "PPM": encode(corners(), "PPM"),
    "ELF": b"\x7fELF\x02\x01\x01" + bytes(9),
    "MP4": b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00",
    "HEIC": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00",
    "WAV": b"RIFF\x24\x00\x00\x00WAVEfmt ",
    "HTML": b"<!doctype html><script>alert(1)</script>",
    "text": "Grüße, this is no image at all.\n".encode(),
    "one byte": b"\xff",
    "part of a signature": b"\x89PNG\r\n",
    "a PNG after a blank line": b"\n" + encode(corners()),
}


# --- Formats ---


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_format_is_told_by_its_content(format_name: str) -> None:
    assert sniff(encode(corners(), format_name)) == format_name


@pytest.mark.parametrize("kind", NOT_ALLOWED)
def test_what_is_not_on_the_list_is_unsupported(kind: str) -> None:
    data = NOT_ALLOWED[kind]
    assert sniff(data) is None
    with pytest.raises(UnsupportedImage, match=f"the {len(data)} bytes received") as caught:
        pixels_from(data, Preprocess(4, 4))
    assert "JPEG, PNG, WebP, GIF, BMP or AVIF" in str(caught.value)


def test_no_bytes_are_an_empty_body() -> None:
    assert sniff(b"") is None
    with pytest.raises(EmptyBody):
        pixels_from(b"", Preprocess(4, 4))


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("format_name", FORMATS)
def test_every_allowed_format_gives_the_pixels_that_were_encoded(
    format_name: str, channels: Literal[1, 3]
) -> None:
    pixels = as_it_is(encode(gradient(), format_name), channels)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (48, 64, channels)
    expected = gradient() if channels == 3 else grey_of(gradient())
    bound = 0 if format_name in {"PNG", "BMP"} else 12 if format_name == "GIF" else 5
    assert difference(pixels, expected) <= bound


def grey_of(pixels: Pixels) -> Pixels:
    """ITU-R BT.601 luma, rounded as Pillow does."""
    return np.asarray(Image.fromarray(pixels).convert("L"))[..., None]


@pytest.mark.parametrize("version", [b"GIF87a", b"GIF89a"])
def test_both_versions_of_gif_are_read(version: bytes) -> None:
    data = version + encode(corners(), "GIF")[6:]
    assert np.array_equal(as_it_is(data), corners())


@pytest.mark.parametrize(
    "tail",
    [b"\x00" * 100, b"<?php system('id'); ?>", b"PK\x03\x04", b"\x00\x00\x00\x18ftypmp42" * 20],
    ids=["zeros", "PHP", "ZIP", "video"],
)
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "GIF"])
def test_what_follows_the_image_is_ignored(format_name: str, tail: bytes) -> None:
    data = encode(corners(), format_name)
    assert np.array_equal(as_it_is(data + tail), as_it_is(data))


def phone_photo(width: int, height: int) -> bytes:
    """An MPO: a JPEG with a second one behind it, as phones write depth and gain maps."""
    first, second = Image.new("RGB", (width, height), "red"), Image.new("RGB", (8, 8), "blue")
    return encode(first, "MPO", save_all=True, append_images=[second])


def test_a_phone_photo_with_a_second_picture_in_it_is_taken_as_a_jpeg() -> None:
    data = phone_photo(48, 32)
    assert sniff(data) == "JPEG"
    assert np.array_equal(
        as_it_is(data), as_it_is(encode(Image.new("RGB", (48, 32), "red"), "JPEG"))
    )


def test_a_phone_photo_of_twelve_megapixels_is_within_the_limit_of_jpeg() -> None:
    pixels = pixels_from(phone_photo(4032, 3024), Preprocess(8, 8))
    assert np.array_equal(pixels, np.full((8, 8, 3), (254, 0, 0), np.uint8))


@as_in_production
def test_a_phone_photo_with_a_broken_index_is_still_a_jpeg() -> None:
    data = phone_photo(48, 32)
    broken = data.replace(b"MPF\x00II", b"MPF\x00XX")
    assert broken != data
    assert np.array_equal(as_it_is(broken), as_it_is(data))


# --- Orientation ---

# What a camera held in each way writes: the upright picture turned, and the tag to turn it back.
AS_STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def stored(orientation: int, format_name: str, pixels: Pixels, **options: object) -> bytes:
    image, method = Image.fromarray(pixels), AS_STORED[orientation]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return encode(
        image if method is None else image.transpose(method), format_name, exif=exif, **options
    )


@pytest.mark.parametrize("orientation", AS_STORED)
@pytest.mark.parametrize(
    ("format_name", "options"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("PNG", {}),
        pytest.param("WEBP", {"lossless": True}, marks=needs_webp),
        pytest.param("AVIF", {"quality": 95, "subsampling": "4:4:4"}, marks=needs_avif),
    ],
)
def test_every_orientation_comes_out_upright(
    format_name: str, options: dict[str, object], orientation: int
) -> None:
    data = stored(orientation, format_name, corners(), **options)
    pixels = pixels_from(data, Preprocess(32, 48))
    assert np.abs(pixels.astype(int) - corners()).max() <= 2


@pytest.mark.parametrize("orientation", AS_STORED)
def test_orientation_is_applied_before_the_layout(orientation: int) -> None:
    stripes = np.zeros((30, 90, 3), np.uint8)
    stripes[:, 30:60] = (0, 255, 0)
    pixels = pixels_from(stored(orientation, "PNG", stripes), Preprocess(30, 30, layout="crop"))
    assert np.array_equal(pixels, stripes[:, 30:60])


@pytest.mark.parametrize("value", [0, 9, 255, 65535])
def test_an_orientation_that_does_not_exist_counts_as_none(value: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = value
    assert np.array_equal(as_it_is(encode(corners(), "PNG", exif=exif)), corners())


ENTRY = b"\x0f\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"
BROKEN_EXIF = {
    "empty": b"",
    "only a byte order": b"II*\x00",
    "no TIFF at all": b"garbage garbage garbage",
    "a directory beyond the end": b"II*\x00\xff\xff\xff\xff",
    "five entries announced, one there": b"II*\x00\x08\x00\x00\x00\x05\x00" + ENTRY,
    "a directory that leads to itself": (
        b"II*\x00\x08\x00\x00\x00\x01\x00" + ENTRY + b"\x08\x00\x00\x00"
    ),
    "orientation as text": (
        b"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x02\x00\x01\x00\x00\x00x\x00\x00\x00" + bytes(4)
    ),
    "orientation of an unknown type": (
        b"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x63\x00\x01\x00\x00\x00\x06\x00\x00\x00"
        + bytes(4)
    ),
    "orientation at an impossible place": (
        b"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\xff\xff\x00\x00\xff\xff\xff\x7f"
        + bytes(4)
    ),
}


@as_in_production
@pytest.mark.parametrize("kind", BROKEN_EXIF)
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", pytest.param("WEBP", marks=needs_webp)])
def test_broken_exif_is_ignored(format_name: str, kind: str) -> None:
    options = {"lossless": True} if format_name == "WEBP" else {}
    data = encode(corners(), format_name, exif=b"Exif\x00\x00" + BROKEN_EXIF[kind], **options)
    assert np.array_equal(as_it_is(data), as_it_is(encode(corners(), format_name, **options)))


# --- Colour ---


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


# --- Animations ---


@pytest.mark.parametrize(
    ("format_name", "options"),
    [
        ("GIF", {}),
        ("GIF", {"disposal": 2}),
        ("PNG", {}),
        ("PNG", {"default_image": True}),
        pytest.param("WEBP", {"lossless": True}, marks=needs_webp),
        pytest.param("AVIF", {"quality": 95, "subsampling": "4:4:4"}, marks=needs_avif),
    ],
)
def test_an_animation_is_its_first_frame(format_name: str, options: dict[str, object]) -> None:
    frames = [Image.new("RGB", (48, 32), name) for name in ("magenta", "cyan")]
    first = Image.fromarray(corners())
    data = encode(first, format_name, save_all=True, append_images=frames, **options)
    opened = decode(data)
    assert getattr(opened, "n_frames", 1) >= 3
    assert np.abs(as_it_is(data).astype(int) - corners()).max() <= 2


@as_in_production
def test_a_broken_animation_header_leaves_the_still_picture() -> None:
    data = encode(corners())
    control = chunk(b"acTL", b"\x00\x00\x00\x00\x00\x00\x00\x00")
    assert np.array_equal(as_it_is(data[:33] + control + data[33:]), corners())


# --- Limits ---


def jpeg_of(width: int, height: int, progressive: bool = False) -> bytes:
    """A JPEG whose header announces that size; its data stops long before."""
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    data = encode(noise, "JPEG", progressive=progressive)
    frame = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    return data[: frame + 5] + struct.pack(">HH", height, width) + data[frame + 9 : -12]


def gif_of(width: int, height: int) -> bytes:
    data = encode(Image.new("L", (16, 16)), "GIF")
    return data[:6] + struct.pack("<HH", width, height) + data[10:40]


def bmp_of(width: int, height: int) -> bytes:
    data = encode(Image.new("RGB", (16, 16)), "BMP")
    return data[:18] + struct.pack("<ii", width, height) + data[26:]


def webp_of(width: int, height: int) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    data = encode(noise, "WEBP", lossless=True)
    start = data.index(b"VP8L") + 9
    bits = int.from_bytes(data[start : start + 4], "little") >> 28 << 28
    bits |= (width - 1) | (height - 1) << 14
    return data[:start] + bits.to_bytes(4, "little") + data[start + 4 :]


def apng_of(width: int, height: int) -> bytes:
    control = struct.pack(">IIIIIHHBB", 0, width, height, 0, 0, 1, 1, 0, 0)
    frames = chunk(b"acTL", struct.pack(">II", 2, 0)), chunk(b"fcTL", control)
    return png(width, height, 1, 0, b"", *frames)


def progressive_jpeg_of(width: int, height: int) -> bytes:
    return jpeg_of(width, height, progressive=True)


def png_of(width: int, height: int) -> bytes:
    return png(width, height, 1, 0, b"")


ANNOUNCED: dict[str, tuple[Callable[[int, int], bytes], int, int]] = {
    "JPEG": (jpeg_of, 10000, 5000),
    "progressive JPEG": (progressive_jpeg_of, 5000, 5000),
    "PNG": (png_of, 5000, 5000),
    "GIF": (gif_of, 4000, 4000),
    "BMP": (bmp_of, 5000, 5000),
    "WEBP": (webp_of, 5000, 5000),
    "animation": (apng_of, 2000, 2000),
}


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=needs_webp) if kind == "WEBP" else kind for kind in ANNOUNCED],
)
def test_a_size_over_the_limit_is_refused_before_anything_is_decoded(kind: str) -> None:
    announce, width, height = ANNOUNCED[kind]
    assert width * height == MAX_PIXELS[kind]
    with pytest.raises(InvalidImage):  # within the limit: the decoder looked, and found no pixels
        pixels_from(announce(width, height), Preprocess(4, 4))
    message = (
        f"At most {MAX_PIXELS[kind] // MEGAPIXEL} megapixels .* {kind}; .* {width}×{height + 1}"
    )
    with pytest.raises(ImageTooLarge, match=message):
        pixels_from(announce(width, height + 1), Preprocess(4, 4))


def picture_of_kind(kind: str) -> bytes:
    """48 × 32 pixels of each kind in the table of limits."""
    image = Image.fromarray(corners())
    if kind == "animation":
        return encode(image, "GIF", save_all=True, append_images=[Image.new("RGB", image.size)])
    if kind == "progressive JPEG":
        return encode(image, "JPEG", progressive=True)
    return encode(image, kind)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=needs_webp)
        if kind == "WEBP"
        else pytest.param(kind, marks=needs_avif)
        if kind == "AVIF"
        else kind
        for kind in MAX_PIXELS
    ],
)
def test_each_kind_of_image_has_its_own_limit(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = picture_of_kind(kind)
    for other in MAX_PIXELS:
        monkeypatch.setitem(MAX_PIXELS, other, 0)
    monkeypatch.setitem(MAX_PIXELS, kind, 48 * 32)
    assert pixels_from(data, Preprocess(4, 4)).shape == (4, 4, 3)
    monkeypatch.setitem(MAX_PIXELS, kind, 48 * 32 - 1)
    with pytest.raises(ImageTooLarge, match=f"{kind}; received 48×32"):
        pixels_from(data, Preprocess(4, 4))


@pytest.mark.parametrize(
    ("format_name", "options"),
    [
        ("PNG", {}),
        pytest.param("WEBP", {}, marks=needs_webp),
        pytest.param("AVIF", {}, marks=needs_avif),
    ],
)
def test_an_animation_has_the_limit_of_animations_in_every_format(
    format_name: str, options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [Image.new("RGB", (48, 32))]
    data = encode(corners(), format_name, save_all=True, append_images=frames, **options)
    monkeypatch.setitem(MAX_PIXELS, "animation", 48 * 32)
    assert pixels_from(data, Preprocess(4, 4)).shape == (4, 4, 3)
    monkeypatch.setitem(MAX_PIXELS, "animation", 48 * 32 - 1)
    with pytest.raises(ImageTooLarge, match="animation"):
        pixels_from(data, Preprocess(4, 4))


def test_twenty_five_megapixels_in_three_kilobytes_are_read_and_one_row_more_is_not() -> None:
    largest = encode(Image.new("1", (5000, 5000)))
    assert len(largest) < 4000
    assert pixels_from(largest, Preprocess(4, 4)).max() == 0
    with pytest.raises(ImageTooLarge, match="received 5000×5001"):
        pixels_from(encode(Image.new("1", (5000, 5001))), Preprocess(4, 4))


BOMBS = {
    "a little over Pillow's warning": png_of(9500, 9500),
    "a little over Pillow's error": png_of(13400, 13400),
    "PNG": png_of(2**31 - 1, 2**31 - 1),
    "JPEG": jpeg_of(65500, 65500),
    "GIF": gif_of(65535, 65535),
    "BMP": bmp_of(2**30, 2**30),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_too_large_when_warnings_are_errors(kind: str) -> None:
    with pytest.raises(ImageTooLarge, match="Scale the image down"):
        pixels_from(BOMBS[kind], Preprocess(4, 4))


@as_in_production
@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_too_large_when_warnings_are_none(kind: str) -> None:
    with pytest.raises(ImageTooLarge, match="Scale the image down"):
        pixels_from(BOMBS[kind], Preprocess(4, 4))


@pytest.mark.parametrize(("width", "height"), [(1, 1_000_000), (60_000, 3)])
def test_a_long_thread_within_the_limit_is_read(width: int, height: int) -> None:
    data = encode(Image.new("1", (width, height), 1))
    for layout in LAYOUTS:
        preprocess = Preprocess(28, 28, 1, layout)
        assert pixels_from(data, preprocess).shape == (28, 28, 1)


# --- Damage ---


DAMAGED_KINDS = [
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("PNG", {}),
    ("GIF", {}),
    ("BMP", {}),
    pytest.param("WEBP", {}, marks=needs_webp),
    pytest.param("WEBP", {"lossless": True}, marks=needs_webp),
    pytest.param("AVIF", {}, marks=needs_avif),
]


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 0.9])
@pytest.mark.parametrize(("format_name", "options"), DAMAGED_KINDS)
def test_an_image_cut_short_is_invalid(
    format_name: str, options: dict[str, object], share: float
) -> None:
    data = encode(gradient(), format_name, **options)
    cut = data[: int(len(data) * share)]
    for preprocess in (Preprocess(8, 8), Preprocess(28, 28, 1, "digit")):
        for _ in range(3):  # and never what somebody else left in memory
            with pytest.raises(InvalidImage, match="cut short or damaged"):
                pixels_from(cut, preprocess)


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_signature_with_nothing_behind_it_is_invalid(format_name: str) -> None:
    signature = encode(corners(), format_name)[:12]
    with pytest.raises(InvalidImage, match=f"begin like {format_name}"):
        pixels_from(signature, Preprocess(4, 4))


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_signature_with_rubbish_behind_it_is_invalid(format_name: str) -> None:
    data = encode(corners(), format_name)[:12] + b"rubbish" * 60
    with pytest.raises(InvalidImage, match=f"begin like {format_name}"):
        pixels_from(data, Preprocess(4, 4))


def wiped(data: bytes, start: int, length: int) -> bytes:
    """The same bytes, some of them turned to zero."""
    return data[:start] + bytes(length) + data[start + length :]


def flipped(data: bytes, position: int) -> bytes:
    """The same bytes, one of them turned inside out."""
    return data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :]


PNG_FILE, GIF_FILE, BMP_FILE = (encode(gradient(), name) for name in ("PNG", "GIF", "BMP"))
DAMAGED = {
    "PNG, its middle wiped": wiped(PNG_FILE, len(PNG_FILE) // 2, 40),
    "PNG, the checksum of its pixels flipped": flipped(PNG_FILE, len(PNG_FILE) - 18),
    "PNG, the checksum of its header flipped": flipped(PNG_FILE, 30),
    "PNG of no pixels": png(0, 0, 8, 2, b""),
    "PNG of no columns": png(0, 5, 8, 2, b""),
    "PNG without pixels": png(4, 4, 8, 2, b""),
    "PNG of an unknown colour type": png(1, 1, 8, 5, b"\x00\x00"),
    "PNG of three bits": png(1, 1, 3, 0, b"\x00\x00"),
    "PNG whose palette is missing": png(2, 1, 8, 3, b"\x00\x00\x00"),
    "PNG with a text that unfolds to 2 MB": png(
        1, 1, 8, 0, b"\x00\x00", chunk(b"zTXt", b"a\x00\x00" + zlib.compress(bytes(2_000_000)))
    ),
    "GIF, a frame of no pixels": wiped(GIF_FILE, GIF_FILE.index(b",\x00\x00\x00\x00") + 5, 4),
    "GIF without frames": GIF_FILE[: GIF_FILE.index(b",\x00\x00\x00\x00")] + b";",
    "BMP of no columns": wiped(BMP_FILE, 18, 4),
    "BMP of no rows": wiped(BMP_FILE, 22, 4),
    "BMP of no bits": wiped(BMP_FILE, 28, 2),
    "JPEG whose tables are missing": encode(gradient(), "JPEG").replace(b"\xff\xdb", b"\xff\xfe"),
    "JPEG of nothing but its ends": b"\xff\xd8\xff\xd9",
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_image_is_invalid(kind: str) -> None:
    with pytest.raises(InvalidImage):
        pixels_from(DAMAGED[kind], Preprocess(4, 4))


SMALL = Image.fromarray(corners(9, 13))
OTHER = Image.new("RGB", (13, 9), "magenta")
SEEDS = [
    stored(6, "JPEG", corners(9, 13)),
    encode(SMALL, "JPEG", progressive=True),
    encode(SMALL.convert("CMYK"), "JPEG"),
    encode(SMALL, "MPO", save_all=True, append_images=[OTHER]),
    *(encode(SMALL.convert(mode)) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")),
    encode(Image.fromarray(np.arange(96, dtype=np.uint16).reshape(8, 12) * 600)),
    encode(SMALL.convert("P"), transparency=3),
    encode(SMALL.convert("L"), transparency=3),
    encode(SMALL, "PNG", save_all=True, append_images=[OTHER]),
    encode(SMALL, "GIF"),
    encode(SMALL, "GIF", save_all=True, append_images=[OTHER], disposal=2),
    *(encode(SMALL.convert(mode), "BMP") for mode in ("1", "L", "RGB", "RGBA")),
]
if features.check("webp"):
    SEEDS += [
        stored(6, "WEBP", corners(9, 13)),
        encode(SMALL.convert("RGBA"), "WEBP", lossless=True),
        encode(SMALL, "WEBP", save_all=True, append_images=[OTHER]),
    ]
if features.check("avif"):
    SEEDS += [
        stored(6, "AVIF", corners(9, 13)),
        encode(SMALL, "AVIF", save_all=True, append_images=[OTHER], speed=10),
    ]

EDITS = st.lists(
    st.tuples(
        st.sampled_from(["set", "flip", "insert", "delete", "cut"]),
        st.one_of(st.floats(0, 1), st.floats(0, 0.1)),  # headers are at the beginning
        st.integers(0, 255),
    ),
    max_size=6,
)


def edited(data: bytes, edits: list[tuple[str, float, int]], repair: bool) -> bytes:
    for what, place, value in edits:
        at = int(place * len(data))
        middle = data[at : at + 1]
        if what == "set":
            middle = bytes([value]) if middle else b""
        elif what == "flip":
            middle = bytes([middle[0] ^ (1 << value % 8)]) if middle else b""
        elif what == "insert":
            middle = bytes([value]) * (1 + value % 5) + middle
        elif what == "delete":
            middle = b""
        data = data[:at] + middle + (b"" if what == "cut" else data[at + 1 :])
    return with_right_checksums(data) if repair and sniff(data) == "PNG" else data


def with_right_checksums(data: bytes) -> bytes:
    """A changed PNG whose chunks are believed: damage gets past the checksums."""
    out, at = data[:8], 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        out += chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length])
        at += 12 + length
    return out


@as_in_production
@settings(max_examples=500, deadline=None, database=None)
@given(
    seed=st.sampled_from(SEEDS),
    edits=EDITS,
    repair=st.booleans(),
    channels=st.sampled_from(CHANNELS),
    layout=st.sampled_from(LAYOUTS),
)
def test_whatever_is_done_to_an_image_it_gives_pixels_or_one_of_four_errors(
    seed: bytes,
    edits: list[tuple[str, float, int]],
    repair: bool,
    channels: Literal[1, 3],
    layout: Layout,
) -> None:
    preprocess = Preprocess(5, 7, 1 if layout == "digit" else channels, layout)
    try:
        pixels = pixels_from(edited(seed, edits, repair), preprocess)
    except (EmptyBody, UnsupportedImage, InvalidImage, ImageTooLarge):
        return
    assert pixels.shape == (5, 7, preprocess.channels)
    assert pixels.dtype == np.uint8


@settings(max_examples=300, deadline=None, database=None)
@given(signature=st.sampled_from([seed[:12] for seed in SEEDS]), rest=st.binary(max_size=200))
def test_random_bytes_behind_a_signature_give_pixels_or_an_error(
    signature: bytes, rest: bytes
) -> None:
    try:
        pixels = pixels_from(signature + rest, Preprocess(5, 7))
    except (UnsupportedImage, InvalidImage, ImageTooLarge):
        return
    assert pixels.shape == (5, 7, 3)


# --- Layouts ---


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


def test_pixels_do_not_depend_on_whether_a_layer_of_opaque_alpha_is_there() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (33, 47, 3), np.uint8)
    opaque = encode(Image.fromarray(noise).convert("RGBA"))
    for layout in ("squash", "crop", "pad"):
        preprocess = Preprocess(20, 20, layout=layout)
        assert np.array_equal(
            pixels_from(opaque, preprocess), pixels_from(encode(noise), preprocess)
        )


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


# --- The JPEG decoder's shortcut ---


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


@pytest.mark.parametrize(
    ("width", "height", "sufficient", "decoded"),
    [
        (800, 600, (28, 28), (100, 75)),  # an eighth is all that libjpeg offers
        (800, 600, (75, 75), (100, 75)),
        (800, 600, (76, 76), (200, 150)),
        (800, 600, (76, 10), (200, 150)),  # either way up
        (800, 600, (10, 76), (200, 150)),
        (800, 600, (600, 600), (800, 600)),
        (800, 600, (601, 601), (800, 600)),
        (16, 16, (224, 224), (16, 16)),
    ],
)
def test_a_jpeg_is_decoded_at_the_smallest_scale_that_covers_the_target(
    width: int, height: int, sufficient: tuple[int, int], decoded: tuple[int, int]
) -> None:
    data = encode(Image.new("RGB", (width, height)), "JPEG")
    assert decode(data, sufficient).size == decoded
    assert decode(data).size == (width, height)


@settings(max_examples=150, deadline=None, database=None)
@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    target=st.tuples(st.integers(1, 64), st.integers(1, 64)),
    progressive=st.booleans(),
)
def test_a_jpeg_is_never_decoded_smaller_than_the_target_either_way_up(
    size: tuple[int, int], target: tuple[int, int], progressive: bool
) -> None:
    data = encode(Image.new("L", size), "JPEG", progressive=progressive)
    decoded = decode(data, target)
    for covered in (target, target[::-1]):
        assert decoded.width >= min(size[0], covered[0])
        assert decoded.height >= min(size[1], covered[1])


def test_no_other_format_has_a_shortcut() -> None:
    assert decode(encode(gradient(300, 400)), (28, 28)).size == (400, 300)


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


@needs_avif
def test_an_avif_whose_brand_is_a_compatible_one_is_taken() -> None:
    file = encode(Image.new("RGB", (4, 4), (255, 0, 0)), "AVIF").replace(b"ftypavif", b"ftypmif1")
    assert sniff(file) == "AVIF"
    assert pixels_from(file, Preprocess(1, 1))[0, 0, 0] > 200
