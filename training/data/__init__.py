"""The data sets: named ones, and any folder of pictures. `load` takes either."""

from training.data.catalog import CLASSES, FOLDER, NAMES, load, read_as, shape
from training.data.class_weights import class_weights
from training.data.dataset import Data
from training.data.error import DataError
from training.data.split import findings, write_split

__all__ = [
    "CLASSES",
    "FOLDER",
    "NAMES",
    "Data",
    "DataError",
    "class_weights",
    "findings",
    "load",
    "read_as",
    "shape",
    "write_split",
]
