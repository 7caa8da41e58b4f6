"""Which layers vanish into the weights or the pads of another: before translating, call by call.

A BatchNormalization behind a convolution or a Dense, and every other scale and shift per channel,
goes into its weights, and likewise into another scale and shift. A ZeroPadding2D before a
convolution goes into its pads, and so does one before max pooling where nothing is below zero. Only
where nobody else reads what lies between, and only into weights of layers that are used once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from training.export.activations import is_linear
from training.export.normalization import SCALING, check_axis
from training.export.walk import Call, Edge, Walk

# Layers that weigh and sum, and can be scaled and shifted for nothing; and the weights they have.
WEIGHING = {
    "Conv2D": ("kernel",),
    "Dense": ("kernel",),
    "DepthwiseConv2D": ("kernel",),
    "SeparableConv2D": ("depthwise_kernel", "pointwise_kernel"),
}
_PADDED = {"Conv2D", "DepthwiseConv2D", "SeparableConv2D"}
_NEVER_NEGATIVE = {"hard_sigmoid", "relu", "relu6", "sigmoid", "softplus"}


def fold(walked: Walk) -> list[Call]:
    """The same calls, those that vanish marked as absorbed."""
    makers = {call.makes: call for call in walked.calls}
    readers: dict[Edge, list[Call]] = {walked.answer: []}
    for call in walked.calls:
        for edge in call.reads:
            readers.setdefault(edge, []).append(call)

    def only_reader(call: Call) -> Call | None:
        behind = readers[call.makes]
        return behind[0] if len(behind) == 1 and call.makes != walked.answer else None

    absorbed: set[Call] = set()
    pads: dict[Call, tuple[int, int, int, int]] = {}
    scaled_by: dict[Call, tuple[Call, ...]] = {}
    for call in walked.calls:
        if call not in absorbed and _takes_scales(call):
            scaled_by[call] = _scaling_behind(call, only_reader)
            absorbed.update(scaled_by[call])
        behind = only_reader(call)
        before = makers.get(call.reads[0])
        if (
            call.kind == "ZeroPadding2D"
            and behind is not None
            and _takes_zeros(behind, call, before)
        ):
            (top, bottom), (left, right) = call.layer.padding
            pads[behind] = (top, left, bottom, right)
            absorbed.add(call)
    return [
        replace(
            call,
            is_absorbed=call in absorbed,
            pads=pads.get(call, call.pads),
            scaled_by=scaled_by.get(call, ()),
        )
        for call in walked.calls
    ]


def _takes_scales(call: Call) -> bool:
    weighs = call.kind in WEIGHING and is_linear(call.layer.activation)
    return (weighs or call.kind in SCALING) and not call.is_shared


def _scaling_behind(call: Call, only_reader: Callable[[Call], Call | None]) -> tuple[Call, ...]:
    found: list[Call] = []
    behind = only_reader(call)
    while behind is not None and behind.kind in SCALING and behind.shape == call.shape:
        check_axis(behind)
        found.append(behind)
        behind = only_reader(behind)
    return tuple(found)


def _takes_zeros(call: Call, padding: Call, padded: Call | None) -> bool:
    if call.kind == "MaxPooling2D":  # the pads of ONNX are below every number, and never a window
        sides = zip(padding.layer.padding, call.layer.pool_size, strict=True)
        if padded is None or not _is_relu(padded) or any(max(pad) >= size for pad, size in sides):
            return False
    elif call.kind not in _PADDED:
        return False
    return bool(call.layer.padding == "valid")


def _is_relu(call: Call) -> bool:
    name = getattr(getattr(call.layer, "activation", None), "__name__", "")
    return name in _NEVER_NEGATIVE or (call.kind == "ReLU" and not call.layer.negative_slope)
