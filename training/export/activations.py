"""Activation functions, by the name of the Keras function; and the layers that are one."""

from __future__ import annotations

from typing import Any

from training.export.graph import ExportError, Graph, Value, renamed

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
    "exponential": ("Exp", {}),
    "mish": ("Mish", {}),
}


def activate(graph: Graph, layer: Any, function: Any, value: Value, output: str) -> Value:
    """Apply a Keras activation function to `value`; the result is named `output`."""
    name = getattr(function, "__name__", type(function).__name__)
    if not getattr(function, "__module__", "").startswith("keras."):
        raise _unknown(layer, name)  # a function of one's own, whatever it is called
    if name == "softmax":
        graph.node("Softmax", [value.name], output, axis=value.channel_axis)
    elif name == "silu":
        gate = graph.node("Sigmoid", [value.name], f"{output}/gate")
        graph.node("Mul", [value.name, gate], output)
    elif name == "relu6":
        clip(graph, value.name, output, 0.0, 6.0)
    elif name in OPERATORS:
        operator, attributes = OPERATORS[name]
        graph.node(operator, [value.name], output, **attributes)
    else:
        raise _unknown(layer, name)
    return renamed(value, output)


def _unknown(layer: Any, function: str) -> ExportError:
    known = ", ".join(sorted([*OPERATORS, "linear", "relu6", "silu", "softmax"]))
    return ExportError(
        f"layer '{layer.name}' ({type(layer).__name__}) uses the activation '{function}', which "
        f"has no translation. Use one of Keras' {known}, or add it to "
        "training/export/activations.py."
    )


def clip(graph: Graph, source: str, output: str, low: float, high: float) -> str:
    """min(max(source, low), high) in one node."""
    bounds = [
        graph.weight(f"{output}/{name}", bound) for name, bound in (("low", low), ("high", high))
    ]
    return graph.node("Clip", [source, *bounds], output)


def activation(graph: Graph, layer: Any, value: Value) -> Value:
    """Activation("name")."""
    if is_linear(layer.activation):
        return value
    return activate(graph, layer, layer.activation, value, layer.name)


def relu(graph: Graph, layer: Any, value: Value) -> Value:
    """ReLU with its cap, slope and threshold, as far as one operator says them."""
    if layer.threshold:
        raise ExportError(
            f"layer '{layer.name}' (ReLU) has threshold={layer.threshold}, which has no "
            "translation. Use threshold=0."
        )
    source = value.name
    if layer.negative_slope:
        output = layer.name if layer.max_value is None else f"{layer.name}/uncapped"
        source = graph.node("LeakyRelu", [source], output, alpha=float(layer.negative_slope))
        if layer.max_value is not None:
            high = graph.weight(f"{layer.name}/high", layer.max_value)
            graph.node("Min", [source, high], layer.name)
    elif layer.max_value is not None:
        clip(graph, source, layer.name, 0.0, float(layer.max_value))
    else:
        graph.node("Relu", [source], layer.name)
    return renamed(value, layer.name)


def leaky_relu(graph: Graph, layer: Any, value: Value) -> Value:
    """LeakyReLU."""
    graph.node("LeakyRelu", [value.name], layer.name, alpha=float(layer.negative_slope))
    return renamed(value, layer.name)


def elu(graph: Graph, layer: Any, value: Value) -> Value:
    """ELU."""
    graph.node("Elu", [value.name], layer.name, alpha=float(layer.alpha))
    return renamed(value, layer.name)


def softmax(graph: Graph, layer: Any, value: Value) -> Value:
    """Softmax over the channels or the classes."""
    if layer.axis not in (-1, len(layer.output.shape) - 1):
        raise ExportError(
            f"layer '{layer.name}' (Softmax) runs along axis {layer.axis}; only the last axis has "
            "a translation. Use axis=-1."
        )
    graph.node("Softmax", [value.name], layer.name, axis=value.channel_axis)
    return renamed(value, layer.name)


def is_linear(function: Any) -> bool:
    """Whether the activation does nothing."""
    return function is None or getattr(function, "__name__", "") == "linear"
