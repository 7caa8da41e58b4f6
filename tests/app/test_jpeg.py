"""How a JPEG is built, told from its markers, and what is built to be slow."""

from __future__ import annotations

import struct
import time
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.decode import MAX_PIXELS
from app.errors import ImageTooLarge, InvalidImage
from app.jpeg import MAX_SCANS, MAX_SEGMENTS, MAX_STRAY_BYTES, holds_all_coefficients
from app.preprocess import Preprocess, pixels_from
from tests.app.pictures import as_it_is, corners, gradient
from tests.conftest import encode


def segment(code: int, data: bytes) -> bytes:
    return bytes([0xFF, code]) + struct.pack(">H", len(data) + 2) + data


def bits(text: str) -> bytes:
    """Bits as they lie in a scan: filled up with ones, and each FF followed by 00."""
    text += "1" * (-len(text) % 8)
    data = int(text, 2).to_bytes(len(text) // 8, "big")
    return data.replace(b"\xff", b"\xff\x00")


def frame(code: int, width: int, height: int, components: int) -> bytes:
    """Start, one table of ones, and a frame without subsampling."""
    table = segment(0xDB, b"\x00" + b"\x01" * 64)
    each = b"".join(bytes([number, 0x11, 0]) for number in range(1, components + 1))
    size = struct.pack(">BHHB", 8, height, width, components)
    return b"\xff\xd8" + table + segment(code, size + each)


# One code in each table: a difference of 0 for DC, the end of the block for AC.
TABLES = segment(0xC4, b"\x00\x01" + bytes(16)) + segment(0xC4, b"\x10\x01" + bytes(16))


def in_scans_of_their_own(width: int, height: int) -> bytes:
    """A grey JPEG, not progressive, whose three components come one after the other."""
    blocks = -(-width // 8) * -(-height // 8)
    scans = b"".join(
        segment(0xDA, bytes([1, number, 0, 0, 63, 0])) + bits("00" * blocks) for number in (1, 2, 3)
    )
    return frame(0xC0, width, height, 3) + TABLES + scans + b"\xff\xd9"


def progressive(width: int, height: int, scans: int) -> bytes:
    """A grey progressive JPEG; each scan but the first says in 6 bytes that nothing follows."""
    blocks = -(-width // 8) * -(-height // 8)
    assert blocks < 2**15
    run = segment(0xC4, b"\x10\x01" + bytes(15) + b"\xe0")  # a run of 2¹⁴ blocks and 14 bits more
    first = segment(0xDA, bytes([1, 1, 0, 0, 0, 0])) + bits("0" * blocks)
    more = segment(0xDA, bytes([1, 1, 0, 1, 1, 0])) + bits("0" + "1" * 14)
    return frame(0xC2, width, height, 1) + TABLES + run + first + more * (scans - 1) + b"\xff\xd9"


FILE = encode(gradient(), "JPEG")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (FILE, False),
        (encode(Image.fromarray(gradient()).convert("L"), "JPEG"), False),
        (encode(Image.fromarray(gradient()).convert("CMYK"), "JPEG"), False),
        (encode(gradient(), "JPEG", progressive=True), True),
        (in_scans_of_their_own(16, 16), True),
        (FILE + in_scans_of_their_own(16, 16), False),  # a second picture is never read
        (FILE[:2] + segment(0xE1, progressive(16, 16, 3)) + FILE[2:], False),  # nor a small one
    ],
    ids=["colour", "grey", "CMYK", "progressive", "scans", "two pictures", "thumbnail"],
)
def test_what_must_be_held_as_a_whole_is_told_from_the_markers(data: bytes, expected: bool) -> None:
    assert holds_all_coefficients(data) is expected


def test_a_jpeg_with_its_colours_in_scans_of_their_own_is_read() -> None:
    data = in_scans_of_their_own(40, 24)
    assert np.array_equal(as_it_is(data), np.full((24, 40, 3), 128, np.uint8))


def test_a_jpeg_with_its_colours_in_scans_of_their_own_has_the_limit_of_progressive_ones() -> None:
    assert MAX_PIXELS["progressive JPEG"] == 5000 * 5000
    data = in_scans_of_their_own(5000, 5000)
    assert pixels_from(data, Preprocess(4, 4)).min() == 128
    with pytest.raises(ImageTooLarge, match=r"At most 25 megapixels .* received 5000×5001"):
        pixels_from(in_scans_of_their_own(5000, 5001), Preprocess(4, 4))


def test_as_many_scans_as_allowed_are_read_and_one_more_is_refused() -> None:
    data = progressive(64, 64, MAX_SCANS)
    assert np.array_equal(as_it_is(data, 1), np.full((64, 64, 1), 128, np.uint8))
    with pytest.raises(InvalidImage, match=f"at most {MAX_SCANS} scans"):
        pixels_from(progressive(64, 64, MAX_SCANS + 1), Preprocess(4, 4))


def test_as_many_segments_as_allowed_are_read_and_one_more_is_refused() -> None:
    own = len(FILE[: FILE.index(b"\xff\xda")].split(b"\xff")) - 2 + 1  # its markers, and the scan's
    assert holds_all_coefficients(FILE) is False
    fits = FILE[:2] + segment(0xEF, b"") * (MAX_SEGMENTS - own) + FILE[2:]
    assert np.array_equal(as_it_is(fits), as_it_is(FILE))
    with pytest.raises(InvalidImage, match=f"at most {MAX_SEGMENTS} segments"):
        pixels_from(FILE[:2] + segment(0xEF, b"") + fits[2:], Preprocess(4, 4))


@pytest.mark.parametrize("stray", [b"\xff", b"\x00", b"\xd0"], ids=["fill", "zeros", "others"])
def test_as_many_stray_bytes_as_allowed_are_read_and_one_more_is_refused(stray: bytes) -> None:
    after = FILE.index(b"\xff\xdb")
    fits = FILE[:after] + stray * MAX_STRAY_BYTES + FILE[after:]
    assert np.array_equal(as_it_is(fits), as_it_is(FILE))
    with pytest.raises(InvalidImage, match=f"at most {MAX_STRAY_BYTES} bytes"):
        pixels_from(FILE[:after] + stray + fits[after:], Preprocess(4, 4))


TEN_MEGABYTES = {
    "pieces of EXIF": segment(0xE1, b"Exif\x00\x00" + b"x" * 10) * 500_000,
    "large pieces of EXIF": segment(0xE1, b"Exif\x00\x00" + b"x" * 21_000) * 490,
    "empty segments": segment(0xE5, b"") * 2_500_000,
    "comments": segment(0xFE, b"") * 2_500_000,
    "fill bytes": b"\xff" * 10_000_000,
    "restarts": b"\xff\xd0" * 5_000_000,
    "starts": b"\xff\xd8" * 5_000_000,
    "zeros": b"\x00" * 10_000_000,
}


@pytest.mark.parametrize("kind", TEN_MEGABYTES)
def test_ten_megabytes_before_the_picture_made_to_be_slow_are_not(kind: str) -> None:
    data = FILE[:20] + TEN_MEGABYTES[kind] + FILE[20:]
    began = time.process_time()
    with suppress(InvalidImage):
        pixels_from(data, Preprocess(4, 4))
    assert time.process_time() - began < 1  # second; measured: 0.2 at most, and 30 without limits


def test_ten_kilobytes_of_scans_made_to_be_slow_are_not() -> None:
    data = progressive(1440, 1440, 480)  # within the limit of segments
    began = time.process_time()
    with pytest.raises(InvalidImage, match="scans"):
        pixels_from(data, Preprocess(4, 4))
    assert time.process_time() - began < 0.05  # seconds; measured: 0.0001


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=8),
            st.binary(max_size=20).map(lambda data: segment(0xE1, data)),
            st.sampled_from([b"\xff\xd8", b"\xff\xd0", b"\xff\xda", b"\xff\xc0", b"\xff", FILE]),
        ),
        max_size=12,
    ).map(b"".join)
)
def test_any_bytes_are_walked_to_their_end(data: bytes) -> None:
    assert holds_all_coefficients(b"\xff\xd8\xff" + data) in {True, False}


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 100}])
def test_real_files_are_far_below_every_limit(options: dict[str, object]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (600, 800, 3), np.uint8)
    data = encode(noise, "JPEG", icc_profile=bytes(500_000), **options)
    assert holds_all_coefficients(data) is ("progressive" in options)
    assert corners().shape == as_it_is(encode(corners(), "JPEG")).shape
