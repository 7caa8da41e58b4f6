"""Pixels → features, once for each picture, kept on disk.

A frozen network says the same of a picture every time, so a head is trained on what it said.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from training.normalise import Normalise
from training.progress import Progress

BATCH, BATCH_PIXELS = 32, 32 * 224 * 224  # EfficientNetB7 takes 140 MB for each of 600×600 pixels
VIEWS = 2  # of each picture: as it is, and mirrored


def cached_features(
    network: keras.Model,
    normalise: Normalise,
    pixels: NDArray[np.uint8],
    pixels_sha256: str,
    folder: Path,
    progress: Progress,
) -> NDArray[np.float32]:
    """uint8 N×H×W×C → float32 N×2×features, mapped from a file in `folder`.

    The file bears the checksums of weights and pixels in its name: every run on both finds it.
    """
    digest = hashlib.sha256(pixels_sha256.encode())
    for weights in network.get_weights():
        digest.update(np.ascontiguousarray(weights).data)
    path = folder / f"{digest.hexdigest()[:16]}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")  # another run may write the same
        try:
            _write(part, network, normalise, pixels, progress)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    features: NDArray[np.float32] = np.load(path, mmap_mode="r")
    return features


def _write(
    path: Path,
    network: keras.Model,
    normalise: Normalise,
    pixels: NDArray[np.uint8],
    progress: Progress,
) -> None:
    progress.stage("features", len(pixels))
    height, width = pixels.shape[1:3]
    at_once = max(1, min(BATCH, BATCH_PIXELS // (height * width)))
    shape = (len(pixels), VIEWS, network.output_shape[-1])
    features = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    for start in range(0, len(pixels), at_once):
        batch = normalise(pixels[start : start + at_once])
        for view, seen in enumerate((batch, batch[:, :, ::-1])):
            features[start : start + at_once, view] = network.predict_on_batch(seen)
        progress.step(min(start + at_once, len(pixels)))
    features.flush()
