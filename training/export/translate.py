"""to_onnx: a trained Keras model → an ONNX graph that takes pixels and gives probabilities.

Layer by layer, reading layers and weights alone, so that it is the same under every Keras backend.
Every tensor is named after its layer: output `LAYER`, before its activation `LAYER/pre`, weights
`LAYER/kernel` and `LAYER/bias`, the last tensor before softmax `logits`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto

from training.export import activations, convolution, dense, normalization, pooling
from training.export.activations import is_linear
from training.export.chain import chain, input_shape
from training.export.graph import ExportError, Graph, Value
from training.normalise import Normalise

if TYPE_CHECKING:
    import keras
    import onnx

Translation = Callable[[Graph, Any, Value], Value]

TRANSLATIONS: dict[str, Translation] = {
    "Activation": activations.activation,
    "AveragePooling2D": pooling.average_pooling,
    "BatchNormalization": normalization.batch_normalization,
    "Conv2D": convolution.conv2d,
    "Dense": dense.dense,
    "ELU": activations.elu,
    "Flatten": dense.flatten,
    "GlobalAveragePooling2D": pooling.global_average_pooling,
    "GlobalMaxPooling2D": pooling.global_max_pooling,
    "LeakyReLU": activations.leaky_relu,
    "MaxPooling2D": pooling.max_pooling,
    "ReLU": activations.relu,
    "Rescaling": normalization.rescaling,
    "Softmax": activations.softmax,
}
# Do something in training only, and leave no tensor.
TRAINING_ONLY = {
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "SpatialDropout2D",
}
OWN_TENSORS = {"image", "logits", "probabilities"}
# Can take the BatchNormalization behind them into their own weights.
FOLDING = {"Conv2D": convolution.conv2d, "Dense": dense.dense}


def to_onnx(model: keras.Model, normalise: Normalise | None = None) -> onnx.ModelProto:
    """Translate a Keras classifier: a plain chain of layers that ends in softmax.

    The graph takes `image`, uint8 N×H×W×C, and gives `probabilities`, float32 N×classes, for any N.
    `normalise` is what training did to the pixels before the model saw them; None means that the
    model takes 0 … 255 as they are. Raises ExportError, naming the layer and the remedy.
    """
    return translate(model, normalise)[0]


def translate(
    model: keras.Model, normalise: Normalise | None = None
) -> tuple[onnx.ModelProto, dict[str, str | None]]:
    """As `to_onnx`; and for each layer the tensor that holds its output, None without one."""
    layers = chain(model)
    image = input_shape(model)
    folded_behind = _folded_batch_normalizations(layers)
    graph = Graph()
    value = before = _normalised(graph, image, normalise)
    tensors: dict[str, str | None] = {}
    last, source = layers[0], value  # the last layer that does something, and what it reads
    for layer in layers:
        kind = type(layer).__name__
        tensors[layer.name] = None
        if kind in TRAINING_ONLY or layer in folded_behind.values():
            continue
        before, folded = value, folded_behind.get(layer)
        if folded is not None:
            value = FOLDING[kind](graph, layer, value, folded)
        elif kind in TRANSLATIONS:
            value = TRANSLATIONS[kind](graph, layer, value)
        else:
            raise ExportError(
                f"layer '{layer.name}' ({kind}) has no translation to ONNX. Replace it by one of "
                f"{', '.join(sorted({*TRANSLATIONS, *TRAINING_ONLY}))}, or add it to "
                "training/export/translate.py."
            )
        if value is not before:
            tensors[layer.name], last, source = value.name, layer, before
    new_names = {_logits(last, source, value): "logits", value.name: "probabilities"}
    for name, tensor in tensors.items():
        if tensor in OWN_TENSORS and tensor not in new_names:
            raise ExportError(
                f"layer '{name}' bears the name of a tensor that the file has for itself. "
                "Give it another name."
            )
    graph.rename(new_names)
    tensors = {name: new_names.get(tensor or "", tensor) for name, tensor in tensors.items()}
    return graph.model(model.name, image, classes=value.shape[0]), tensors


def _folded_batch_normalizations(layers: list[Any]) -> dict[Any, Any]:
    """Layers that weigh and sum → the BatchNormalization right behind, which they take in."""
    pairs = {}
    for layer, behind in pairwise(layers):
        weighs = type(layer).__name__ in FOLDING and is_linear(layer.activation)
        if weighs and type(behind).__name__ == "BatchNormalization":
            normalization.check_axis(behind)
            pairs[layer] = behind
    return pairs


def _normalised(graph: Graph, image: tuple[int, int, int], normalise: Normalise | None) -> Value:
    """uint8 N×H×W×C → float32 N×C×H×W; the transpose moves bytes, before they are made floats."""
    first = graph.node("Transpose", ["image"], "image/channels_first", perm=[0, 3, 1, 2])
    value = Value(graph.node("Cast", [first], "image/float", to=TensorProto.FLOAT), image)
    if normalise is None:
        return value
    if not len(normalise.mean) == len(normalise.std) == image[2]:
        raise ExportError(f"normalise needs one mean and one std for each of {image[2]} channels")
    mean = np.array(normalise.mean, np.float32)[:, None, None]
    factor = 1 / np.array(normalise.std)[:, None, None]  # rounded to float32 when it is stored
    name = value.name
    if mean.any():
        name = graph.node("Sub", [name, graph.weight("image/mean", mean)], "image/centred")
    name = graph.node("Mul", [name, graph.weight("image/factor", factor)], "image/normalised")
    return Value(name, image)


def _logits(last: Any, source: Value, answer: Value) -> str:
    """The name of the tensor before the softmax of the last layer, which must be one."""
    kind, function = type(last).__name__, getattr(last, "activation", None)
    is_softmax = kind == "Softmax" or getattr(function, "__name__", "") == "softmax"
    if not is_softmax or len(answer.shape) != 1:
        raise ExportError(
            f"the model ends in layer '{last.name}' ({kind}), not in a softmax over classes. "
            'End it in Dense(classes, activation="softmax").'
        )
    if answer.flattened is not None and answer.flattened[:2] != (1, 1):
        raise ExportError(
            f"the classes of layer '{last.name}' ({kind}) come straight from a Flatten, "
            f"layer '{source.name}', of {answer.flattened}. "
            "Put a Dense or global pooling before the softmax."
        )
    return f"{last.name}/pre" if kind in FOLDING else source.name
