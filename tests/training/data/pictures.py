"""Folders of small pictures, as people have them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tests.conftest import encode


def noise(seed: int, side: int = 8) -> bytes:
    """A PNG unlike any other; always the same for the same seed."""
    return encode(np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8))


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files by their paths below `folder`; returns it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def classes(*labels: str, each: int = 5, first: int = 0) -> dict[str, bytes]:
    """`each` different pictures of every class: LABEL/0.png and so on."""
    return {
        f"{label}/{number}.png": noise(first + place * each + number)
        for place, label in enumerate(labels)
        for number in range(each)
    }
