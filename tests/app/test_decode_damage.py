"""Broken and hostile bytes: pixels or one of four errors, never anything else."""

from __future__ import annotations

import zlib
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from app.decode import MEGAPIXEL, MIB, DecodeBudget, sniff
from app.errors import EmptyBody, ImageTooLarge, InvalidImage, UnsupportedImage
from app.preprocess import Layout, Preprocess, pixels_from
from tests.app.pictures import (
    CHANNELS,
    FORMATS,
    LAYOUTS,
    as_in_production,
    chunk,
    corners,
    gradient,
    needs_avif,
    needs_webp,
    png,
    stored,
)
from tests.conftest import encode

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
    pixels_or_one_of_four_errors(edited(seed, edits, repair), preprocess)


def pixels_or_one_of_four_errors(data: bytes, preprocess: Preprocess) -> None:
    """And nothing is left of what was held meanwhile, be the image ever so small."""
    budget = DecodeBudget(50 * MEGAPIXEL, 512 * MIB)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.decode.UNCOUNTED_BYTES", 0)
        try:
            pixels = pixels_from(data, preprocess, budget)
        except (EmptyBody, UnsupportedImage, InvalidImage, ImageTooLarge):
            return
        finally:
            assert budget.bytes_in_use == 0
    assert budget.most_bytes_in_use > 0
    assert pixels.shape == (preprocess.height, preprocess.width, preprocess.channels)
    assert pixels.dtype == np.uint8


NUMBERS = [0, 1, 2, 7, 127, 128, 255, 256, 32767, 32768, 65535, 2**31 - 1, 2**31, 2**32 - 1]


@as_in_production
@settings(max_examples=500, deadline=None, database=None)
@given(
    seed=st.sampled_from(SEEDS),
    places=st.lists(st.tuples(st.integers(0, 400), st.sampled_from([1, 2, 4])), max_size=3),
    number=st.sampled_from(NUMBERS),
    order=st.sampled_from(["big", "little"]),
    repair=st.booleans(),
)
def test_whatever_number_stands_in_a_header_it_gives_pixels_or_one_of_four_errors(
    seed: bytes,
    places: list[tuple[int, int]],
    number: int,
    order: Literal["big", "little"],
    repair: bool,
) -> None:
    data = seed
    for at, length in places:
        written = (number % 256**length).to_bytes(length, order)
        data = data[:at] + written + data[at + length :]
    if repair and sniff(data) == "PNG":
        data = with_right_checksums(data)
    pixels_or_one_of_four_errors(data, Preprocess(5, 7))


@as_in_production
@given(st.one_of(st.binary(max_size=300), st.text(max_size=100).map(str.encode)))
def test_any_bytes_give_pixels_or_one_of_four_errors(data: bytes) -> None:
    pixels_or_one_of_four_errors(data, Preprocess(5, 7))


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
