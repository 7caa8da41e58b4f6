"""A network that somebody trained on ImageNet, cut off before its classes: pixels → features.

By name: `lite0`, or a class of `keras.applications`, whose weights are downloaded or come from a
file. Knows nothing of data or training.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from app.preprocess import Preprocess
from training.normalise import Normalise
from training.pretrained.lite0_weights import WeightsError, lite0_imagenet
from training.recipes import LITE0

ANY_SIZE = 224  # for a class that names no size of its own: MobileNetV3


@dataclass(frozen=True)
class Backbone:
    """`network` takes pixels as `preprocess` and `normalise` give them, and gives N×features."""

    name: str
    network: keras.Model
    preprocess: Preprocess
    normalise: Normalise

    def with_classes(self, classes: int) -> keras.Model:
        """The same network with a softmax over so many classes, which knows none of them yet."""
        answer = keras.layers.Dense(classes, activation="softmax", name="classes")
        return keras.Model(self.network.inputs[0], answer(self.network.output), name=self.name)


def load_backbone(name: str, weights: Path | None = None) -> Backbone:
    """`lite0`, or any class of `keras.applications` by its name there.

    `weights` is a file for the class without its top, as Keras offers them (`…_notop.h5`); without
    one, Keras downloads it. Raises WeightsError.
    """
    if name == "lite0":
        whole = lite0_imagenet()
        network = keras.Model(whole.inputs[0], whole.get_layer("pool").output, name=name)
        return Backbone(name, network, _preprocess(network), LITE0)
    build = _application(name)
    if weights is not None and not weights.is_file():
        raise WeightsError(f"there is no file {weights}, which --weights names.")
    made_for = build(weights=None).input_shape[1:]
    shape = tuple(side or ANY_SIZE for side in made_for)
    try:
        network = build(
            weights="imagenet" if weights is None else str(weights),
            include_top=False,
            pooling="avg",
            input_shape=shape,
        )
    except Exception as exc:  # Keras wraps what urllib and h5py raise in whatever it likes
        raise WeightsError(
            f"the weights of {name} cannot be had ({exc}). Without Internet, get its file "
            f"without the top elsewhere and name it with --weights. `lite0` needs no download."
        ) from exc
    normalise, swapped = normalise_of(build)
    if swapped:
        _swap_channels(network)
    return Backbone(name, network, _preprocess(network), normalise)


def _application(name: str) -> Callable[..., keras.Model]:
    names = [each for each in dir(keras.applications) if each[0].isupper()]
    if name not in names:
        raise WeightsError(
            f"there is no backbone {name!r}. There are lite0 and, from keras.applications, "
            f"{', '.join(names)}."
        )
    build: Callable[..., keras.Model] = getattr(keras.applications, name)
    return build


def _preprocess(network: keras.Model) -> Preprocess:
    _, height, width, _ = network.input_shape
    return Preprocess(height, width, channels=3, layout="crop", resample="bicubic")


def normalise_of(build: Callable[..., keras.Model]) -> tuple[Normalise, bool]:
    """What the class's own `preprocess_input` does to RGB, and if it makes it BGR.

    Read off its answers for black, white and red, so that no table of forty classes can be wrong.
    """
    preprocess_input = inspect.getmodule(build).preprocess_input  # type: ignore[union-attr]
    colours = np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0]], np.float32)
    black, white, red = np.asarray(preprocess_input(colours.reshape(1, 1, 3, 3)))[0, 0]
    swapped = bool(red[2] != black[2])
    order = slice(None, None, -1 if swapped else 1)
    std = 255 / (white - black)[order].astype(np.float64)
    mean = -black[order] * std
    return Normalise(_rounded(mean), _rounded(std)), swapped


def _rounded(levels: Any) -> tuple[float, ...]:
    return tuple(round(float(level), 3) + 0.0 for level in levels)  # + 0.0: no −0


def _swap_channels(network: keras.Model) -> None:
    """Make a network for BGR one for RGB: turn the kernels of its first convolution round."""
    first = next(layer for layer in network.layers if layer.weights)
    kernel, *others = first.get_weights()
    first.set_weights([kernel[:, :, ::-1], *others])
