"""Which training images are left out of a training, to judge it by.

The same for every recipe and seed; knows nothing of networks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.data import Data

VALIDATION_SEED = 2026


def split(data: Data, validation: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the training images that are trained on, and of those that judge.

    `validation` images judge, of each class its share (by largest remainder) and never all. None
    judges that is there more than once: it would be trained on too. Where images came as a part of
    their own to judge by, they are the ones.
    """
    if validation and data.validation_images:
        indices = np.arange(len(data.x_train))
        return indices[: -data.validation_images], indices[-data.validation_images :]
    order = np.random.default_rng(VALIDATION_SEED).permutation(len(data.x_train))
    judges = np.zeros(len(order), bool)
    numbers = picture_numbers(data)
    single = np.bincount(numbers)[numbers] == 1
    images = np.bincount(data.y_train[single], minlength=len(data.labels))
    for label, share in enumerate(_shares(images, validation)):
        judges[order[single[order] & (data.y_train[order] == label)][:share]] = True
    return order[~judges[order]], order[judges[order]]


def picture_numbers(data: Data) -> NDArray[np.int64]:
    """Of each training image the number of its picture, which images with equal pixels share."""
    numbers = np.arange(len(data.x_train))
    if data.split is not None:
        places = {file.path: place for place, file in enumerate(data.split.files[: len(numbers)])}
        for group in data.split.duplicates:
            same = [places[path] for path in group if path in places]
            numbers[same] = min(same, default=0)
    return numbers


def _shares(images: NDArray[np.int64], validation: int) -> NDArray[np.int64]:
    """How many of each class judge; `images` says how many it has."""
    exact = validation * images / max(1, images.sum())
    spare = np.maximum(images - 1, 0)
    shares: NDArray[np.int64] = np.minimum(exact.astype(np.int64), spare)
    for label in np.argsort(exact.astype(np.int64) - exact, kind="stable"):
        if shares.sum() < validation and shares[label] < spare[label]:
            shares[label] += 1
    return shares
