"""The networks, one function each: a Keras model that ends in softmax.

Untrained, but for `pretrained`, which knows ImageNet and not yet its own classes.

A network takes normalised float32 pixels (batch, height, width, channels) and knows nothing of how
they were normalised or what it will be trained on. Layer names become the tensor names of the
exported file. Keras is imported inside the functions, so that listing recipes costs nothing.
"""

from training.networks.airbench import airbench
from training.networks.deep import deep_photo, deep_small
from training.networks.lecture import (
    EmptyFeatureMap,
    cats_dogs,
    cifar10_simple,
    mnist_1conv,
    mnist_2conv,
)
from training.networks.pretrained import pretrained
from training.networks.saved import DamagedFile, load

__all__ = [
    "DamagedFile",
    "EmptyFeatureMap",
    "airbench",
    "cats_dogs",
    "cifar10_simple",
    "deep_photo",
    "deep_small",
    "load",
    "mnist_1conv",
    "mnist_2conv",
    "pretrained",
]
