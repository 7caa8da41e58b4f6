"""What a data set is: pixels and labels in two parts, and the encoded test images.

Knows nothing of where they come from, of networks, or of what is done to pixels in training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.preprocess import Preprocess
from training.data.split import Split
from training.png import png

CHUNK_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Data:
    """A data set in its two parts. Those that come from pictures lie on disk, mapped into memory.

    Pixels are uint8 N×H×W×C as `preprocess` gives them; labels are integers N. `test_files` are the
    pictures of `x_test` in its order, where there are files. The last `validation_images` of
    `x_train` are those that came as a part of their own, to judge recipes by.
    """

    name: str
    labels: tuple[str, ...]
    preprocess: Preprocess
    x_train: NDArray[np.uint8]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.uint8]
    y_test: NDArray[np.int64]
    test_files: tuple[Path, ...] | None = None
    validation_images: int = 0
    split: Split | None = None  # of pictures: which is where, and what was found

    @cached_property
    def sha256(self) -> str:
        """Checksum of all pixels and labels, whatever file they came in."""
        digest = hashlib.sha256()
        for array in (self.x_train, self.y_train, self.x_test, self.y_test):
            rows = max(1, CHUNK_BYTES // max(1, array[:1].nbytes))
            for start in range(0, len(array), rows):
                digest.update(np.ascontiguousarray(array[start : start + rows]).data)
        return digest.hexdigest()

    @property
    def test_images(self) -> Sequence[bytes]:
        """Each test image as an encoded file: its own, or a PNG of its pixels."""
        if self.test_files:
            return _Files(self.test_files)
        return _Encoded(self.x_test, np.arange(len(self.x_test)))

    def training_images(self, chosen: NDArray[np.int64]) -> Sequence[bytes]:
        """Training images of these numbers, each as a PNG of its pixels."""
        return _Encoded(self.x_train, chosen)


@dataclass(frozen=True)
class _Files(Sequence[bytes]):
    """Files, each read when it is asked for: together they may be larger than memory."""

    paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any) -> Any:
        return self.paths[index].read_bytes()


@dataclass(frozen=True)
class _Encoded(Sequence[bytes]):
    """Some of the pixels N×H×W×C, each picture encoded when it is asked for."""

    pixels: NDArray[np.uint8]
    chosen: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: Any) -> Any:
        return png(self.pixels[self.chosen[index]])
