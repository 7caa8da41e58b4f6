"""A network as a `.keras` file has it, back again."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def load(path: Path) -> keras.Model:
    """Read a whole network. Raises what Keras raises."""
    import keras

    import_module("training.networks.views")  # Keras finds layers by name that it has seen
    model: keras.Model = keras.saving.load_model(path)
    return model
