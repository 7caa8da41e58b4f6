"""The pixels of a folder of pictures and what is known of them, kept on disk.

FOLDER/index.json   what was read, and how it is split
       KEY.npy      pixels uint8 N×H×W×C, in the order of the index

Knows nothing of how pictures become pixels.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from training.data.rows import Row
from training.data.split import Split


@dataclass(frozen=True)
class Index:
    """`key` stands for all that the pixels depend on, `made_by` for the code that made them."""

    key: str
    made_by: str
    rows: tuple[Row, ...]
    split: Split  # its files are the rows


@dataclass(frozen=True)
class Cached:
    """An index and its pixels, which are mapped, not read."""

    index: Index
    pixels: NDArray[np.uint8]


def read_cache(folder: Path) -> Cached | None:
    """What `write_cache` wrote; None if there is nothing, or nothing whole."""
    try:
        index = TypeAdapter(Index).validate_json((folder / "index.json").read_bytes())
        pixels = np.load(folder / f"{index.key}.npy", mmap_mode="r")
    except (OSError, ValidationError, ValueError, EOFError):
        return None
    size = index.split.preprocess
    shape = (len(index.rows), size.height, size.width, size.channels)
    whole = pixels.dtype == np.uint8 and pixels.shape == shape
    return Cached(index, pixels) if whole else None


def write_cache(
    folder: Path, index: Index, pixels: NDArray[np.uint8], order: Sequence[int]
) -> Cached:
    """Keep `pixels[order]` and its index in place of what was kept.

    Row by row, so that they are never in memory together. Raises OSError.
    """
    final = folder / f"{index.key}.npy"
    part = folder / f"{index.key}.{os.getpid()}.part"
    try:
        with part.open("wb") as file:
            shape = (len(order), *pixels.shape[1:])
            np.lib.format.write_array_header_1_0(
                file, {"descr": "|u1", "fortran_order": False, "shape": shape}
            )
            for row in order:
                file.write(pixels[row].tobytes())
        part.replace(final)  # at once, and before the index that names it
    finally:
        part.unlink(missing_ok=True)
    part = folder / f"index.{os.getpid()}.part"
    part.write_bytes(TypeAdapter(Index).dump_json(index))
    part.replace(folder / "index.json")
    for other in folder.glob("*.npy"):
        if other != final:
            with suppress(OSError):  # somebody else was quicker
                other.unlink()
    return Cached(index, np.load(final, mmap_mode="r"))
