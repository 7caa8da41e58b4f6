"""Encoded bytes → image: what each format gives, and which bytes are an image at all."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.decode import decode, sniff
from app.errors import EmptyBody, UnsupportedImage
from app.preprocess import Preprocess, pixels_from
from tests.app.pictures import (
    CHANNELS,
    FORMATS,
    as_in_production,
    as_it_is,
    chunk,
    corners,
    difference,
    gradient,
    grey_of,
    needs_avif,
    needs_webp,
)
from tests.conftest import encode

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


@needs_avif
def test_an_avif_whose_brand_is_a_compatible_one_is_taken() -> None:
    file = encode(Image.new("RGB", (4, 4), (255, 0, 0)), "AVIF").replace(b"ftypavif", b"ftypmif1")
    assert sniff(file) == "AVIF"
    assert pixels_from(file, Preprocess(1, 1))[0, 0, 0] > 200


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


# --- The JPEG decoder's shortcut ---


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
