"""Which data sets there are: one by its name, or by the folder its pictures lie in."""

from __future__ import annotations

from pathlib import Path

from app.preprocess import Preprocess
from training.data.dataset import Data
from training.data.error import DataError
from training.data.folder import CACHE, load_folder
from training.data.named import NAMED, PREPROCESS
from training.data.rows import Progress

# Sets that are folders of pictures, by name, and as what these are read if nobody says otherwise:
# all of a picture, squashed, as cats and dogs fill theirs.
PICTURES = {"cats-dogs": Preprocess(160, 160)}
NAMES = (*NAMED, *PICTURES)
FOLDER = "folder:"
CLASSES = {"mnist": 10, "fashion-mnist": 10, "cifar10": 10, "cats-dogs": 2}


def shape(name: str, preprocess: Preprocess | None) -> tuple[tuple[int, int, int], int]:
    """Height, width, channels and classes of a named data set whose pictures are read so."""
    seen = preprocess or read_as(name)
    return (seen.height, seen.width, seen.channels), CLASSES[name]


def read_as(name: str) -> Preprocess:
    """As what the pictures of a named data set are read, if nobody says otherwise."""
    return (PREPROCESS | PICTURES)[name]


def load(
    spec: str,
    folder: Path | None,
    preprocess: Preprocess | None = None,
    cache_folder: Path = CACHE,
    progress: Progress | None = None,
) -> Data:
    """Load a data set: one of NAMES from `folder`, or `folder:PATH`.

    With None as folder it comes from Keras, where Keras has it. `preprocess` says as what pictures
    are read; pixels are as their authors made them. Raises DataError.
    """
    if spec.startswith(FOLDER):
        path = spec.removeprefix(FOLDER)
        if not path or preprocess is None:
            raise DataError(f"{FOLDER}PATH needs a path, and a size to be read at; got {spec!r}.")
        return load_folder(Path(path).expanduser(), preprocess, cache_folder, progress=progress)
    if spec in PICTURES:
        if folder is None:
            raise DataError(
                f"{spec} cannot be downloaded. Put it into a folder as {spec}/train/CLASS/… and "
                f"{spec}/test/CLASS/…, and name the folder with --data or CONVOLU_DATA."
            )
        preprocess = preprocess or PICTURES[spec]
        return load_folder(folder / spec, preprocess, cache_folder, name=spec, progress=progress)
    if spec not in NAMED:
        raise DataError(
            f"There is no data set {spec!r}. There are {', '.join(NAMES)}, and {FOLDER}PATH for "
            "pictures of your own."
        )
    data = NAMED[spec](folder)
    if preprocess not in (None, data.preprocess):
        raise DataError(f"{spec} comes as pixels, {data.preprocess}; it cannot be read otherwise.")
    return data
