from __future__ import annotations

import struct
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.errors import InvalidImage
from app.pieces import MAX_PIECES, check_pieces
from app.preprocess import Preprocess, pixels_from
from tests.app.pictures import chunk, gradient
from tests.conftest import encode

PNG, GIF = encode(gradient(), "PNG"), encode(gradient(), "GIF")
TEN_MEGABYTES = 10 * 1024 * 1024


def png_of(chunks: int) -> bytes:
    """A PNG of so many chunks."""
    whole = PNG[:33] + chunk(b"teSt", b"") * (chunks - PNG.count(b"IDAT") - 2) + PNG[33:]
    assert whole.count(b"IDAT") == 1
    return whole


def gif_of(blocks: int) -> bytes:
    """A GIF with a comment of so many blocks of one byte."""
    header = 13 + 3 * (2 << (GIF[10] & 7))
    return GIF[:header] + b"!\xfe" + b"\1a" * blocks + b"\0" + GIF[header:]


def stray_gif_of(count: int) -> bytes:
    header = 13 + 3 * (2 << (GIF[10] & 7))
    return GIF[:header] + b"a" * count + GIF[header:]


def gif_of_image_blocks(count: int) -> bytes:
    """A GIF whose picture comes in so many blocks of one byte."""
    header = 13 + 3 * (2 << (GIF[10] & 7))
    return GIF[:header] + b"," + bytes(9) + b"\2" + b"\1a" * count + b"\0;"


def test_frames_behind_the_first_do_not_count() -> None:
    """Of 100,000 frames one is read."""
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2\2\x44\1\0"
    header = 13 + 3 * (2 << (GIF[10] & 7))
    data = GIF[:header] + frame * MAX_PIECES + b";"
    assert pixels_from(data, Preprocess(4, 4)).shape == (4, 4, 3)


def test_as_many_chunks_as_allowed_are_read_and_one_more_is_refused() -> None:
    check_pieces(png_of(MAX_PIECES), "PNG")
    with pytest.raises(InvalidImage, match=f"at most {MAX_PIECES} pieces"):
        check_pieces(png_of(MAX_PIECES + 1), "PNG")


@pytest.mark.parametrize("make", [gif_of, stray_gif_of, gif_of_image_blocks])
def test_a_gif_in_too_many_pieces_is_refused(make: Callable[[int], bytes]) -> None:
    check_pieces(make(MAX_PIECES // 3), "GIF")
    with pytest.raises(InvalidImage, match=f"at most {MAX_PIECES} pieces"):
        check_pieces(make(MAX_PIECES + 1), "GIF")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png_of(TEN_MEGABYTES // 12), id="PNG of empty chunks"),
        pytest.param(gif_of(TEN_MEGABYTES // 2), id="GIF of small blocks"),
        pytest.param(stray_gif_of(TEN_MEGABYTES), id="GIF of stray bytes"),
    ],
)
def test_ten_megabytes_made_to_be_slow_are_not(data: bytes) -> None:
    began = time.process_time()
    with pytest.raises(InvalidImage):
        pixels_from(data, Preprocess(4, 4))
    assert time.process_time() - began < 0.5  # 0.02 here; it took two seconds


@pytest.mark.parametrize("format_name", ["PNG", "GIF"])
def test_large_real_files_are_far_below_the_limit(format_name: str) -> None:
    noise = Image.effect_noise((1500, 1500), 100)
    data = encode(noise, format_name)
    assert len(data) > 1_500_000
    check_pieces(data, format_name)


@given(st.binary(max_size=200), st.sampled_from([b"", GIF[:13], GIF[:40], PNG[:8], PNG[:40]]))
def test_any_bytes_are_walked_to_their_end(tail: bytes, head: bytes) -> None:
    for format_name in ("PNG", "GIF", "JPEG"):
        check_pieces(head + tail, format_name)


@pytest.mark.parametrize(("format_name", "data"), [("PNG", PNG), ("GIF", GIF)])
def test_what_follows_the_picture_does_not_count(format_name: str, data: bytes) -> None:
    check_pieces(data.ljust(TEN_MEGABYTES, b"\0"), format_name)
