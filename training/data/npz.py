"""Arrays as Keras keeps them: FOLDER/NAME.npz, or what `keras.datasets` downloads.

Knows nothing of labels' names or of preprocessing.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.error import DataError

Arrays = dict[str, NDArray[Any]]  # x_train, y_train, x_test, y_test


def read_npz(path: Path, name: str, shape: tuple[int, ...], classes: int) -> Arrays:
    """The four arrays in a file: pixels uint8 N×`shape`, labels integers N. Raises DataError."""
    try:
        with zipfile.ZipFile(path):  # np.load takes other files too
            pass
        with np.load(path) as archive:
            arrays = {key: archive[key] for key in ("x_train", "y_train", "x_test", "y_test")}
        return check(arrays, shape, classes)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as exc:
        raise DataError(
            f"{path} cannot be read as {name} ({exc}). Expected Keras' own layout: an .npz with "
            "x_train, y_train, x_test and y_test, pictures as uint8 "
            f"N×{'×'.join(map(str, shape))}. Point --data or CONVOLU_DATA at its folder."
        ) from exc


def download(name: str) -> Arrays:
    """The same from `keras.datasets`, which keeps what it has downloaded. Raises DataError."""
    import keras

    try:
        train, test = getattr(keras.datasets, name.replace("-", "_")).load_data()
    except Exception as exc:  # urllib's errors, wrapped by Keras in plain Exception
        raise DataError(
            f"{name} cannot be downloaded ({exc}). Without Internet, put {name}.npz into a folder "
            "and name the folder with --data or CONVOLU_DATA."
        ) from exc
    y_train, y_test = (np.ravel(part[1]) for part in (train, test))  # CIFAR-10's are N×1
    return {"x_train": train[0], "y_train": y_train, "x_test": test[0], "y_test": y_test}


def check(arrays: Arrays, shape: tuple[int, ...], classes: int) -> Arrays:
    """The arrays with labels as N, also where they were N×1. Raises ValueError if they do not fit.

    `shape` is that of one picture.
    """
    checked: Arrays = {}
    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if y.shape == (len(y), 1):
            y = y[:, 0]
        if x.dtype != np.uint8 or x.shape != (len(y), *shape):
            raise ValueError(f"x_{part} is {x.dtype} {x.shape} for {len(y)} labels")
        if y.ndim != 1 or y.dtype.kind not in "iu":
            raise ValueError(f"y_{part} is {y.dtype} {y.shape} where integers N are expected")
        if len(y) == 0:
            raise ValueError(f"x_{part} holds no picture")
        if y.min() < 0 or y.max() >= classes:
            raise ValueError(f"y_{part} goes from {y.min()} to {y.max()}, for {classes} classes")
        checked |= {f"x_{part}": x, f"y_{part}": y}
    return checked
