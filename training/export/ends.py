"""The two ends of a classifier's graph: pixels → floats, and the tensors with names of their own.

The last tensor before softmax is called `logits`, the answer `probabilities`, and what the last
Dense reads `embedding`, if it comes from global pooling.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from training.export.graph import ExportError, Graph, Value
from training.normalise import Normalise

_GLOBAL_POOLING = {"GlobalAveragePool", "GlobalMaxPool"}
# Behind global pooling; ReduceMean is that of the views.
_KEEPS_VECTOR = {"Add", "Flatten", "LayerNormalization", "Mul", "ReduceMean", "Reshape"}


def normalised(graph: Graph, image: tuple[int, int, int], normalise: Normalise | None) -> Value:
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


def own_names(graph: Graph, answer: str) -> dict[str, str] | None:
    """Tensor → what the file calls it; None if `answer` is not made by a softmax.

    Another layer's tensor that bears one of these names becomes `NAME/layer`.
    """
    softmax = graph.maker(answer)
    if softmax is None or softmax.op_type != "Softmax":
        return None
    logits = softmax.input[0]
    names = {logits: "logits", answer: "probabilities"}
    embedding = _embedding(graph, logits)
    if embedding is not None:
        names[embedding] = "embedding"
    others = [name for name in names.values() if graph.maker(name) and name not in names]
    return names | {name: f"{name}/layer" for name in others}


def _embedding(graph: Graph, logits: str) -> str | None:
    """What the Dense that makes the logits reads, if it comes straight from global pooling."""
    dense = graph.maker(logits)
    if dense is None or dense.op_type != "Gemm":
        return None
    node = graph.maker(dense.input[0])
    while node is not None and node.op_type in _KEEPS_VECTOR:
        if any(graph.maker(name) for name in node.input[1:]):  # where two tensors meet
            return None
        node = graph.maker(node.input[0])
    found = node is not None and node.op_type in _GLOBAL_POOLING
    return dense.input[0] if found else None
