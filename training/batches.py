"""The batches of a training run: which images, how they are changed, in what order.

All of it is decided by seed, epoch and place in the epoch, so that a run can go on where it broke
off. Knows nothing of networks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.augment import Distortion, distort
from training.data import Data, class_weights
from training.photo import PhotoChange, change
from training.recipes import Recipe

Floats = NDArray[np.float32]
Batch = tuple[Floats, ...]


class Batches:
    """Normalised, changed pixels and their targets; `chosen` are indices of `data.x_train`."""

    def __init__(
        self, recipe: Recipe, data: Data, chosen: NDArray[np.int64], seed: int, first_epoch: int = 0
    ) -> None:
        self._recipe, self._data, self._chosen, self._seed = recipe, data, chosen, seed
        self._one_hot = np.eye(len(data.labels), dtype=np.float32)
        self._class_weights = (
            class_weights(data.y_train[chosen], len(data.labels)) if recipe.balanced else None
        )
        # An image is mirrored every other epoch, from which on is a coin's choice: alternating flip
        # (Jordan, arXiv 2404.00498) shows each side equally often.
        self._coin = np.random.default_rng((seed, 2)).integers(0, 2, len(data.x_train))
        self._epoch = first_epoch
        self._shuffle()

    @property
    def image(self) -> tuple[int, ...]:
        """Height, width, channels of the pictures in a batch."""
        _, height, width, channels = self._data.x_train.shape
        side = getattr(self._recipe.augmentation, "crop_side", None)
        return (height, width, channels) if side is None else (side, side, channels)

    @property
    def batch_size(self) -> int:
        """Images in a batch, but for the last one."""
        return self._recipe.batch_size

    def __len__(self) -> int:
        return -(-len(self._chosen) // self._recipe.batch_size)

    def __getitem__(self, index: int) -> Batch:
        """Batch N×H×W×C, targets N×classes and, where classes weigh differently, weights N."""
        size = self._recipe.batch_size
        chosen = self._order[index * size : (index + 1) * size]
        batch = self._recipe.normalise(self._changed(chosen, index))
        targets = self._one_hot[self._data.y_train[chosen]]
        if self._class_weights is None:
            return batch, targets
        return batch, targets, targets @ self._class_weights

    def _changed(self, chosen: NDArray[np.int64], index: int) -> NDArray[np.uint8]:
        recipe = self._recipe
        rng = np.random.default_rng((self._seed, self._epoch, index))
        pixels = self._data.x_train[chosen]
        if isinstance(recipe.augmentation, Distortion):
            pixels = distort(pixels, recipe.augmentation, rng)
        elif isinstance(recipe.augmentation, PhotoChange):
            pixels = change(pixels, recipe.augmentation, rng)
        if recipe.flip:
            mirrored = (self._coin[chosen] + self._epoch) % 2 == 1
            pixels[mirrored] = pixels[mirrored, :, ::-1]
        return pixels

    def next_epoch(self) -> None:
        """From now on the batches are those of the epoch after."""
        self._epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        rng = np.random.default_rng((self._seed, self._epoch))
        self._order = rng.permutation(self._chosen)
