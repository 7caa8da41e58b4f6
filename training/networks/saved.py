"""A network as a `.keras` file has it, back again."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


class DamagedFile(OSError):
    """A file cannot be read as a network; the message says what to do."""


def load(path: Path) -> keras.Model:
    """Read a whole network. Raises DamagedFile."""
    import keras

    for part in ("dirac", "views"):  # Keras finds by name what it has seen
        import_module(f"training.networks.{part}")
    try:
        model: keras.Model = keras.saving.load_model(path)
    except Exception as exc:  # Keras wraps what zipfile, json and h5py raise in whatever it likes
        raise DamagedFile(
            f"{path} cannot be read as a network of Keras ({exc}). Remove its folder and train "
            "again."
        ) from exc
    return model
