"""What is done to training photos only: random changes that keep the label.

Knows nothing of Keras, of recipes or of how pixels are read. Digits are bent by `training.augment`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ASPECT = 4 / 3  # widest part: height to width between 3:4 and 4:3 (Szegedy et al. 2014)


@dataclass(frozen=True)
class PhotoChange:
    """How far a photo may be changed; `colour` figures are half-widths of uniform ranges.

    A random part is cut out and resized (Szegedy et al., "Going Deeper with Convolutions", 2014),
    or the picture is shifted with its edges mirrored; one square is blanked ("Cutout", DeVries and
    Taylor 2017).
    """

    crop_side: int | None = None  # pixels: the side of what a random part is resized to
    crop_area: float = 1.0  # the least share of the picture that a part has
    shift_pixels: int = 0
    cutout_pixels: int = 0  # the side of the square
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0


def change(
    pixels: NDArray[np.uint8], change: PhotoChange, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Change each photo its own way: uint8 N×H×W×C → the same, or of `crop_side`."""
    if change.crop_side is not None:
        pixels = _cropped(pixels, change.crop_side, change.crop_area, rng)
    if change.shift_pixels:
        pixels = _shifted(pixels, change.shift_pixels, rng)
    if change.brightness or change.contrast or change.saturation:
        pixels = _coloured(pixels, change, rng)
    if change.cutout_pixels:
        pixels = _cut_out(pixels, change.cutout_pixels, rng)
    return pixels


def _cropped(
    pixels: NDArray[np.uint8], side: int, least_area: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    n, height, width, channels = pixels.shape
    cropped = np.empty((n, side, side, channels), np.uint8)
    for source, target in zip(pixels, cropped, strict=True):
        area = rng.uniform(least_area, 1)
        stretch = np.exp(rng.uniform(-np.log(ASPECT), np.log(ASPECT)) / 2)
        part_height = min(height, height * np.sqrt(area) * stretch)
        part_width = min(width, width * np.sqrt(area) / stretch)
        top = rng.uniform(0, height - part_height)
        left = rng.uniform(0, width - part_width)
        image = Image.fromarray(source[..., 0] if channels == 1 else source)
        box = (left, top, left + part_width, top + part_height)
        resized = image.resize((side, side), Image.Resampling.BILINEAR, box)
        target[:] = np.asarray(resized).reshape(side, side, channels)
    return cropped


def _shifted(pixels: NDArray[np.uint8], most: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    n, height, width, _ = pixels.shape
    sides = ((0, 0), (most, most), (most, most), (0, 0))
    padded: NDArray[np.uint8] = np.pad(pixels, sides, "reflect")
    down, across = rng.integers(0, 2 * most + 1, (2, n, 1))
    rows, columns = down + np.arange(height), across + np.arange(width)  # N×H, N×W
    images = np.arange(n)[:, None, None]
    shifted: NDArray[np.uint8] = padded[images, rows[:, :, None], columns[:, None, :]]
    return shifted


def _coloured(
    pixels: NDArray[np.uint8], change: PhotoChange, rng: np.random.Generator
) -> NDArray[np.uint8]:
    n = len(pixels)

    def factor(half_width: float) -> NDArray[np.float32]:
        return rng.uniform(1 - half_width, 1 + half_width, (n, 1, 1, 1)).astype(np.float32)

    floats = pixels.astype(np.float32)
    if change.saturation and pixels.shape[-1] == 3:
        grey = floats.mean(axis=3, keepdims=True)
        floats = grey + (floats - grey) * factor(change.saturation)
    mean = floats.mean(axis=(1, 2, 3), keepdims=True)
    floats = mean * factor(change.brightness) + (floats - mean) * factor(change.contrast)
    return np.asarray(np.clip(np.rint(floats), 0, 255), np.uint8)


def _cut_out(pixels: NDArray[np.uint8], side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Blank a square whose centre lies anywhere: at the edge it is smaller."""
    n, height, width, _ = pixels.shape
    rows = np.abs(np.arange(height) + 0.5 - rng.uniform(0, height, (n, 1))) < side / 2  # N×H
    columns = np.abs(np.arange(width) + 0.5 - rng.uniform(0, width, (n, 1))) < side / 2  # N×W
    blank = pixels.mean(axis=(1, 2), keepdims=True).astype(np.uint8)  # each picture's own mean
    return np.where((rows[:, :, None] & columns[:, None, :])[..., None], blank, pixels)
