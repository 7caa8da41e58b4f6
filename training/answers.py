"""What the service answers to many pictures: its own path, bytes to probabilities, in process."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from app.classifier import Classifier, Probabilities

# As many as the service runs at once; EfficientNet-Lite0 takes 0.3 GB for it, for 64 0.9.
BATCH = 16


def answers(classifier: Classifier, files: Iterable[bytes]) -> Probabilities:
    """The service's own path in process: encoded files → pixels → probabilities N×K."""
    rows: list[Probabilities] = []
    pixels: list[NDArray[np.uint8]] = []
    for data in files:
        pixels.append(classifier.pixels_from(data))
        if len(pixels) == BATCH:
            rows.append(classifier.classify(np.stack(pixels)))
            pixels = []
    if pixels:
        rows.append(classifier.classify(np.stack(pixels)))
    return np.concatenate(rows)
