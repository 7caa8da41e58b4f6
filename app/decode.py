"""Encoded bytes → image, as it lies in the file, at a cost that is known before it is paid.

Every image is taken for hostile: formats are told by content and come from a list, pixels are
limited before anything is decoded, only the first frame counts, and what several threads decode
at once can be kept under one budget of memory. Knows nothing of models, of HTTP or of what is
done with the image next.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from PIL import AvifImagePlugin, Image, PngImagePlugin

from app import memory
from app.errors import ConvoluError, EmptyBody, ImageTooLarge, InvalidImage, UnsupportedImage
from app.jpeg import holds_all_coefficients
from app.pieces import check_pieces

FORMATS = "JPEG, PNG, WebP, GIF, BMP or AVIF"

MIB = 1024 * 1024
MEGAPIXEL = 1_000_000
# Decoding costs time and memory by the pixel, and not the same for each format: 50 megapixels of
# JPEG are decoded at an eighth of their size, 50 of PNG take 270 ms from a file of 6 KB.
MAX_PIXELS = {
    "JPEG": 50 * MEGAPIXEL,
    "progressive JPEG": 25 * MEGAPIXEL,  # holds every coefficient, whatever the scale
    "PNG": 25 * MEGAPIXEL,
    "WEBP": 25 * MEGAPIXEL,
    "BMP": 25 * MEGAPIXEL,
    "GIF": 16 * MEGAPIXEL,
    "AVIF": 16 * MEGAPIXEL,  # ten times the time of JPEG
    "animation": 4 * MEGAPIXEL,  # a 138-byte WebP animation fills its canvas: 1 s, 380 MB at 25 MP
}
# A filter's coefficients cost by the side: 20 million pixels in one row took 1.2 GB and 6 s.
MAX_SIDE = MEGAPIXEL

# Pillow keeps 64 million characters of a PNG's texts, and nobody reads them here: 64 KB unfolded
# to 256 MB.
PngImagePlugin.MAX_TEXT_MEMORY = 4 * MIB
# There is a process for each core: an AVIF has no claim to the others, and with a thread for each
# of 64 cores its decoder would take more memory than was measured.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

# What an image takes at most on the way to its pixels, in bytes per pixel that is decoded: the peak
# of a process that decodes, turns, colours and scales it, measured in every mode, orientation and
# layout (Pillow 13.0, models of up to 1,000 pixels a side), and a tenth more.
BYTES_PER_PIXEL = {
    "JPEG": 10,  # CMYK 8.8, colour 8.3: the image, and what it is turned or coloured into
    "progressive JPEG": 10,  # and the coefficients, below
    "PNG": 10,  # RGBA 8.9
    "WEBP": 21,  # lossless RGBA 18.9, RGB 16.6: the decoder keeps two canvases and a copy
    "BMP": 10,  # 32 bits 8.3
    "GIF": 7,  # 5.4
    "AVIF": 18,  # 12.3 in 8 bits; 12 bits take 3 to 4 more
    "animation": 21,  # WebP, 19.2
}
COEFFICIENT_BYTES = 2  # each, per pixel and colour at full scale: 6.1 for YCbCr 4:4:4, CMYK 8.1
BYTES_PER_SIDE_PIXEL = 64  # rows' addresses, and filters' coefficients: Lanczos 69
# Less than this is not worth waiting for: an image of one megapixel, whatever its format.
UNCOUNTED_BYTES = 24 * MIB


class DecodeBudget:
    """How much the threads of a process may decode at once: whoever comes too much waits.

    `max_pixels` is the limit for one image, `max_bytes` for all that are being decoded. An image
    of less than UNCOUNTED_BYTES neither waits nor counts. `most_bytes_in_use` is the most so far.
    """

    def __init__(self, max_pixels: int, max_bytes: int) -> None:
        self.max_pixels = max_pixels
        self.max_bytes = max_bytes
        self.bytes_in_use = self.most_bytes_in_use = 0
        self._given_back = threading.Condition()
        self._turn = threading.Lock()  # held while waiting: many smaller ones pass nobody by

    def hold(self, needed_bytes: int) -> AbstractContextManager[None]:
        """Hold that many bytes while the context lasts; blocks until they are free.

        Never call it on the event loop. Raises ImageTooLarge if they are more than there are.
        """
        if needed_bytes < UNCOUNTED_BYTES:
            return nullcontext()
        if needed_bytes > self.max_bytes:
            raise ImageTooLarge(
                f"Decoding may take at most {self.max_bytes // MIB} MiB of memory; this image "
                f"takes up to {-(-needed_bytes // MIB)}. Scale the image down before sending it."
            )
        return self._held(needed_bytes)

    @contextmanager
    def _held(self, needed_bytes: int) -> Iterator[None]:
        with self._turn, self._given_back:
            self._given_back.wait_for(lambda: self.bytes_in_use + needed_bytes <= self.max_bytes)
            self.bytes_in_use += needed_bytes
            self.most_bytes_in_use = max(self.most_bytes_in_use, self.bytes_in_use)
        try:
            yield
        finally:
            memory.give_back()  # glibc keeps up to 64 MB for each thread that has decoded
            with self._given_back:
                self.bytes_in_use -= needed_bytes
                self._given_back.notify_all()


def decode(data: bytes, sufficient: tuple[int, int] | None = None) -> Image.Image:
    """Encoded bytes → the first frame, as it lies in the file.

    With `sufficient` = (height, width), a JPEG may be decoded at the smallest of libjpeg's DCT
    scales (1/1 … 1/8) that still covers it either way up: 12 megapixels to 32 pixels
    in 13 ms instead of 63.
    Raises EmptyBody, UnsupportedImage, InvalidImage or ImageTooLarge.
    """
    image, _ = open_image(data, sufficient)
    load(image)
    return image


def open_image(
    data: bytes, sufficient: tuple[int, int] | None = None, max_pixels: int | None = None
) -> tuple[Image.Image, int]:
    """Encoded bytes → the image, its pixels not yet decoded, and the bytes that it will take.

    The bytes are an upper estimate for decoding, turning, colour and size together. `max_pixels`
    goes for every format; some have fewer. For the rest see `decode`.
    """
    if not data:
        raise EmptyBody("The file has no bytes. Choose another, or check that it was read.")
    format_name = sniff(data)
    if format_name is None:
        raise UnsupportedImage(
            f"Expected {FORMATS}; the {len(data)} bytes received begin like none of them. "
            "Convert the image to one of these formats."
        )
    kind, needed_bytes = format_name, 0
    try:
        check_pieces(data, format_name)
        if format_name == "JPEG" and holds_all_coefficients(data):
            kind = "progressive JPEG"
        image = Image.open(io.BytesIO(data), formats=[format_name])
        # A phone's JPEG may hold further pictures, which are never read.
        if format_name != "JPEG" and (getattr(image, "is_animated", False) or _has_canvas(data)):
            kind = "animation"
        _check_size(image, kind, max_pixels)
        if kind == "progressive JPEG":
            values = image.width * image.height * len(image.getbands())
            needed_bytes += COEFFICIENT_BYTES * values
        if sufficient is not None and format_name == "JPEG":
            side = max(sufficient)  # orientation is known only later: cover both ways up
            image.draft(None, (side, side))
    except (ConvoluError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise _too_large(format_name, _limit(format_name, max_pixels)) from exc
    except Exception as exc:  # the decoders raise OSError, ValueError, TypeError, SyntaxError, …
        raise _invalid(format_name) from exc
    needed_bytes += BYTES_PER_PIXEL[kind] * image.width * image.height
    needed_bytes += BYTES_PER_SIDE_PIXEL * (image.width + image.height)
    return image, needed_bytes


def load(image: Image.Image) -> None:
    """Decode the pixels of an image that `open_image` gave. Raises InvalidImage."""
    try:
        image.load()
        if image.mode == "P" and image.palette is None:
            raise ValueError("a palette is announced, and missing")
    except MemoryError:
        raise
    except Exception as exc:
        raise _invalid("JPEG" if image.format == "MPO" else str(image.format)) from exc


def sniff(data: bytes) -> str | None:
    """Pillow's name for the format that the first bytes announce; None if it is not allowed."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    # The brand of an AVIF file may be the major one or a compatible one (ISO 14496-12, 4.3).
    if data[4:8] == b"ftyp" and (b"avif" in data[8:64] or b"avis" in data[8:64]):
        return "AVIF"
    if data.startswith(b"BM"):
        return "BMP"
    return None


