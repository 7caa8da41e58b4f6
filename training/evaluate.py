"""How good are these probabilities? One code for Keras, for ONNX and for the service.

Takes probabilities and true classes; knows nothing of who made them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from app.card import Metrics
from app.classifier import Probabilities

CALIBRATION_BINS = 15


def measure(
    probabilities: Probabilities,
    truth: NDArray[np.int64],
    labels: Sequence[str],
    measured_on: str,
    seed_accuracies: dict[str, float] | None = None,
    temperature: float = 1.0,
) -> Metrics:
    """Probabilities N×K and true classes N → the metrics that go on a card.

    `temperature` is what the logits behind these probabilities were divided by; 1 is nothing.
    """
    right = probabilities.argmax(axis=1) == truth
    return Metrics(
        accuracy=float(right.mean()),
        accuracy_interval=wilson(int(right.sum()), len(right)),
        images=len(right),
        per_class_accuracy={
            label: float(right[truth == index].mean())
            for index, label in enumerate(labels)
            if (truth == index).any()
        },
        calibration_error=calibration_error(probabilities, truth),
        temperature=None if temperature == 1 else temperature,
        calibration_error_before=(
            None
            if temperature == 1
            else calibration_error(tempered(probabilities, 1 / temperature), truth)
        ),
        measured_on=measured_on,
        seed_accuracies=seed_accuracies or {},
    )


def confusion(
    probabilities: Probabilities, truth: NDArray[np.int64], classes: int
) -> list[list[int]]:
    """How many images of each true class (row) got each answer (column)."""
    pairs = truth * classes + probabilities.argmax(axis=1)
    counts: list[list[int]] = np.bincount(pairs, minlength=classes**2).reshape(classes, -1).tolist()
    return counts


def wilson(right: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson, 1927); near 0 and 1 a plain ± would leave the range."""
    z = 1.959964
    share = right / n
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def calibration_error(probabilities: Probabilities, truth: NDArray[np.int64]) -> float:
    """Expected calibration error (Naeini 2015): how far confidence lies from accuracy, 15 bins."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gap = np.bincount(bins, weights=confidence - right, minlength=CALIBRATION_BINS)
    return float(np.abs(gap).sum() / len(truth))


def tempered(probabilities: Probabilities, temperature: float) -> Probabilities:
    """What softmax would have given, had its logits been divided by `temperature`."""
    return np.asarray(softmax(logits(probabilities) / temperature, axis=1), np.float32)


def logits(probabilities: Probabilities) -> NDArray[np.float64]:
    """What softmax made probabilities N×K of, but for a number that the classes of a row share.

    A probability of 0 counts as float32's smallest.
    """
    return np.log(np.maximum(probabilities, np.finfo(np.float32).tiny).astype(np.float64))
