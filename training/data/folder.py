"""A folder of pictures → a data set whose pixels lie in a file that is mapped into memory.

A second start reads no picture; where files came, went or changed, only those are decoded.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray

from app import __version__
from app.preprocess import Preprocess
from training.data.arrange import arrange
from training.data.assign import SPLIT_SEED, TEST_SHARE
from training.data.cache import Cached, Index, read_cache, write_cache
from training.data.dataset import Data
from training.data.error import DataError
from training.data.rows import Progress, stamp_of, write_rows
from training.data.split import Split
from training.data.tree import Tree, read_tree

CACHE = Path("runs/cache")
MADE_BY = f"Convolu {__version__}, Pillow {PIL.__version__}"  # others may give other pixels


def load_folder(
    folder: Path,
    preprocess: Preprocess,
    cache_folder: Path = CACHE,
    *,
    name: str | None = None,
    seed: int = SPLIT_SEED,
    test_share: float = TEST_SHARE,
    progress: Progress | None = None,
) -> Data:
    """Read every picture of a folder, and split them unless the folder comes in parts.

    `progress` is told how many pictures are read, and of how many. What was skipped and what was
    found is in the `split` of the data. Raises DataError.
    """
    tree = read_tree(folder)
    stamps = [stamp_of(folder / picture.path) for picture in tree.pictures]
    key = _digest(MADE_BY, preprocess, seed, test_share, tree, stamps)
    shelf = cache_folder / _digest(folder.resolve(), preprocess)
    cached = read_cache(shelf)
    if cached is None or cached.index.key != key:
        try:
            cached = _read(folder, tree, preprocess, seed, test_share, key, shelf, cached, progress)
        except OSError as exc:
            raise DataError(
                f"The pixels of {folder} cannot be kept in {cache_folder} ({exc}). They take "
                f"{preprocess.height * preprocess.width * preprocess.channels:,} bytes a picture, "
                "and twice that while they are read."
            ) from exc
    return _data(name or folder.resolve().name, folder, cached.index.split, cached.pixels)


def _read(
    folder: Path,
    tree: Tree,
    preprocess: Preprocess,
    seed: int,
    test_share: float,
    key: str,
    shelf: Path,
    before: Cached | None,
    progress: Progress | None,
) -> Cached:
    """Decode what is not known from `before`, split it, and keep it on the shelf in that order."""
    shelf.mkdir(parents=True, exist_ok=True)
    known = {}
    if before is not None and before.index.made_by == MADE_BY:
        rows_and_pixels = zip(before.index.rows, before.pixels, strict=True)
        known = {(row.path, row.stamp): (row, pixels) for row, pixels in rows_and_pixels}
    with tempfile.TemporaryFile(dir=shelf) as file:
        paths = [picture.path for picture in tree.pictures]
        rows, unreadable = write_rows(folder, paths, preprocess, file, known, progress)
        file.flush()
        tree.skipped += unreadable
        shape = (len(rows), preprocess.height, preprocess.width, preprocess.channels)
        pixels = np.memmap(file, np.uint8, "r", shape=shape) if rows else np.empty(shape, np.uint8)
        split, order = arrange(folder, tree, rows, pixels, preprocess, seed, test_share)
        index = Index(key, MADE_BY, tuple(rows[row] for row in order), split)
        return write_cache(shelf, index, pixels, order)


def _data(name: str, folder: Path, split: Split, pixels: NDArray[np.uint8]) -> Data:
    number = {label: index for index, label in enumerate(split.labels)}
    truth = np.array([number[file.label] for file in split.files], np.int64)
    counts = Counter(file.part for file in split.files)
    training = len(split.files) - counts["test"]
    return Data(
        name=name,
        labels=split.labels,
        preprocess=split.preprocess,
        x_train=pixels[:training],
        y_train=truth[:training],
        x_test=pixels[training:],
        y_test=truth[training:],
        test_files=tuple(folder / file.path for file in split.files[training:]),
        validation_images=counts["validation"],
        split=split,
    )


def _digest(*facts: object) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]
