"""The CNN families of keras.applications, with random weights that make a difference.

A network that was never trained answers every picture alike, and then any graph would pass for its
translation. Here batch normalisation has the statistics of the pictures at hand, and the last layer
is scaled until the answers differ.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    import keras

PHOTO = Path(__file__).parent / "pictures" / "photo.jpg"
SIDE = 128
SIDES = {"NASNetMobile": 224}  # takes no other with its classes
FAMILIES = (
    *("Xception", "VGG16", "ResNet50", "ResNet50V2", "InceptionV3", "InceptionResNetV2"),
    *("MobileNet", "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large", "DenseNet121"),
    *("NASNetMobile", "EfficientNetB0", "EfficientNetV2B0", "ConvNeXtTiny"),
)


def pictures(count: int, side: int) -> NDArray[np.uint8]:
    """Parts of one photo, each in a light of its own: count × side × side × 3."""
    rng = np.random.default_rng(0)
    photo = Image.open(PHOTO).convert("RGB")
    found = []
    for _ in range(count):
        part = int(rng.integers(side, min(photo.size)))
        left, top = (int(rng.integers(0, size - part + 1)) for size in photo.size)
        cut = photo.resize((side, side), box=(left, top, left + part, top + part))
        light = rng.uniform(0.3, 1, 3)
        found.append((np.asarray(cut) * light).astype(np.uint8))
    return np.stack(found)


def application(name: str, side: int, classes: int) -> keras.Model:
    """A network of keras.applications whose answers depend on the picture."""
    import keras

    keras.utils.set_random_seed(0)
    shape = (side, side, 3)
    model = getattr(keras.applications, name)(weights=None, input_shape=shape, classes=classes)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name in ("beta", "bias"):
            weight.assign(rng.normal(0, 0.1, weight.shape))
        elif weight.name == "gamma":
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    batch = pictures(8, side).astype(np.float32)
    _take_statistics(model, batch)
    _spread(model, batch)
    return model


def _take_statistics(model: Any, batch: NDArray[np.float32]) -> None:
    normalising = [one for one in model.layers if type(one).__name__ == "BatchNormalization"]
    for layer in normalising:
        layer.momentum = 0.0  # the moving statistics become those of the next batch
    if normalising:
        model(batch, training=True)


def _spread(model: Any, batch: NDArray[np.float32]) -> None:
    """Scale the last kernel so that a class's scores differ by about ½ among the pictures."""
    last = [layer for layer in model.layers if hasattr(layer, "kernel")][-1]
    logits = np.log(np.maximum(model.predict_on_batch(batch), 1e-30))
    deviation = (logits - logits.mean(axis=1, keepdims=True)).std(axis=0).mean()
    kernel = np.asarray(last.kernel)
    last.kernel.assign(kernel / (2 * deviation))
