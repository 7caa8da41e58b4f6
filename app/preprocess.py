"""Image → pixels, the same for training and for serving.

decode → orient (EXIF) → colour → resize, in this order everywhere, gives uint8 pixels and nothing
else: normalising is the first step of the model's own graph. This is the only place where images
become pixels; training imports it. It knows nothing of models, of HTTP or of floating-point pixels.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from app.decode import MEGAPIXEL, DecodeBudget, load, open_image, sniff
from app.digit import WORKING_SIDE, digit_pixels
from app.steps import Step, Steps

Pixels = NDArray[np.uint8]  # height × width × channels
Layout = Literal["squash", "crop", "pad", "digit"]
Resample = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]

# Colour goes strip by strip: 16-bit grey with a transparent level takes 22 bytes a pixel.
_STRIP_PIXELS = MEGAPIXEL // 4

_ORIENTATIONS = {  # EXIF 2.32, tag 0x0112 → what brings the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TURNS = {2: 0, 3: 180, 4: 180, 5: 270, 6: 90, 7: 90, 8: 270}  # degrees clockwise, once mirrored
_MIRRORED = {2, 4, 5, 7}  # left to right, before it is turned


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


def pixels_from(
    data: bytes,
    preprocess: Preprocess,
    budget: DecodeBudget | None = None,
    steps: Steps | None = None,
) -> Pixels:
    """Encoded image → uint8 pixels of shape (height, width, channels), ready for the model.

    With a `budget`, waits until there is memory for the image: never call it on the event loop.
    What is done after decoding is written into `steps`.
    Raises EmptyBody, UnsupportedImage, InvalidImage or ImageTooLarge.
    """
    image, needed_bytes = open_image(
        data, sufficient_size(preprocess), None if budget is None else budget.max_pixels
    )
    with nullcontext() if budget is None else budget.hold(needed_bytes):
        load(image)
        image = orient(image, steps)
        image = colour(image, preprocess, steps)
        if preprocess.layout == "digit":
            found: dict[str, Any] | None = None
            if steps is not None:
                steps.begin("digit", found := {})
            pixels = digit_pixels(np.asarray(image), preprocess.height, preprocess.width, found)
        else:
            pixels = np.asarray(resize(image, preprocess, steps))
        del image  # before others may use its memory
    return pixels.reshape(preprocess.height, preprocess.width, preprocess.channels)


def pixels_and_steps(
    data: bytes, preprocess: Preprocess, budget: DecodeBudget | None = None
) -> tuple[Pixels, list[Step]]:
    """The pixels of `pixels_from`, and what was done to get them, in order.

    `decode` is always among the steps, the others only where they changed something. Turning,
    colour and size begin when the step before has ended; reading the file's EXIF and waiting for
    memory belong to `decode`. Raises what `pixels_from` raises.
    """
    decoded = _decoded(data, preprocess, None if budget is None else budget.max_pixels)
    steps = Steps()
    steps.begin("decode", decoded)
    pixels = pixels_from(data, preprocess, budget, steps)
    return pixels, steps.end()


def sufficient_size(preprocess: Preprocess) -> tuple[int, int]:
    """Height and width that a picture may be decoded at, if its format can do less than all."""
    if preprocess.layout == "digit":  # looks for thin ink in a larger picture than it gives
        return WORKING_SIDE, WORKING_SIDE
    return preprocess.height, preprocess.width


def _decoded(data: bytes, preprocess: Preprocess, max_pixels: int | None) -> dict[str, Any]:
    """What the file's header says; it is opened again to be decoded, so that nothing is shared."""
    format_name = sniff(data)
    stored = open_image(data, None, max_pixels)[0]
    did = {
        "format": format_name,
        "stored": list(stored.size),
        "size": list(open_image(data, sufficient_size(preprocess), max_pixels)[0].size),
        "bytes": len(data),
    }
    try:
        frames = 1 if format_name == "JPEG" else getattr(stored, "n_frames", 1)
    except Exception:  # only the first frame counts: what follows may be broken
        frames = 1
    return did if frames == 1 else did | {"frames": frames}


def orient(image: Image.Image, steps: Steps | None = None) -> Image.Image:
    """Turn the image the way its EXIF orientation asks; a broken tag counts as none."""
    try:
        exif = image.getexif().get(ExifTags.Base.Orientation, 1)
        method = _ORIENTATIONS.get(exif)
    except Exception:  # EXIF comes from outside and is parsed late: never a reason to refuse
        method = None
    if method is None:
        return image
    if steps is not None:
        did = {"exif": exif, "degrees_clockwise": _TURNS[exif], "mirrored": exif in _MIRRORED}
        steps.begin("orient", did)
    return image.transpose(method)


def colour(image: Image.Image, preprocess: Preprocess, steps: Steps | None = None) -> Image.Image:
    """Any mode → "L" or "RGB": 16 bits scaled to 8, not clipped; alpha laid on the background."""
    mode = "L" if preprocess.channels == 1 else "RGB"
    if image.mode == mode and not image.has_transparency_data:
        return image
    if steps is not None:
        background = list(preprocess.background) if image.has_transparency_data else None
        steps.begin("colour", {"from": image.mode, "to": mode, "background": background})
    rows = max(1, _STRIP_PIXELS // image.width)
    if rows >= image.height:
        return _colour(image, mode, preprocess.background)
    whole = Image.new(mode, image.size)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        whole.paste(_colour(strip, mode, preprocess.background), (0, top))
    return whole


def _colour(image: Image.Image, mode: str, background: tuple[int, int, int]) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey; convert() would clip 256 … 65535 to white
        grey, transparent = np.asarray(image).astype(np.uint32), image.info.get("transparency")
        image = Image.fromarray(((grey * 255 + 32767) // 65535).astype(np.uint8))
        if transparent is not None:
            image.putalpha(Image.fromarray(np.where(grey == transparent, 0, 255).astype(np.uint8)))
    if image.has_transparency_data:
        paper = Image.new("RGBA", image.size, (*background, 255))
        image = Image.alpha_composite(paper, image.convert("RGBA"))
    return image if image.mode == mode else image.convert(mode)


def resize(image: Image.Image, preprocess: Preprocess, steps: Steps | None = None) -> Image.Image:
    """Bring the image to the model's size with an antialiased filter, by `preprocess.layout`."""
    size = (preprocess.width, preprocess.height)
    if image.size == size:
        return image
    resample = Image.Resampling[preprocess.resample.upper()]
    across, down = size[0] / image.width, size[1] / image.height
    box = (0.0, 0.0, float(image.width), float(image.height))
    if preprocess.layout == "crop":
        # The side that fits is kept whole: rounding must not put the box outside the image.
        kept_width = min(size[0] / max(across, down), image.width)
        kept_height = min(size[1] / max(across, down), image.height)
        left, top = (image.width - kept_width) / 2, (image.height - kept_height) / 2
        box = (left, top, left + kept_width, top + kept_height)
    if steps is not None:
        squashed = max(across, down) / min(across, down) if preprocess.layout == "squash" else 1
        did = {
            "layout": preprocess.layout,
            "filter": preprocess.resample,
            "from": list(image.size),
            "to": list(size),
            "box": list(box),
            "distortion": squashed,
        }
        steps.begin("resize", did)
    if preprocess.layout != "pad":
        return image.resize(size, resample, box)
    scale = min(across, down)
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
