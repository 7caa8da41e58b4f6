"""IDX, the file format of MNIST and its like: four files, plain or gzip, in one folder.

Format: http://yann.lecun.com/exdb/mnist/ as of 1998. Nothing is believed: type, dimensions and
length must be what is expected, and no more is unpacked than a header of that shape announces.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.error import DataError
from training.data.npz import Arrays, check

IDX_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
MAX_BYTES = 256 * 1024 * 1024  # unpacked; 60,000 pictures of 28×28 are 47 million
UNSIGNED_BYTE = 0x08


def has_idx(folder: Path) -> bool:
    """Is any of the four files there?"""
    return any(_path(folder, name) is not None for name in IDX_FILES.values())


def read_idx_folder(folder: Path, name: str, shape: tuple[int, ...], classes: int) -> Arrays:
    """The four arrays in a folder: pixels uint8 N×`shape`, labels integers N. Raises DataError."""
    arrays: Arrays = {}
    for key, file in IDX_FILES.items():
        path = _path(folder, file)
        try:
            if path is None:
                raise FileNotFoundError("it is not there, nor with .gz")
            arrays[key] = read_idx(path, shape if key.startswith("x") else ())
        except (OSError, ValueError, EOFError, zlib.error) as exc:
            raise DataError(
                f"{path or folder / file} cannot be read as {name} ({exc}). Expected all of "
                f"{', '.join(IDX_FILES.values())} in one folder, each as it is or with .gz."
            ) from exc
    try:
        return check(arrays, shape, classes)
    except ValueError as exc:
        raise DataError(f"The IDX files in {folder} are not those of {name}: {exc}.") from exc


def read_idx(path: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    """One IDX file → uint8 N×`shape`. Raises ValueError, OSError, EOFError or zlib.error."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        dimensions = 1 + len(shape)
        header = file.read(4 + 4 * dimensions)
        if header[:4] != bytes((0, 0, UNSIGNED_BYTE, dimensions)):
            raise ValueError(
                f"it begins with {header[:4].hex()}, not with 0000{UNSIGNED_BYTE:02x}"
                f"{dimensions:02x}, the mark of unsigned bytes in {dimensions} dimensions"
            )
        if len(header) < 4 + 4 * dimensions:
            raise ValueError("it ends within its header")
        n, *rest = struct.unpack(f">{dimensions}I", header[4:])
        if tuple(rest) != shape:
            raise ValueError(f"it announces pictures of {rest}, not of {list(shape)}")
        expected_bytes = n * math.prod(shape)
        if expected_bytes > MAX_BYTES:
            raise ValueError(f"it announces {expected_bytes:,} bytes; at most {MAX_BYTES:,}")
        values = file.read(expected_bytes + 1)  # one more, to see that it ends there
    if len(values) != expected_bytes:
        relation = "more than" if len(values) > expected_bytes else f"{len(values):,} of"
        raise ValueError(f"it holds {relation} the {expected_bytes:,} bytes that it announces")
    return np.frombuffer(values, np.uint8).reshape(n, *shape)


def _path(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)
