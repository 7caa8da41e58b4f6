"""EXIF: every picture comes out upright, and a broken tag is none."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import ExifTags, Image

from app.preprocess import Preprocess, pixels_from
from tests.app.pictures import (
    AS_STORED,
    as_in_production,
    as_it_is,
    corners,
    needs_avif,
    needs_webp,
    stored,
)
from tests.conftest import encode


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
