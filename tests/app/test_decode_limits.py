"""How many pixels are decoded, for each kind of image, on both sides of the limit."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from app.decode import MAX_PIXELS, MAX_SIDE, MEGAPIXEL, MIB, DecodeBudget
from app.errors import ImageTooLarge, InvalidImage
from app.preprocess import Preprocess, pixels_from
from tests.app.pictures import (
    LAYOUTS,
    as_in_production,
    chunk,
    corners,
    needs_avif,
    needs_webp,
    png,
)
from tests.conftest import encode


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


def webp_animation(width: int, height: int, frames: int = 1) -> bytes:
    """Frames of one pixel on a canvas of any size: 94 bytes for one."""

    def part(name: bytes, data: bytes) -> bytes:
        return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)

    pixel = encode(Image.new("RGBA", (1, 1), (9, 8, 7, 6)), "WEBP", lossless=True)[12:]
    canvas = b"".join((side - 1).to_bytes(3, "little") for side in (width, height))
    body = b"WEBP" + part(b"VP8X", b"\x02" + bytes(3) + canvas) + part(b"ANIM", bytes(6))
    body += part(b"ANMF", bytes(12) + b"\x64" + bytes(3) + pixel) * frames
    return b"RIFF" + struct.pack("<I", len(body)) + body


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


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
def test_a_limit_for_every_format_wins_where_it_is_the_lower(kind: str) -> None:
    data = picture_of_kind(kind)
    for limit in (48 * 32, 48 * 32 + 1, 10**12):
        assert pixels_from(data, Preprocess(4, 4), DecodeBudget(limit, 512 * MIB)).shape == (
            4,
            4,
            3,
        )
    with pytest.raises(
        ImageTooLarge, match=f"At most 1535 pixels are decoded for {kind}; received"
    ):
        pixels_from(data, Preprocess(4, 4), DecodeBudget(48 * 32 - 1, 512 * MIB))


@pytest.mark.parametrize(
    ("max_pixels", "rule"),
    [
        (2_000_000, "At most 2 megapixels"),
        (2_500_000, "At most 2500000 pixels"),
        (24_999_999, "At most 24999999 pixels"),
        (25_000_001, "At most 25 megapixels"),
        (50_000_000, "At most 25 megapixels"),
    ],
)
def test_the_message_says_the_limit_that_holds(max_pixels: int, rule: str) -> None:
    with pytest.raises(
        ImageTooLarge, match=f"{rule} are decoded for PNG; received 5001×5000. Scale"
    ):
        pixels_from(png_of(5001, 5000), Preprocess(4, 4), DecodeBudget(max_pixels, 512 * MIB))
    with pytest.raises(ImageTooLarge, match=rule):  # Pillow's own limit comes first
        pixels_from(png_of(20_000, 20_000), Preprocess(4, 4), DecodeBudget(max_pixels, 512 * MIB))


@pytest.mark.parametrize("upright", [True, False])
def test_a_side_has_at_most_a_million_pixels(upright: bool) -> None:
    def thread(length: int) -> bytes:
        return encode(Image.new("1", (1, length) if upright else (length, 1), 1))

    preprocess = Preprocess(8, 8, resample="lanczos")
    assert pixels_from(thread(MAX_SIDE), preprocess).min() == 255
    received = f"1×{MAX_SIDE + 1}" if upright else f"{MAX_SIDE + 1}×1"
    with pytest.raises(ImageTooLarge, match=f"at most {MAX_SIDE} pixels; received {received}"):
        pixels_from(thread(MAX_SIDE + 1), preprocess)


@pytest.mark.parametrize(("texts", "fits"), [(4, True), (5, False), (63, False)])
def test_a_png_has_at_most_four_megabytes_of_text(texts: int, fits: bool) -> None:
    text = zlib.compress(("a" * 999_000 + "😀").encode())  # one such letter: four bytes for each
    chunks = [chunk(b"iTXt", b"k%d\x00\x01\x00\x00\x00" % n + text) for n in range(texts)]
    data = png(1, 1, 8, 0, b"\x00\x07", *chunks)
    if fits:
        assert pixels_from(data, Preprocess(1, 1))[0, 0].tolist() == [7, 7, 7]
    else:
        with pytest.raises(InvalidImage):
            pixels_from(data, Preprocess(1, 1))


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


@needs_webp
@pytest.mark.parametrize("frames", [1, 2])
def test_the_canvas_of_a_webp_has_the_limit_of_animations_however_few_its_frames(
    frames: int,
) -> None:
    assert pixels_from(webp_animation(2000, 2000, frames), Preprocess(4, 4)).shape == (4, 4, 3)
    with pytest.raises(ImageTooLarge, match="animation; received 2000×2001"):
        pixels_from(webp_animation(2000, 2001, frames), Preprocess(4, 4))
