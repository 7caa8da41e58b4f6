"""Tiny models with an embedding, and some whose embedding is none."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from tests.conftest import colour_card, colour_model

DIM = 5
POOLED = colour_card(name="pooled", preprocess={"height": 6, "width": 8})


def pooled_model(seed: int = 3, dim: int = DIM) -> bytes:
    """Convolution, ReLU, global average, Dense, softmax: 8 × 6 in RGB → `embedding`, 3 classes."""
    random = np.random.default_rng(seed)
    weights = {
        "kernel": random.standard_normal((dim, 3, 3, 3)) / 100,
        "dense": random.standard_normal((dim, 3)) / 10,
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["channels"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["channels", "kernel"], ["conv"], name="conv"),
        helper.make_node("Relu", ["conv"], ["relu"]),
        helper.make_node("GlobalAveragePool", ["relu"], ["pool"]),
        helper.make_node("Flatten", ["pool"], ["embedding"]),
        helper.make_node("MatMul", ["embedding", "dense"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "pooled",
        [value("image", TensorProto.UINT8, ["N", 6, 8, 3])],
        [
            value("probabilities", TensorProto.FLOAT, ["N", 3]),
            value("embedding", TensorProto.FLOAT, ["N", dim]),
        ],
        [numpy_helper.from_array(one.astype(np.float32), name) for name, one in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, POOLED.to_metadata())
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def colours_with_embedding(
    *nodes: NodeProto, kind: int = TensorProto.FLOAT, shape: tuple[str | int, ...] = ("N", 3)
) -> bytes:
    """`colour_model` with an output `embedding`, which these nodes make of its tensor `mean`."""
    model = onnx.load_from_string(colour_model())
    model.graph.node.extend(nodes)
    model.graph.output.append(helper.make_tensor_value_info("embedding", kind, shape))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def holed_model() -> bytes:
    """Its embedding is mean / mean: 1 where a colour is there, NaN where none is."""
    return colours_with_embedding(helper.make_node("Div", ["mean", "mean"], ["embedding"]))
