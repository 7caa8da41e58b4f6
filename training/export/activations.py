"""Activation functions, by the name of the Keras function; and the layers that are one."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.export.graph import ExportError, Graph, Value, renamed
from training.export.layout import as_in_keras, laid_out
from training.export.walk import Call

# Keras function → ONNX operator and its attributes, where one operator says the same.
OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.2}),
    "elu": ("Elu", {"alpha": 1.0}),
    "selu": ("Selu", {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805}),
    "celu": ("Celu", {"alpha": 1.0}),
    "gelu": ("Gelu", {"approximate": "none"}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hard_silu": ("HardSwish", {}),
    "hard_shrink": ("Shrink", {"lambd": 0.5, "bias": 0.0}),
    "soft_shrink": ("Shrink", {"lambd": 0.5, "bias": 0.5}),
    "exponential": ("Exp", {}),
    "mish": ("Mish", {}),
}
BOUNDS = {"hard_tanh": (-1.0, 1.0), "relu6": (0.0, 6.0)}
OTHERS = {"linear", "silu", "softmax"}
_IN_OPS_ANOTHER = {"gelu"}  # keras.ops.gelu has other defaults than keras.activations.gelu


def activate(graph: Graph, call: Call, function: Any, value: Value, output: str) -> Value:
    """Apply a Keras activation function to `value`; the result is named `output`."""
    name = getattr(function, "__name__", type(function).__name__)
    module = getattr(function, "__module__", "")
    if (
        not module.startswith("keras.")  # a function of one's own, whatever it is called
        or (module.startswith("keras.src.ops.") and name in _IN_OPS_ANOTHER)
        or name not in {*OPERATORS, *BOUNDS, *OTHERS}
    ):
        known = ", ".join(sorted({*OPERATORS, *BOUNDS, *OTHERS}))
        raise ExportError(
            f"{call} uses the activation '{name}', which has no translation. Use one of Keras' "
            f"{known}, or add it to training/export/activations.py."
        )
    return apply(graph, name, value, output)


def apply(graph: Graph, name: str, value: Value, output: str) -> Value:
    """Apply the activation function of this name."""
    if name == "softmax":
        return softmaxed(graph, value, output)
    if name == "silu":
        gate = graph.node("Sigmoid", [value.name], f"{output}/gate")
        graph.node("Mul", [value.name, gate], output)
    elif name in BOUNDS:
        clipped(graph, value.name, output, *BOUNDS[name])
    else:
        operator, attributes = OPERATORS[name]
        graph.node(operator, [value.name], output, **attributes)
    return renamed(value, output)


def clipped(graph: Graph, source: str, output: str, low: float, high: float) -> str:
    """min(max(source, low), high) in one node."""
    bounds = [
        graph.weight(f"{output}/{name}", bound) for name, bound in (("low", low), ("high", high))
    ]
    return graph.node("Clip", [source, *bounds], output)


def softmaxed(graph: Graph, value: Value, output: str) -> Value:
    """Softmax over the channels or the classes."""
    if not value.is_image:
        value = as_in_keras(graph, value)  # classes are answered in their order
    graph.node("Softmax", [value.name], output, axis=value.channel_axis)
    return renamed(value, output)


def activation(graph: Graph, call: Call, value: Value) -> Value:
    """Activation("name")."""
    if is_linear(call.layer.activation):
        return value
    return activate(graph, call, call.layer.activation, value, call.name)


def relu(graph: Graph, call: Call, value: Value) -> Value:
    """ReLU with its cap, its slope or its threshold."""
    slope, cap, threshold = (
        call.layer.negative_slope,
        call.layer.max_value,
        call.layer.threshold,
    )
    if slope and threshold:
        raise ExportError(
            f"{call} has negative_slope={slope} and threshold={threshold}, which together have no "
            "translation. Use one of them."
        )
    if not slope and not threshold and cap is not None:
        clipped(graph, value.name, call.name, 0.0, float(cap))
        return renamed(value, call.name)
    output = call.name if cap is None else f"{call.name}/uncapped"
    if slope:
        graph.node("LeakyRelu", [value.name], output, alpha=float(slope))
    elif threshold:
        graph.node("ThresholdedRelu", [value.name], output, alpha=float(threshold))
    else:
        graph.node("Relu", [value.name], output)
    if cap is not None and threshold:
        clipped(graph, output, call.name, 0.0, float(cap))
    elif cap is not None:
        graph.node("Min", [output, graph.weight(f"{call.name}/high", cap)], call.name)
    return renamed(value, call.name)


def leaky_relu(graph: Graph, call: Call, value: Value) -> Value:
    """LeakyReLU."""
    graph.node("LeakyRelu", [value.name], call.name, alpha=float(call.layer.negative_slope))
    return renamed(value, call.name)


def elu(graph: Graph, call: Call, value: Value) -> Value:
    """ELU and CELU, with an alpha of their own."""
    operator = {"ELU": "Elu", "Elu": "Elu", "Celu": "Celu"}[call.type]
    graph.node(operator, [value.name], call.name, alpha=float(call.layer.alpha))
    return renamed(value, call.name)


def prelu(graph: Graph, call: Call, value: Value) -> Value:
    """PReLU, its slopes shared along whatever axes."""
    if call.is_shared:  # elsewhere the same slopes may meet another order
        value = as_in_keras(graph, value)
    slopes = laid_out(np.asarray(call.layer.alpha, np.float32), value)
    name = graph.weight(f"{call.first_name}/alpha", slopes)
    graph.node("PRelu", [value.name, name], call.name)
    return renamed(value, call.name)


def softmax(graph: Graph, call: Call, value: Value) -> Value:
    """Softmax over the last axis."""
    if call.layer.axis not in (-1, len(call.shape)):
        raise ExportError(
            f"{call} runs along axis {call.layer.axis}; only the last axis has a translation. "
            "Use axis=-1."
        )
    if len(call.args) > 1 or call.kwargs.get("mask") is not None:
        raise ExportError(f"{call} has a mask, which has no translation. Call it without.")
    return softmaxed(graph, value, call.name)


def is_linear(function: Any) -> bool:
    """Whether the activation does nothing."""
    if function is None:
        return True
    from_keras = getattr(function, "__module__", "").startswith("keras.")
    return from_keras and getattr(function, "__name__", "") == "linear"
