"""EfficientNet-Lite0 in Keras, untrained: 224×224×3 → 1000 classes; 4,694,024 parameters.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (ICML 2019);
Lite0 is Google's variant for small devices (2020): ReLU6 for swish, no squeeze-and-excite. Knows
nothing of weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import keras

SIDE = 224  # pixels
CLASSES = 1000


class Block(NamedTuple):
    """One inverted residual (MBConv): widen, look around channel by channel, narrow."""

    name: str
    kernel: int
    strides: int
    expansion: int
    channels: int


# Of each stage: blocks, kernel, stride of its first block, expansion, channels.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
BLOCKS = tuple(
    Block(f"block{stage}{letter}", kernel, strides if letter == "a" else 1, expansion, channels)
    for stage, (blocks, kernel, strides, expansion, channels) in enumerate(STAGES, start=1)
    for letter in "abcd"[:blocks]
)


def lite0() -> keras.Model:
    """The network as Google trains it: BatchNormalization with ε = 0.001, `same` padding."""
    from keras import Input, Model, layers

    image = Input((SIDE, SIDE, 3), name="image")
    x = _convolution(image, "stem", 32, 3, strides=2)
    for block in BLOCKS:
        x = _mbconv(x, block)
    x = _convolution(x, "head", 1280, 1)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    x = layers.Dense(CLASSES, activation="softmax", name="classes")(x)
    return Model(image, x, name="lite0")


def _mbconv(x: Any, block: Block) -> Any:
    from keras import layers

    name, came_in = block.name, x
    if block.expansion != 1:
        x = _convolution(x, f"{name}_expand", block.expansion * x.shape[-1], 1)
    depthwise = layers.DepthwiseConv2D(
        block.kernel, block.strides, padding="same", use_bias=False, name=f"{name}_depthwise"
    )
    x = _relu6(_norm(depthwise(x), f"{name}_depthwise"), f"{name}_depthwise")
    project = layers.Conv2D(block.channels, 1, use_bias=False, name=f"{name}_project")
    x = _norm(project(x), f"{name}_project")
    return layers.Add(name=f"{name}_add")([x, came_in]) if x.shape == came_in.shape else x


def _convolution(x: Any, name: str, channels: int, kernel: int, strides: int = 1) -> Any:
    from keras import layers

    convolution = layers.Conv2D(
        channels, kernel, strides, padding="same", use_bias=False, name=name
    )
    return _relu6(_norm(convolution(x), name), name)


def _norm(x: Any, name: str) -> Any:
    from keras import layers

    return layers.BatchNormalization(epsilon=1e-3, name=f"{name}_norm")(x)


def _relu6(x: Any, name: str) -> Any:
    from keras import layers

    return layers.ReLU(6.0, name=f"{name}_relu6")(x)
