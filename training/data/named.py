"""The data sets that come as pixels, split by their authors: MNIST, Fashion-MNIST, CIFAR-10.

Knows nothing of networks or of what is done to pixels in training.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.preprocess import Preprocess
from training.data.dataset import Data
from training.data.error import DataError
from training.data.idx import IDX_FILES, has_idx, read_idx_folder
from training.data.npz import Arrays, download, read_npz

# As what pictures are read. Articles of clothing are light on black and keep their proportions, the
# longer side at 28 pixels, as the authors did it; of larger photos nothing at the sides is lost.
PREPROCESS = {
    "mnist": Preprocess(28, 28, channels=1, layout="digit"),
    "fashion-mnist": Preprocess(28, 28, channels=1, layout="pad", background=(0, 0, 0)),
    "cifar10": Preprocess(32, 32, layout="squash"),
}
MNIST_BEGINS = [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]  # its first training labels; Fashion-MNIST: 9, 0, 0
# Debian's package dataset-fashion-mnist
SYSTEM_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")


def mnist(folder: Path | None) -> Data:
    """MNIST: 60,000 + 10,000 handwritten digits, 28×28×1 (LeCun, Cortes, Burges 1998)."""
    return _data("mnist", tuple("0123456789"), _arrays("mnist", (28, 28), folder))


def fashion_mnist(folder: Path | None, system: Path = SYSTEM_FASHION_MNIST) -> Data:
    """Fashion-MNIST: 60,000 + 10,000 articles of clothing, 28×28×1 (Xiao, Rasul, Vollgraf 2017).

    From fashion-mnist.npz in `folder`, IDX files in `folder`/fashion-mnist or `folder`, those that
    the `system` has, or with None also from Keras.
    """
    labels = (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )
    return _data("fashion-mnist", labels, _fashion_arrays(folder, system))


def cifar10(folder: Path | None) -> Data:
    """CIFAR-10: 50,000 + 10,000 photos of animals and vehicles, 32×32×3 (Krizhevsky 2009)."""
    labels = (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    )
    return _data("cifar10", labels, _arrays("cifar10", (32, 32, 3), folder))


NAMED = {"mnist": mnist, "fashion-mnist": fashion_mnist, "cifar10": cifar10}


def _fashion_arrays(folder: Path | None, system: Path) -> Arrays:
    name, shape = "fashion-mnist", (28, 28)
    if folder is not None and (folder / f"{name}.npz").exists():
        return _arrays(name, shape, folder)
    for place in [system] if folder is None else [folder / name, folder, system]:
        if has_idx(place):
            arrays = read_idx_folder(place, name, shape, classes=10)
            if arrays["y_train"][:10].tolist() == MNIST_BEGINS:
                raise DataError(
                    f"The IDX files in {place} are MNIST's digits, which have the same names. Put "
                    f"those of {name} into {place / name}."
                )
            return arrays
    if folder is not None:
        raise DataError(
            f"{folder} holds no {name}: neither {name}.npz in Keras' own layout, nor the IDX files "
            f"{', '.join(IDX_FILES.values())} (or .gz), there or in {name}/. Debian and Ubuntu "
            "have them as the package dataset-fashion-mnist, which is found by itself."
        )
    return download(name)


def _arrays(name: str, shape: tuple[int, ...], folder: Path | None) -> Arrays:
    if folder is None:
        return download(name)
    return read_npz(folder / f"{name}.npz", name, shape, classes=10)


def _data(name: str, labels: tuple[str, ...], arrays: Arrays) -> Data:
    preprocess = PREPROCESS[name]
    shape = (-1, preprocess.height, preprocess.width, preprocess.channels)
    return Data(
        name=name,
        labels=labels,
        preprocess=preprocess,
        x_train=arrays["x_train"].reshape(shape),
        y_train=arrays["y_train"].astype(np.int64),
        x_test=arrays["x_test"].reshape(shape),
        y_test=arrays["y_test"].astype(np.int64),
    )
