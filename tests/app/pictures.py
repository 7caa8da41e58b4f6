"""The pictures that tests of decoding and preprocessing share, and what is known of each."""

from __future__ import annotations

import struct
import zlib
from typing import Literal, get_args

import numpy as np
import pytest
from PIL import ExifTags, Image, features

from app.decode import decode
from app.preprocess import Layout, Pixels, Preprocess, pixels_from
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


def grey_of(pixels: Pixels) -> Pixels:
    """ITU-R BT.601 luma, rounded as Pillow does."""
    return np.asarray(Image.fromarray(pixels).convert("L"))[..., None]


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
