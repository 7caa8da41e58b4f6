"""How good is it still on pictures that are turned, moved, noisy or negative?

Each picture is decoded, changed and encoded again, so that what is measured is the service's path.
Knows nothing of who trained the classifier.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.card import Robustness
from app.classifier import Classifier
from app.preprocess import Preprocess, colour, orient, sufficient_size
from training.answers import answers
from training.png import png

MOST_IMAGES = 1_000  # a standard error of 0.3 points at 99 %, of 1.6 at 50 %
_SEED = 2026

Pixels = NDArray[np.uint8]  # H×W×C
Change = Callable[[Pixels, float, int], Pixels]  # pixels, strength, number of the picture


def robustness(
    classifier: Classifier,
    files: Sequence[bytes],
    truth: NDArray[np.int64],
    step: Callable[[int], None] = lambda _done: None,
) -> list[Robustness]:
    """Accuracy at each strength of each change, strength 0 first, on the same ≤ 1,000 images.

    `files` are encoded; where there are more, they are taken at even steps. `step` is told after
    how many of CHANGED measurements it is.
    """
    done = count(1)
    chosen = np.unique(np.linspace(0, len(files) - 1, min(len(files), MOST_IMAGES)).astype(int))
    preprocess, expected = classifier.card.preprocess, truth[chosen]

    def accuracy(change: Change, strength: float) -> float:
        changed = (  # decoded each time: together they may be larger than memory
            png(change(_pixels(files[index], preprocess), strength, number))
            for number, index in enumerate(chosen)
        )
        right = float((answers(classifier, changed).argmax(axis=1) == expected).mean())
        step(next(done))
        return right

    untouched = accuracy(lambda pixels, _strength, _number: pixels, 0)
    return [
        Robustness(
            change=name,
            strength=strength,
            unit=unit,
            accuracy=untouched if strength == 0 else accuracy(change, strength),
            images=len(chosen),
        )
        for name, (change, unit, strengths) in CHANGES.items()
        for strength in (0, *strengths)
    ]


def _pixels(data: bytes, preprocess: Preprocess) -> Pixels:
    """A picture in the model's colours, made smaller if both sides are over twice what it sees."""
    width, height = 2 * preprocess.width, 2 * preprocess.height
    image: Image.Image = Image.open(io.BytesIO(data))
    if preprocess.layout == "digit":  # thin ink is looked for in a larger picture
        height, width = sufficient_size(preprocess)
    image.draft(None, (width, height))
    image = colour(orient(image), preprocess)
    scale = max(width / image.width, height / image.height)
    if preprocess.layout != "digit" and scale < 1:
        image = image.resize((round(scale * image.width), round(scale * image.height)))
    return np.asarray(image).reshape(image.height, image.width, preprocess.channels)


def turned(pixels: Pixels, degrees: float, number: int) -> Pixels:
    """Turned about its middle: even numbers clockwise, odd ones the other way."""
    image = Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)
    angle = degrees if number % 2 else -degrees
    image = image.rotate(angle, Image.Resampling.BILINEAR, fillcolor=_paper(pixels))
    return np.asarray(image).reshape(pixels.shape)


def moved(pixels: Pixels, percent: float, number: int) -> Pixels:
    """Moved by a share of its width or height, one picture down, the next up, right, left."""
    height, width, _ = pixels.shape
    down, right = ((1, 0), (-1, 0), (0, 1), (0, -1))[number % 4]
    rows, columns = round(down * height * percent / 100), round(right * width * percent / 100)
    paper = np.empty_like(pixels)
    paper[:] = _paper(pixels)
    paper[max(rows, 0) : height + min(rows, 0), max(columns, 0) : width + min(columns, 0)] = pixels[
        max(-rows, 0) : height + min(-rows, 0), max(-columns, 0) : width + min(-columns, 0)
    ]
    return paper


def noisy(pixels: Pixels, levels: float, number: int) -> Pixels:
    """With normal noise of this standard deviation on each of its 0 … 255 levels."""
    noise = np.random.default_rng((_SEED, number)).normal(0, levels, pixels.shape)
    return np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)


def negative(pixels: Pixels, _strength: float, _number: int) -> Pixels:
    """Light where it was dark."""
    return 255 - pixels


def _paper(pixels: Pixels) -> tuple[int, ...]:
    """What comes in from outside: the median of the picture's border, channel by channel."""
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])  # n×C
    return tuple(int(level) for level in np.median(border, axis=0))


CHANGES: dict[str, tuple[Change, str, tuple[float, ...]]] = {
    "rotation": (turned, "degrees", (10, 20, 30, 45)),
    "shift": (moved, "% of the side", (5, 10, 20)),
    "noise": (noisy, "levels", (10, 25, 50)),
    "inversion": (negative, "", (1,)),
}
CHANGED = 1 + sum(len(strengths) for _, _, strengths in CHANGES.values())  # measurements
