"""Deeper networks: groups of convolutions with batch normalisation, for small and large photos.

In the manner of Jordan's airbench networks (arXiv 2404.00498), with ReLU: TensorFlow computes GELU
in bfloat16 at half the speed. Without dense layers but the last, so any image size will do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def deep_small(
    image: tuple[int, int, int],
    classes: int,
    stem: int = 8,
    widths: tuple[int, ...] = (32, 64, 128),
    mirrored: bool = False,
) -> keras.Model:
    """For pictures of about 32 pixels: a 2×2 stem that whitens, then one group for each width.

    With `mirrored` it answers by a picture and its mirror image (`training.networks.views`).
    """
    from keras import Input, Model, layers

    from training.networks.views import MeanOfViews, WithMirrorImages

    x = inputs = Input(image, name="image")
    if mirrored:
        x = WithMirrorImages(dtype="float32", name="views")(x)
    x = layers.Conv2D(stem, 2, activation="relu", dtype="float32", name="whiten")(x)
    for number, width in enumerate(widths, start=1):
        x = _group(x, width, f"group{number}", momentum=0.6)
    x = layers.GlobalMaxPooling2D(name="pool")(x)
    if mirrored:
        x = MeanOfViews(2, name="both_views")(x)
    return Model(inputs, _answer(x, classes), name="deep-small")


def deep_photo(
    image: tuple[int, int, int],
    classes: int,
    stem: int = 32,
    widths: tuple[int, ...] = (48, 96, 192, 320),
    dropout: float = 0.3,
) -> keras.Model:
    """For photos of about 160 pixels: a stem with stride 2, then one group for each width."""
    from keras import Input, Model, layers

    inputs = Input(image, name="image")
    x = _normalised(
        layers.Conv2D(stem, 3, 2, "same", use_bias=False, name="stem_conv")(inputs), "stem", "", 0.9
    )
    for number, width in enumerate(widths, start=1):
        x = _group(x, width, f"group{number}", momentum=0.9)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return Model(inputs, _answer(x, classes), name="deep-photo")


def _group(x: Any, width: int, name: str, momentum: float) -> Any:
    """Halve the map and widen it, then add what a second convolution makes of it."""
    from keras import layers

    x = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"{name}_conv1")(x)
    x = layers.MaxPooling2D(2, name=f"{name}_pool")(x)
    x = _normalised(x, name, "1", momentum)
    y = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"{name}_conv2")(x)
    return layers.Add(name=f"{name}_add")([x, _normalised(y, name, "2", momentum)])


def _normalised(x: Any, name: str, number: str, momentum: float) -> Any:
    from keras import layers

    x = layers.BatchNormalization(momentum=momentum, name=f"{name}_norm{number}")(x)
    return layers.Activation("relu", name=f"{name}_relu{number}")(x)


def _answer(x: Any, classes: int) -> Any:
    from keras import layers

    return layers.Dense(classes, activation="softmax", dtype="float32", name="answer")(x)
