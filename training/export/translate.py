"""to_onnx: a trained Keras model → an ONNX graph that takes pixels and gives probabilities.

Call by call, reading layers and weights alone, so that it is the same under every Keras backend.
Every tensor is named after its layer: output `LAYER`, before its activation `LAYER/pre`, weights
`LAYER/kernel` and `LAYER/bias`; what the file names itself is in `ends`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from training.export import (
    activations,
    convolution,
    dense,
    merging,
    normalization,
    operations,
    pooling,
    reshaping,
    views,
)
from training.export.ends import normalised, own_names
from training.export.folding import fold
from training.export.graph import ExportError, Graph, Value
from training.export.walk import Call, Edge, input_shape, walk
from training.normalise import Normalise

if TYPE_CHECKING:
    import keras
    import onnx

Translation = Callable[..., Value]  # (graph, call, value of each tensor that it reads)

_LAYERS: dict[str, Translation] = {
    "Activation": activations.activation,
    "AdaptiveAveragePooling2D": pooling.adaptive_average_pooling,
    "AdaptiveMaxPooling2D": pooling.adaptive_max_pooling,
    "Add": merging.merge,
    "Average": merging.merge,
    "AveragePooling2D": pooling.average_pooling,
    "BatchNormalization": normalization.scaling,
    "CenterCrop": reshaping.center_crop,
    "Concatenate": merging.concatenate,
    "Conv2D": convolution.conv2d,
    "Cropping2D": reshaping.cropping2d,
    "CustomScaleLayer": merging.custom_scale,
    "Dense": dense.dense,
    "DepthwiseConv2D": convolution.depthwise_conv2d,
    "ELU": activations.elu,
    "Flatten": dense.flatten,
    "GlobalAveragePooling2D": pooling.global_average_pooling,
    "GlobalMaxPooling2D": pooling.global_max_pooling,
    "GroupNormalization": normalization.group_normalization,
    "LayerNormalization": normalization.layer_normalization,
    "LayerScale": normalization.scaling,
    "LeakyReLU": activations.leaky_relu,
    "MaxPooling2D": pooling.max_pooling,
    "Maximum": merging.merge,
    "Minimum": merging.merge,
    "Multiply": merging.merge,
    "Normalization": normalization.scaling,
    "PReLU": activations.prelu,
    "Permute": reshaping.permute,
    "ReLU": activations.relu,
    "Rescaling": normalization.scaling,
    "Reshape": reshaping.reshape,
    "Resizing": reshaping.resizing,
    "SeparableConv2D": convolution.separable_conv2d,
    "Softmax": activations.softmax,
    "Subtract": merging.merge,
    "UnitNormalization": normalization.unit_normalization,
    "UpSampling2D": reshaping.up_sampling2d,
    "ZeroPadding2D": reshaping.zero_padding2d,
    "training.networks.views.MeanOfViews": views.mean_of_views,
    "training.networks.views.WithMirrorImages": views.with_mirror_images,
    "training.networks.views.WithShifted": views.with_shifted,
}
TRANSLATIONS = _LAYERS | {f"ops.{name}": one for name, one in operations.TRANSLATIONS.items()}
# Do something in training only, or nothing at all, and leave no tensor.
VANISHING = {
    *("ActivityRegularization", "AlphaDropout", "AugMix", "CutMix", "Dropout", "GaussianDropout"),
    *("GaussianNoise", "Identity", "MixUp", "RandAugment", "RandomBrightness"),
    *("RandomColorDegeneration", "RandomColorJitter", "RandomContrast", "RandomElasticTransform"),
    *("RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale", "RandomHue"),
    *("RandomInvert", "RandomPerspective", "RandomPosterization", "RandomRotation"),
    *("RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation", "RandomZoom"),
    *("SpatialDropout2D", "StochasticDepth"),
}


def to_onnx(
    model: keras.Model, normalise: Normalise | None = None, half: bool = False
) -> onnx.ModelProto:
    """Translate a Keras classifier that ends in softmax.

    The graph takes `image`, uint8 N×H×W×C, and gives `probabilities`, float32 N×classes, for any N;
    and `embedding`, float32 N×dim, if its last Dense reads what global pooling gives. `normalise`
    is what training did to the pixels before the model saw them; None means that the model takes
    0 … 255 as they are. With `half` large kernels are stored as float16 (`training.export.half`).
    Raises ExportError, naming the layer and the remedy.
    """
    return translate(model, normalise, half)[0]


def translate(
    model: keras.Model, normalise: Normalise | None = None, half: bool = False
) -> tuple[onnx.ModelProto, dict[str, str | None]]:
    """As `to_onnx`; and for each call the tensor that holds its output, None without one."""
    walked, image = walk(model), input_shape(model)
    graph = Graph(half)
    values: dict[Edge, Value] = {walked.image: normalised(graph, image, normalise)}
    tensors: dict[str, str | None] = {}
    for call in fold(walked):
        read = [values[edge] for edge in call.reads]
        made = read[0] if _vanishes(call) else _translation(call)(graph, call, *read)
        values[call.makes] = made
        tensors[call.name] = None if made.name == read[0].name else made.name

    answer = values[walked.answer]
    names = own_names(graph, answer.name) if len(answer.shape) == 1 else None
    if names is None:
        raise ExportError(
            f"the model ends in {walked.calls[-1]}, not in a softmax over classes. "
            'End it in Dense(classes, activation="softmax").'
        )
    graph.rename(names)
    tensors = {name: names.get(tensor or "", tensor) for name, tensor in tensors.items()}
    sizes = {names.get(value.name): value.shape[-1] for value in values.values() if value.shape}
    return graph.model(model.name, image, sizes["probabilities"], sizes.get("embedding")), tensors


def _vanishes(call: Call) -> bool:
    if call.kind == "Pipeline":
        return all(_vanishes(replace(call, layer=layer)) for layer in call.layer.layers)
    return call.is_absorbed or call.kind in VANISHING


def _translation(call: Call) -> Translation:
    if call.kind not in TRANSLATIONS:
        raise ExportError(
            f"{call} has no translation to ONNX. Replace it by layers that have one, listed in "
            "docs/export.md, or add it to training/export/translate.py."
        )
    return TRANSLATIONS[call.kind]
