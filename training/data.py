"""The data sets: pixels and labels, from a folder or, where there is Internet, from Keras.

Knows nothing of networks or of what is done to pixels in training.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.preprocess import Preprocess


class DataError(RuntimeError):
    """A data set cannot be had; the message says from where it was tried and what to do."""


@dataclass(frozen=True)
class Data:
    """A data set, split as its authors split it.

    Pixels are uint8 N×H×W×C as `preprocess` would give them; labels are integers N.
    """

    name: str
    labels: tuple[str, ...]
    preprocess: Preprocess
    x_train: NDArray[np.uint8]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.uint8]
    y_test: NDArray[np.int64]

    @property
    def sha256(self) -> str:
        """Checksum of all pixels and labels, whatever file they came in."""
        digest = hashlib.sha256()
        for array in (self.x_train, self.y_train, self.x_test, self.y_test):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def load(name: str, folder: Path | None) -> Data:
    """Load a data set by name from `folder`, or with None from Keras. Raises DataError."""
    return LOADERS[name](folder)


def mnist(folder: Path | None) -> Data:
    """MNIST: 60,000 + 10,000 handwritten digits, 28×28×1 (LeCun, Cortes, Burges 1998)."""
    arrays = _arrays("mnist", (28, 28), folder)
    return Data(
        name="mnist",
        labels=tuple("0123456789"),
        preprocess=Preprocess(28, 28, channels=1, layout="digit"),
        x_train=arrays["x_train"][..., None],
        y_train=arrays["y_train"].astype(np.int64),
        x_test=arrays["x_test"][..., None],
        y_test=arrays["y_test"].astype(np.int64),
    )


LOADERS = {"mnist": mnist}


def _arrays(name: str, shape: tuple[int, ...], folder: Path | None) -> dict[str, NDArray[Any]]:
    """x_train, y_train, x_test, y_test from `folder`/NAME.npz, or from `keras.datasets`.

    `shape` is that of one picture.
    """
    if folder is None:
        return _download(name)
    path = folder / f"{name}.npz"
    try:
        with zipfile.ZipFile(path):  # np.load takes other files too
            pass
        with np.load(path) as archive:
            arrays = {key: archive[key] for key in ("x_train", "y_train", "x_test", "y_test")}
        for split in ("train", "test"):
            x, y = arrays[f"x_{split}"], arrays[f"y_{split}"]
            if x.dtype != np.uint8 or x.shape != (len(y), *shape):
                raise ValueError(f"x_{split} is {x.dtype} {x.shape} for {len(y)} labels")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as exc:
        raise DataError(
            f"{path} cannot be read as {name} ({exc}). Expected Keras' own layout: an .npz with "
            "x_train, y_train, x_test and y_test, pictures as uint8 "
            f"N×{'×'.join(map(str, shape))}. Point --data or CONVOLU_DATA at its folder."
        ) from exc
    return arrays


def _download(name: str) -> dict[str, NDArray[Any]]:
    import keras

    try:
        train, test = getattr(keras.datasets, name).load_data()
    except Exception as exc:  # urllib's errors, wrapped by Keras in plain Exception
        raise DataError(
            f"{name} cannot be downloaded ({exc}). Without Internet, put {name}.npz into a folder "
            "and name the folder with --data or CONVOLU_DATA."
        ) from exc
    return {"x_train": train[0], "y_train": train[1], "x_test": test[0], "y_test": test[1]}
