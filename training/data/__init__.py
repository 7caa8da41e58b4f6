"""The data sets: named ones, and any folder of pictures. `load` takes either."""

from training.data.catalog import FOLDER, NAMES, SHAPES, load, shape
from training.data.class_weights import class_weights
from training.data.dataset import Data
from training.data.error import DataError
from training.data.split import findings, write_split

__all__ = [
    "FOLDER",
    "NAMES",
    "SHAPES",
    "Data",
    "DataError",
    "class_weights",
    "findings",
    "load",
    "shape",
    "write_split",
]