def _has_canvas(data: bytes) -> bool:
    """A WebP animation of one frame, which Pillow calls a still picture, and decodes as one."""
    return (
        data[:4] == b"RIFF" and data[12:16] == b"VP8X" and len(data) > 20 and bool(data[20] & 0x02)
    )


def _invalid(format_name: str) -> InvalidImage:
    return InvalidImage(
        f"The bytes begin like {format_name} but cannot be decoded to the end. "
        "The file may be cut short or damaged: save or upload it again."
    )


def _check_size(image: Image.Image, kind: str, max_pixels: int | None) -> None:
    limit = _limit(kind, max_pixels)
    if image.width * image.height > limit:
        raise _too_large(kind, limit, f"; received {image.width}×{image.height}")
    if max(image.size) > MAX_SIDE:
        raise ImageTooLarge(
            f"A side may have at most {MAX_SIDE} pixels; received {image.width}×{image.height}. "
            "Scale the image down before sending it."
        )


def _limit(kind: str, max_pixels: int | None) -> int:
    return MAX_PIXELS[kind] if max_pixels is None else min(max_pixels, MAX_PIXELS[kind])


def _too_large(kind: str, limit: int, received: str = "") -> ImageTooLarge:
    whole = limit % MEGAPIXEL == 0
    most = f"{limit // MEGAPIXEL} megapixels" if whole else f"{limit} pixels"
    return ImageTooLarge(
        f"At most {most} are decoded for {kind}{received}. Scale the image down before sending it."
    )
