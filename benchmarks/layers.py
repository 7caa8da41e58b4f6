"""Two well-known networks built layer by layer with random weights, for the service benchmark.

Weights are drawn from a fixed seed and scaled as He et al. do (2015, arXiv:1502.01852), so that
values neither vanish nor grow on their way down and no time is saved on zeros. Knows ONNX through
`training.export.graph` and nothing of files.
"""

from __future__ import annotations

import math

import numpy as np
from onnx import TensorProto

from training.export.graph import Graph

SEED = 1
# MobileNetV2 1.0 (arXiv:1801.04381, table 2): expansion, channels, repeats, first stride.
BOTTLENECKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class Layers:
    """A graph that grows by whole layers and counts their parameters."""

    def __init__(self) -> None:
        self.graph = Graph()
        self.parameters = 0
        self._random = np.random.default_rng(SEED)
        node, weight = self.graph.node, self.graph.weight
        node("Transpose", ["image"], "image/channels_first", perm=[0, 3, 1, 2])
        node("Cast", ["image/channels_first"], "image/float", to=TensorProto.FLOAT)
        factor = weight("image/factor", np.full((1, 1, 1), 1 / 255))
        self.first = node("Mul", ["image/float", factor], "image/normalised")

    def conv(
        self,
        source: str,
        name: str,
        shape: tuple[int, int, int],  # filters, channels that each of them reads, window
        *,
        stride: int = 1,
        groups: int = 1,
        pad: int = 0,
        gain: float = 2.0,  # 1 where no activation follows that halves the variance
    ) -> str:
        """Convolution with bias, and nothing behind it."""
        filters, channels, window = shape
        weights = self._weights(
            name, (filters, channels, window, window), channels * window**2, gain, filters
        )
        return self.graph.node(
            "Conv",
            [source, *weights],
            name,
            kernel_shape=[window, window],
            strides=[stride, stride],
            pads=[pad] * 4,
            group=groups,
        )

    def dense(self, source: str, name: str, inputs: int, units: int, gain: float = 2.0) -> str:
        """Matrix product with bias, and nothing behind it."""
        weights = self._weights(name, (inputs, units), inputs, gain, units)
        return self.graph.node("Gemm", [source, *weights], name)

    def _weights(
        self, name: str, shape: tuple[int, ...], fan_in: int, gain: float, units: int
    ) -> list[str]:
        kernel = self._random.normal(0, math.sqrt(gain / fan_in), shape)
        bias = self._random.normal(0, 0.1, units)
        self.parameters += kernel.size + bias.size
        return [
            self.graph.weight(f"{name}/kernel", kernel),
            self.graph.weight(f"{name}/bias", bias),
        ]


def cifar10_simple() -> Layers:
    """The lecture's network for CIFAR-10: one convolution, one hidden layer of 512."""
    layers = Layers()
    node = layers.graph.node
    value = node("Relu", [layers.conv(layers.first, "conv1/pre", (32, 3, 3))], "conv1")
    value = node("MaxPool", [value], "pool1", kernel_shape=[2, 2], strides=[2, 2])
    value = node("Flatten", [value], "flatten")
    value = node("Relu", [layers.dense(value, "dense1/pre", 15 * 15 * 32, 512)], "dense1")
    value = layers.dense(value, "logits", 512, 10, gain=1)
    node("Softmax", [value], "probabilities", axis=-1)
    return layers


def mobilenetv2() -> Layers:
    """MobileNetV2 1.0 for 224×224×3 and 1,000 classes, batch normalisations folded."""
    layers = Layers()
    node = layers.graph.node
    limits = [layers.graph.weight("zero", 0.0), layers.graph.weight("six", 6.0)]

    def relu6(value: str) -> str:
        return node("Clip", [value, *limits], f"{value}/relu6")

    value = relu6(layers.conv(layers.first, "stem", (32, 3, 3), stride=2, pad=1))
    channels = 32
    for number, (expansion, filters, repeats, first_stride) in enumerate(BOTTLENECKS):
        for repeat in range(repeats):
            name, shortcut = f"block{number}-{repeat}", value
            stride = first_stride if repeat == 0 else 1
            inner = channels * expansion
            if expansion > 1:
                value = relu6(layers.conv(value, f"{name}/expand", (inner, channels, 1)))
            value = relu6(
                layers.conv(
                    value, f"{name}/depthwise", (inner, 1, 3), stride=stride, groups=inner, pad=1
                )
            )
            value = layers.conv(value, f"{name}/project", (filters, inner, 1), gain=1)
            if stride == 1 and filters == channels:
                value = node("Add", [shortcut, value], f"{name}/add")
            channels = filters
    value = relu6(layers.conv(value, "top", (1280, channels, 1)))
    value = node("GlobalAveragePool", [value], "pool")
    value = layers.dense(node("Flatten", [value], "flatten"), "logits", 1280, 1000, gain=1)
    node("Softmax", [value], "probabilities", axis=-1)
    return layers
