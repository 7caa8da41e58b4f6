"""Encoded bytes → image → pixels, the same for training and for serving.

decode → orient (EXIF) → colour → resize, in this order everywhere, gives uint8 pixels and nothing
else: normalising is the first step of the model's own graph. This is the only place where images
are read; training imports it. It knows nothing of models, of HTTP or of floating-point pixels.

Every image is taken for hostile: formats are told by content and come from a list, pixels are
limited before anything is decoded, only the first frame counts.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from app.digit import WORKING_SIDE, digit_pixels
from app.errors import EmptyBody, ImageTooLarge, InvalidImage, UnsupportedImage

Pixels = NDArray[np.uint8]  # height × width × channels
Layout = Literal["squash", "crop", "pad", "digit"]
Resample = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]

FORMATS = "JPEG, PNG, WebP, GIF, BMP or AVIF"

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

_ORIENTATIONS = {  # EXIF 2.32, tag 0x0112 → what brings the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Preprocess:
    """What a model wants to see; written on its card.

    `layout` says how a picture of any shape becomes height × width: `squash` ignores its
    proportions, `crop` cuts the middle out, `pad` fills up with `background`, `digit` is MNIST's
    rule (see `app.digit`). `channels` is 1 (grey) or 3 (RGB). Transparent pixels lie on
    `background`.
    """

    height: int
    width: int
    channels: Literal[1, 3] = 3
    layout: Layout = "squash"
    resample: Resample = "bilinear"
    background: tuple[int, int, int] = (255, 255, 255)


def pixels_from(data: bytes, preprocess: Preprocess) -> Pixels:
    """Encoded image → uint8 pixels of shape (height, width, channels), ready for the model.

    Raises EmptyBody, UnsupportedImage, InvalidImage or ImageTooLarge.
    """
    if preprocess.layout == "digit":  # looks for thin ink in a larger picture than it gives
        image = decode(data, (WORKING_SIDE, WORKING_SIDE))
    else:
        image = decode(data, (preprocess.height, preprocess.width))
    image = colour(orient(image), preprocess)
    if preprocess.layout == "digit":
        return digit_pixels(np.asarray(image), preprocess.height, preprocess.width)
    pixels = np.asarray(resize(image, preprocess))
    return pixels.reshape(preprocess.height, preprocess.width, preprocess.channels)


def decode(data: bytes, sufficient: tuple[int, int] | None = None) -> Image.Image:
    """Encoded bytes → the first frame, as it lies in the file.

    With `sufficient` = (height, width), a JPEG may be decoded at the smallest of libjpeg's DCT
    scales (1/1 … 1/8) that still covers it either way up: 12 megapixels to 32 pixels
    in 13 ms instead of 63.
    Raises EmptyBody, UnsupportedImage, InvalidImage or ImageTooLarge.
    """
    if not data:
        raise EmptyBody("The file has no bytes. Choose another, or check that it was read.")
    format_name = sniff(data)
    if format_name is None:
        raise UnsupportedImage(
            f"Expected {FORMATS}; the {len(data)} bytes received begin like none of them. "
            "Convert the image to one of these formats."
        )
    try:
        image = Image.open(io.BytesIO(data), formats=[format_name])
        _check_pixels(image, format_name)
        if sufficient is not None and format_name == "JPEG":
            side = max(sufficient)  # orientation is known only later: cover both ways up
            image.draft(None, (side, side))
        image.load()
        if image.mode == "P" and image.palette is None:
            raise ValueError("a palette is announced, and missing")
    except (ImageTooLarge, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise _too_large(format_name) from exc
    except Exception as exc:  # the decoders raise OSError, ValueError, TypeError, SyntaxError, …
        raise InvalidImage(
            f"The bytes begin like {format_name} but cannot be decoded to the end. "
            "The file may be cut short or damaged: save or upload it again."
        ) from exc
    return image


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


def orient(image: Image.Image) -> Image.Image:
    """Turn the image the way its EXIF orientation asks; a broken tag counts as none."""
    try:
        method = _ORIENTATIONS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # EXIF comes from outside and is parsed late: never a reason to refuse
        method = None
    return image if method is None else image.transpose(method)


def colour(image: Image.Image, preprocess: Preprocess) -> Image.Image:
    """Any mode → "L" or "RGB": 16 bits scaled to 8, not clipped; alpha laid on the background."""
    if image.mode.startswith("I"):  # 16-bit grey; convert() would clip 256 … 65535 to white
        grey, transparent = np.asarray(image).astype(np.uint32), image.info.get("transparency")
        image = Image.fromarray(((grey * 255 + 32767) // 65535).astype(np.uint8))
        if transparent is not None:
            image.putalpha(Image.fromarray(np.where(grey == transparent, 0, 255).astype(np.uint8)))
    if image.has_transparency_data:
        paper = Image.new("RGBA", image.size, (*preprocess.background, 255))
        image = Image.alpha_composite(paper, image.convert("RGBA"))
    mode = "L" if preprocess.channels == 1 else "RGB"
    return image if image.mode == mode else image.convert(mode)


def resize(image: Image.Image, preprocess: Preprocess) -> Image.Image:
    """Bring the image to the model's size with an antialiased filter, by `preprocess.layout`."""
    size = (preprocess.width, preprocess.height)
    resample = Image.Resampling[preprocess.resample.upper()]
    if preprocess.layout == "squash":
        return image if image.size == size else image.resize(size, resample)
    scale = (max if preprocess.layout == "crop" else min)(
        size[0] / image.width, size[1] / image.height
    )
    if preprocess.layout == "crop":
        # The side that fits is kept whole: rounding must not put the box outside the image.
        kept_width = min(size[0] / scale, image.width)
        kept_height = min(size[1] / scale, image.height)
        left, top = (image.width - kept_width) / 2, (image.height - kept_height) / 2
        return image.resize(size, resample, (left, top, left + kept_width, top + kept_height))
    inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    red, green, blue = preprocess.background
    paper_colour = (red, green, blue) if image.mode == "RGB" else _luma(red, green, blue)
    paper = Image.new(image.mode, size, paper_colour)
    paper.paste(
        image.resize(inner, resample), ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2)
    )
    return paper


def _luma(red: int, green: int, blue: int) -> int:
    return round(0.299 * red + 0.587 * green + 0.114 * blue)  # ITU-R BT.601, as convert("L")


def _check_pixels(image: Image.Image, format_name: str) -> None:
    kind = format_name
    if format_name == "JPEG":  # a phone's JPEG may hold further pictures, which are never read
        if image.info.get("progressive"):
            kind = "progressive JPEG"
    elif getattr(image, "is_animated", False):
        kind = "animation"
    if image.width * image.height > MAX_PIXELS[kind]:
        raise _too_large(kind, f"; received {image.width}×{image.height}")


def _too_large(kind: str, received: str = "") -> ImageTooLarge:
    return ImageTooLarge(
        f"At most {MAX_PIXELS[kind] // MEGAPIXEL} megapixels are decoded for {kind}{received}. "
        "Scale the image down before sending it."
    )
