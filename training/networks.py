"""The networks, one function each: an untrained Keras model that ends in softmax.

A network takes normalised float32 pixels (batch, height, width, channels) and knows nothing of how
they were normalised or what it will be trained on. Layer names become the tensor names of the
exported file. Keras is imported inside the functions, so that listing recipes costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def mnist_1conv() -> keras.Model:
    """The lecture's first network: one convolution; 28×28×1 → 10; 693,962 parameters."""
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((28, 28, 1), name="image"),
            layers.Conv2D(32, 3, activation="relu", name="conv1"),
            layers.MaxPooling2D(2, name="pool1"),
            layers.Flatten(name="flatten"),
            layers.Dense(128, activation="relu", name="dense1"),
            layers.Dense(10, activation="softmax", name="dense2"),
        ],
        name="mnist-1conv",
    )


def mnist_2conv() -> keras.Model:
    """The lecture's second network: two convolutions; 28×28×1 → 10; 121,930 parameters."""
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((28, 28, 1), name="image"),
            layers.Conv2D(32, 3, activation="relu", name="conv1"),
            layers.MaxPooling2D(2, name="pool1"),
            layers.Conv2D(64, 3, activation="relu", name="conv2"),
            layers.AveragePooling2D(2, name="pool2"),
            layers.Flatten(name="flatten"),
            layers.Dense(64, activation="relu", name="dense1"),
            layers.Dense(10, activation="softmax", name="dense2"),
        ],
        name="mnist-2conv",
    )
