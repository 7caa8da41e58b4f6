"""The table of hostile pictures: what each is, and what answers it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from PIL import Image

from tests.abuse.pictures import (
    FORMATS,
    HOSTILE_TEXT,
    MEGABYTE,
    apng,
    avif_announcing,
    bmp,
    gif_of_frames,
    head,
    icc,
    jpeg_frame,
    mpo,
    patched,
    picture,
    polyglots,
    strangers,
    unfolds,
    with_chunk,
    with_exif,
    with_segments,
    without_adobe,
)
from tests.app.pictures import png
from tests.app.test_decode_damage import flipped
from tests.app.test_decode_limits import (
    bmp_of,
    gif_of,
    jpeg_of,
    png_of,
    progressive_jpeg_of,
    webp_animation,
    webp_of,
)
from tests.app.test_jpeg import progressive
from tests.app.test_orientation import BROKEN_EXIF
from tests.conftest import encode

TOO_LARGE, BROKEN, UNSUPPORTED = "image_too_large", "invalid_image", "unsupported_image"
OK = None
Code = str | None


class Row(NamedTuple):
    """A picture, and the error that answers it; None: it is classified."""

    name: str
    make: Callable[[], bytes]
    code: Code
    bound_seconds: float = 2.0  # ten times what it takes, or more: a busy machine may do


FOLDED = unfolds(50 * MEGABYTE)

BOMBS = [
    Row("WebP animation, 25 megapixels in 94 bytes", lambda: webp_animation(5000, 5000), TOO_LARGE),
    Row("WebP animation, 16383²", lambda: webp_animation(16383, 16383), TOO_LARGE),
    Row("WebP animation, 16777216²", lambda: webp_animation(2**24, 2**24), TOO_LARGE),
    Row("WebP animation, 4 megapixels", lambda: webp_animation(2000, 2000), OK),
    Row("WebP, 16383²", lambda: webp_of(16383, 16383), TOO_LARGE),
    Row("PNG of one bit, 25 megapixels", lambda: encode(Image.new("1", (5000, 5000))), OK, 5),
    Row("PNG of one bit, 26", lambda: encode(Image.new("1", (5200, 5000))), TOO_LARGE),
    Row("PNG, (2³¹-1)²", lambda: png_of(2**31 - 1, 2**31 - 1), TOO_LARGE),
    Row("PNG, (2³²-1)²", lambda: png_of(2**32 - 1, 2**32 - 1), TOO_LARGE),
    Row("PNG, 65536 × 65536", lambda: png_of(65536, 65536), TOO_LARGE),
    Row("GIF, 65535²", lambda: gif_of(65535, 65535), TOO_LARGE),
    Row("BMP, (2³¹-1)²", lambda: bmp_of(2**31 - 1, 2**31 - 1), TOO_LARGE),
    Row("BMP, -2³¹ rows", lambda: bmp_of(5, -(2**31)), TOO_LARGE),
    Row("BMP, -5 columns", lambda: bmp_of(-5, 5), TOO_LARGE),
    Row("JPEG, 65535²", lambda: jpeg_of(65535, 65535), TOO_LARGE),
    Row("progressive JPEG, 65535²", lambda: progressive_jpeg_of(65535, 65535), TOO_LARGE),
    Row("AVIF, 17000²", lambda: avif_announcing(17000, 17000), BROKEN),
    Row("AVIF, (2³¹-1)²", lambda: avif_announcing(2**31 - 1, 2**31 - 1), BROKEN),
    Row("a thread, 1 × 1,000,000", lambda: encode(Image.new("L", (1, 1_000_000), 128)), OK),
    Row("a thread, 1,000,001 × 1", lambda: encode(Image.new("L", (1_000_001, 1), 128)), TOO_LARGE),
    Row("a thread, JPEG 65500 × 3", lambda: encode(Image.new("L", (65500, 3), 128), "JPEG"), OK),
    Row("GIF of 60,000 frames", lambda: gif_of_frames(60_000), OK),
    Row("APNG of 2³¹-1 frames", lambda: apng(2**31 - 1), OK),
    Row("APNG of 0 frames", lambda: apng(0), OK),
    Row("APNG, a frame outside", lambda: apng(2, broken=True), BROKEN),
    Row("JPEG of 100,000 scans", lambda: progressive(1000, 1000, 100_000), BROKEN),
    Row("zTXt of 50 MB", lambda: with_chunk(b"zTXt", b"a\0\0" + FOLDED), BROKEN),
    Row("zTXt, 80 × 1 MB", lambda: with_chunk(b"zTXt", b"a\0\0" + unfolds(MEGABYTE), 80), BROKEN),
    Row("zTXt, 50 × 1 MB", lambda: with_chunk(b"zTXt", b"a\0\0" + unfolds(MEGABYTE), 50), BROKEN),
    Row(
        "iTXt of 50 MB",
        lambda: with_chunk(b"iTXt", b"a\0\1\0\0\0" + unfolds(50 * MEGABYTE)),
        BROKEN,
    ),
    Row("iCCP of 50 MB", lambda: with_chunk(b"iCCP", b"a\0\0" + FOLDED), BROKEN),
    Row("pixels of 50 MB for 16", lambda: png(4, 4, 8, 0, bytes(50 * MEGABYTE)), OK),
    Row("90,000 empty chunks", lambda: with_chunk(b"abCd", b"", 90_000), OK, 5),
    Row("100,000 empty chunks", lambda: with_chunk(b"abCd", b"", 100_000), BROKEN),
    Row("100,000 empty segments", lambda: with_segments(0xE1, b"", 100_000), BROKEN, 5),
]

TORSOS = [
    *(
        Row(f"{name}, its first {percent} %", partial(head, name, percent), BROKEN)
        for name in FORMATS
        for percent in (1, 10, 50, 90)
    ),
    Row("progressive JPEG cut short", lambda: picture("JPEG", progressive=True)[:-200], BROKEN),
    Row("PNG, a checksum wrong", lambda: flipped(picture("PNG"), len(picture("PNG")) - 18), BROKEN),
    Row("PNG, its header's checksum", lambda: flipped(picture("PNG"), 30), BROKEN),
    Row("PNG of no pixels", lambda: png(0, 0, 8, 2, b""), BROKEN),
    Row("PNG without data", lambda: png(4, 4, 8, 2, b""), BROKEN),
    Row("PNG of three bits", lambda: png(1, 1, 3, 0, b"\0\0"), BROKEN),
    Row("PNG, no palette", lambda: png(2, 1, 8, 3, b"\0\0\0"), BROKEN),
    Row("GIF of no pixels", lambda: gif_of(0, 0), BROKEN),
    Row("BMP of no pixels", lambda: bmp_of(0, 0), BROKEN),
    Row("JPEG of no pixels", lambda: jpeg_of(0, 0), BROKEN),
    Row("BMP of 0 bits", lambda: bmp(28, 0, 2), BROKEN),
    Row("BMP of 255 bits", lambda: bmp(28, 255, 2), BROKEN),
    Row("BMP, its palette of 2³² colours", lambda: bmp(46, -1), OK),
    Row("BMP, compression RLE", lambda: bmp(30, 1), BROKEN),
    Row("BMP, compression unknown", lambda: bmp(30, 77), BROKEN),
    Row("BMP, pixels beyond its end", lambda: bmp(10, 2**31 - 1), BROKEN),
    Row("BMP, a header of 2³² bytes", lambda: bmp(14, -1), BROKEN),
    Row("JPEG, lossless", lambda: jpeg_frame(0xC3), BROKEN),
    Row("JPEG, arithmetic", lambda: jpeg_frame(0xC9), OK),
    Row("JPEG, 12 bits", lambda: jpeg_frame(0xC1, 12), BROKEN),
    Row("JPEG, its ends alone", lambda: b"\xff\xd8\xff\xd9", BROKEN),
    Row("AVIF, a box of 2³² bytes", lambda: patched(picture("AVIF"), 32, b"\xff" * 4), BROKEN),
    Row("WebP, its chunk of 2³² bytes", lambda: patched(picture("WEBP"), 16, b"\xff" * 4), BROKEN),
]

ODD = [
    *(
        Row(f"1 × 1, {name}", partial(encode, Image.new("RGB", (1, 1)), name), OK)
        for name in FORMATS
    ),
    *(
        Row(f"mode {mode}", partial(encode, Image.linear_gradient("L").convert(mode)), OK)
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
    ),
    Row("palette and tRNS", lambda: encode(Image.new("P", (8, 8), 3), transparency=3), OK),
    Row("CMYK of Adobe", lambda: encode(Image.new("CMYK", (8, 8), "red"), "JPEG"), OK),
    Row("CMYK", lambda: without_adobe(encode(Image.new("CMYK", (8, 8), "red"), "JPEG")), OK),
    Row("MPO of two", mpo, OK),
    Row("MPO, its index broken", lambda: mpo().replace(b"MPF\0", b"MPF\0\xff\xff\xff\xff", 1), OK),
    Row("ICC of 500 KB of noise", lambda: icc(500_000), OK),
    Row("ICC of one byte", lambda: icc(1), OK),
    *(
        Row(f"EXIF, {kind}", partial(picture, "JPEG", exif=b"Exif\0\0" + BROKEN_EXIF[kind]), OK)
        for kind in BROKEN_EXIF
    ),
    *(
        Row(f"EXIF with hostile text, {name}", partial(with_exif, HOSTILE_TEXT, name), OK)
        for name in ("JPEG", "PNG", "WEBP", "AVIF")
    ),
    Row("a hostile comment", lambda: with_segments(0xFE, HOSTILE_TEXT.encode()), OK),
    Row("a hostile text chunk", lambda: with_chunk(b"tEXt", b"a\0" + HOSTILE_TEXT.encode()), OK),
    *(Row(name, partial(bytes, data), OK) for name, data in polyglots().items()),
]

STRANGERS = [Row(name, partial(bytes, data), UNSUPPORTED) for name, data in strangers().items()]

PICTURES = [*BOMBS, *TORSOS, *ODD, *STRANGERS]
