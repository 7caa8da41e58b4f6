"""A network for small photos that learns quickly, after Jordan's airbench (arXiv 2404.00498).

It has the widths of his airbench95 and the groups of his airbench96. Other than there: ReLU,
because TensorFlow computes GELU in bfloat16 at half the speed; a stem without a bias (after two
epochs of a smaller network 88.5 % of 5,000 left out, with one 88.6); a bias in the last Dense;
views that weigh equally. Any image size will do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def airbench(
    image: tuple[int, int, int],
    classes: int,
    widths: tuple[int, ...] = (128, 384, 384),
    mirrored: bool = False,
    shifted: bool = False,
) -> keras.Model:
    """For pictures of about 32 pixels: a 2×2 stem that whitens, then one group for each width.

    The stem stays as it starts: a recipe must have `whiten`. The convolutions start by passing
    their input on. With `mirrored` it answers by a picture and its mirror image, with `shifted` by
    each of them moved a pixel down and right, and up and left, as well (`training.networks.views`).
    """
    from keras import Input, Model, layers

    from training.networks.views import MeanOfViews, WithMirrorImages, WithShifted

    x = inputs = Input(image, name="image")
    if mirrored:
        x = WithMirrorImages(dtype="float32", name="mirrored")(x)
    if shifted:
        x = WithShifted(dtype="float32", name="shifted")(x)
    directions = 2 * 2 * image[2]  # of a patch, each with both signs
    whiten = layers.Conv2D(
        2 * directions, 2, activation="relu", use_bias=False, dtype="float32", name="whiten"
    )
    whiten.trainable = False
    x = whiten(x)
    for number, width in enumerate(widths, start=1):
        x = _group(x, width, f"group{number}")
    x = layers.GlobalMaxPooling2D(name="pool")(x)
    x = layers.Rescaling(1 / 9, name="scale")(x)  # Jordan's: first answers are not yet sure
    if mirrored or shifted:
        x = MeanOfViews((1 + mirrored) * (1 + 2 * shifted), name="mean_of_views")(x)
    x = layers.Dense(classes, activation="softmax", dtype="float32", name="answer")(x)
    return Model(inputs, x, name="airbench")


def _group(x: Any, width: int, name: str) -> Any:
    """Three convolutions; of the first only the maxima go on, and are added to the third."""
    from keras import layers

    x = layers.MaxPooling2D(2, name=f"{name}_pool")(_convolution(width, f"{name}_conv1")(x))
    x = layers.Activation("relu", name=f"{name}_relu1")(_norm(f"{name}_norm1")(x))
    y = _norm(f"{name}_norm2")(_convolution(width, f"{name}_conv2")(x))
    y = layers.Activation("relu", name=f"{name}_relu2")(y)
    y = _norm(f"{name}_norm3")(_convolution(width, f"{name}_conv3")(y))
    return layers.Activation("relu", name=f"{name}_relu3")(layers.Add(name=f"{name}_sum")([x, y]))


def _convolution(width: int, name: str) -> Any:
    from keras import layers

    from training.networks.dirac import Dirac

    return layers.Conv2D(
        width, 3, padding="same", use_bias=False, kernel_initializer=Dirac(), name=name
    )


def _norm(name: str) -> Any:
    from keras import layers

    return layers.BatchNormalization(momentum=0.6, scale=False, name=name)
