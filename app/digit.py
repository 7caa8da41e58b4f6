"""MNIST's own rule for a picture of one digit: find the ink, size it, centre its mass.

"The original black and white images were size normalized to fit in a 20x20 pixel box while
preserving their aspect ratio … and centered in a 28x28 image by computing the center of mass of
the pixels" (LeCun, Cortes, Burges, "The MNIST database of handwritten digits"). A network trained
on MNIST has seen nothing else, so a photographed or scanned digit goes through the same steps.

Works on grey pixels alone; knows nothing of files, colours or models.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

BOX = 20 / 28  # share of the frame that the longer side of a digit fills
WORKING_SIDE = 400  # pixels: larger pictures are scaled down first, which bounds time and grain
GRAINY_SIDE = 120  # pixels: from this size on, strokes are wide enough to filter grain out
FAINTEST_INK = 24  # grey levels between ink and paper; a picture with less is a blank page
SHADE = 32  # grey levels: a border that varies by no more than this is paper in uneven light

Grey = NDArray[np.uint8]  # height × width
Levels = NDArray[np.float32]  # height × width
Number = TypeVar("Number", np.uint8, np.float32, np.float64)


def digit_pixels(
    grey: Grey, height: int, width: int, found: dict[str, Any] | None = None
) -> NDArray[np.uint8]:
    """One digit in a picture of any size → (height, width, 1), light on dark, as MNIST has it.

    A picture that already has that size and a dark border passes through untouched. A picture
    without ink gives a blank frame. What was found is written into `found`: whether it was
    `untouched`, which `ink`, whether it was `inverted`, and the digit's `box` (left, top, right,
    bottom) in a picture of `of` (width, height) pixels.
    """
    if found is not None:
        found.update(untouched=False, ink=None, inverted=False, box=None)
    if grey.shape == (height, width):
        border = _border(grey)
        # The median is below 128, counted: 2 µs, where np.median takes 25.
        if np.count_nonzero(border < 128) > len(border) / 2:
            if found is not None:
                found.update(untouched=True, of=[width, height])
            return grey[..., None]
    frame = np.zeros((height, width), np.uint8)
    ink, is_dark = _ink_of(_shrink(grey))
    box = _box(ink)
    if found is not None:
        found.update(_facts(ink.shape, is_dark, box))
    if box is not None:
        digit = _fit(ink[box], round(BOX * height), round(BOX * width))
        top, left = _centre_of_mass_offset(digit, height, width)
        frame[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return frame[..., None]


def _ink_of(grey: Grey) -> tuple[Levels, bool]:
    """How much of each pixel is ink, height × width, from 0 (paper) to 1; and is it dark?

    The paper is a plane fitted to the picture's border, so that a shadow across the page is not
    ink. Ink is whatever goes furthest from the paper, to the darker or to the lighter side.
    """
    image = Image.fromarray(grey)
    if min(grey.shape) >= GRAINY_SIDE:
        image = image.filter(ImageFilter.MedianFilter(3))
    levels = np.asarray(image).astype(np.float32)
    difference = levels - _paper(levels)
    is_dark = bool(-difference.min() > difference.max())
    if is_dark:
        difference = -difference
    if difference.max() < FAINTEST_INK:
        return np.zeros_like(levels), is_dark
    full = float(np.median(difference[difference > _otsu(difference.clip(0))]))
    faint = 0.25 * full  # half of the way to the threshold: the blurred edge of a stroke is kept
    return ((difference - faint) / (full - faint)).clip(0, 1), is_dark


def _shrink(grey: Grey) -> Grey:
    longest = max(grey.shape)
    if longest <= WORKING_SIDE:
        return grey
    height, width = (max(1, round(side * WORKING_SIDE / longest)) for side in grey.shape)
    return np.asarray(Image.fromarray(grey).resize((width, height), Image.Resampling.BOX))


def _border(pixels: NDArray[Number]) -> NDArray[Number]:
    return np.concatenate([pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]])


def _paper(levels: Levels) -> Levels:
    """The plane through the border's grey levels, fitted again without what is not paper."""
    down, across = np.meshgrid(*(np.linspace(-1, 1, side) for side in levels.shape), indexing="ij")
    border = _border(levels)
    where = np.stack([np.ones_like(border), _border(down), _border(across)], axis=1)
    paper = np.abs(border - np.median(border)) <= SHADE
    plane = np.array([np.median(border), 0, 0])
    for _ in range(2):
        if paper.sum() < len(border) / 2:
            break
        plane = np.linalg.lstsq(where[paper], border[paper], rcond=None)[0]
        paper = np.abs(border - where @ plane) <= SHADE / 2
    return np.asarray(plane[0] + plane[1] * down + plane[2] * across, np.float32)


def _otsu(levels: Levels) -> float:
    """The level that splits the pixels into two groups as unlike as can be (Otsu, 1979)."""
    counts, edges = np.histogram(levels, bins=64)
    centres = (edges[:-1] + edges[1:]) / 2
    below = counts.cumsum()[:-1]
    above = counts.sum() - below
    sum_below = (counts * centres).cumsum()[:-1]
    sum_above = (counts * centres).sum() - sum_below
    both = (below > 0) & (above > 0)
    unlike = np.zeros(len(below))
    gap = sum_below[both] / below[both] - sum_above[both] / above[both]
    unlike[both] = below[both] * above[both] * gap**2
    return float(edges[1 + int(unlike.argmax())])


def _box(ink: Levels) -> tuple[slice, slice] | None:
    """The rows and columns that hold ink; None if none do. One lone pixel in a row is a speck."""
    strong = ink > 0.5
    needed = 2 if min(ink.shape) >= GRAINY_SIDE else 1
    rows = np.flatnonzero(strong.sum(axis=1) >= needed)
    columns = np.flatnonzero(strong.sum(axis=0) >= needed)
    if not len(rows) or not len(columns):
        return None
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return box if strong[box].any() else None


def _facts(
    shape: tuple[int, ...], is_dark: bool, box: tuple[slice, slice] | None
) -> dict[str, Any]:
    facts: dict[str, Any] = {"of": [shape[1], shape[0]]}
    if box is not None:
        rows, columns = box
        edges = (columns.start, rows.start, columns.stop, rows.stop)
        facts |= {"ink": "dark" if is_dark else "light", "inverted": is_dark}
        facts["box"] = [int(edge) for edge in edges]
    return facts


def _fit(ink: Levels, height: int, width: int) -> Grey:
    """Scale to fit height × width, keeping proportions; the strongest strokes become 255."""
    scale = min(height / ink.shape[0], width / ink.shape[1])
    size = (max(1, round(ink.shape[1] * scale)), max(1, round(ink.shape[0] * scale)))
    small = np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BILINEAR))
    strongest = max(float(np.percentile(small, 95)), 1e-6)  # thin strokes fade in scaling
    return np.asarray(np.rint((small / strongest).clip(0, 1) * 255), np.uint8)


def _centre_of_mass_offset(digit: Grey, height: int, width: int) -> tuple[int, int]:
    """Top and left of the digit in the frame, so that its centre of mass lies in the middle."""
    mass = digit.astype(np.float64)
    row = float((mass.sum(axis=1) * np.arange(digit.shape[0])).sum() / mass.sum())
    column = float((mass.sum(axis=0) * np.arange(digit.shape[1])).sum() / mass.sum())
    top = min(max(round(height / 2 - row), 0), height - digit.shape[0])
    left = min(max(round(width / 2 - column), 0), width - digit.shape[1])
    return top, left
