from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from app.classifier import open_session
from app.inside.backwards import BACK, Passage
from app.inside.geometry import window_of
from app.inside.graph import read_graph, with_outputs
from tests.app.inside import nets

MAP, VECTOR = (1, 4, 7, 6), (1, 4)

RANDOM = np.random.default_rng(11)


def numbers(*shape: int) -> NDArray[np.float32]:
    return RANDOM.standard_normal(shape).astype(np.float32)


def positive(*shape: int) -> NDArray[np.float32]:
    return np.abs(numbers(*shape)) + np.float32(0.5)


def axes(*of: int) -> NDArray[np.int64]:
    return np.array(of, np.int64)


X = "image"  # where the data stands among a node's inputs
LOW, HIGH = np.array(-0.3, np.float32), np.array(0.4, np.float32)

Row = tuple[str, tuple[int, ...], Sequence[object], dict[str, Any]]
ROWS: dict[str, Row] = {
    "Add": ("Add", VECTOR, [X, numbers(4)], {}),
    "Add in front": ("Add", VECTOR, [numbers(4), X], {}),
    "Add a channel": ("Add", MAP, [X, numbers(4, 1, 1)], {}),
    "Sub": ("Sub", VECTOR, [X, numbers(4)], {}),
    "Sub from": ("Sub", VECTOR, [numbers(4), X], {}),
    "Mul": ("Mul", MAP, [X, numbers(4, 1, 1)], {}),
    "Div": ("Div", VECTOR, [X, positive(4)], {}),
    "Relu": ("Relu", MAP, [X], {}),
    "LeakyRelu": ("LeakyRelu", MAP, [X], {"alpha": 0.2}),
    "LeakyRelu by default": ("LeakyRelu", MAP, [X], {}),
    "Clip": ("Clip", MAP, [X, LOW, HIGH], {}),
    "BatchNormalization": (
        "BatchNormalization",
        MAP,
        [X, numbers(4), numbers(4), numbers(4), positive(4)],
        {"epsilon": 0.01},
    ),
    "Gemm": ("Gemm", VECTOR, [X, numbers(4, 3), numbers(3)], {}),
    "Gemm without bias": ("Gemm", VECTOR, [X, numbers(4, 3)], {}),
    "Gemm with all": (
        "Gemm",
        VECTOR,
        [X, numbers(3, 4), numbers(1, 3)],
        {"transB": 1, "alpha": 0.5, "beta": 2.0},
    ),
    "MatMul": ("MatMul", VECTOR, [X, numbers(4, 3)], {}),
    "Identity": ("Identity", MAP, [X], {}),
    "Dropout": ("Dropout", MAP, [X, np.array(0.5, np.float32)], {}),
    "Cast": ("Cast", MAP, [X], {"to": TensorProto.FLOAT}),
    "Flatten": ("Flatten", MAP, [X], {}),
    "Reshape": ("Reshape", MAP, [X, axes(0, -1)], {}),
    "Squeeze": ("Squeeze", (1, 4, 1, 1), [X, axes(2, 3)], {}),
    "Unsqueeze": ("Unsqueeze", VECTOR, [X, axes(2)], {}),
    "Transpose": ("Transpose", MAP, [X], {"perm": [0, 2, 3, 1]}),
    "Transpose back": ("Transpose", MAP, [X], {"perm": [0, 3, 1, 2]}),
    "Transpose all": ("Transpose", MAP, [X], {}),
    "GlobalAveragePool": ("GlobalAveragePool", MAP, [X], {}),
    "GlobalMaxPool": ("GlobalMaxPool", MAP, [X], {}),
    "ReduceMean": ("ReduceMean", MAP, [X, axes(2, 3)], {"keepdims": 0}),
    "ReduceMean, negative axes": ("ReduceMean", MAP, [X, axes(-1, -2)], {"keepdims": 1}),
    "ReduceMean of all": ("ReduceMean", MAP, [X], {}),
    "MaxPool": ("MaxPool", MAP, [X], {"kernel_shape": [2, 3], "strides": [2, 1]}),
    "MaxPool of all that is negative": (
        "MaxPool",
        MAP,
        [X],
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]},
    ),
    "MaxPool, rounded up": (
        "MaxPool",
        MAP,
        [X],
        {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1},
    ),
    "MaxPool, dilated": ("MaxPool", MAP, [X], {"kernel_shape": [2, 2], "dilations": [3, 2]}),
    "AveragePool": ("AveragePool", MAP, [X], {"kernel_shape": [3, 2], "strides": [2, 2]}),
    "AveragePool, padded": (
        "AveragePool",
        MAP,
        [X],
        {"kernel_shape": [3, 3], "pads": [1, 0, 1, 2]},
    ),
    "AveragePool, padding counted": (
        "AveragePool",
        MAP,
        [X],
        {"kernel_shape": [3, 3], "pads": [1, 0, 1, 2], "count_include_pad": 1},
    ),
    "AveragePool, same": (
        "AveragePool",
        MAP,
        [X],
        {"kernel_shape": [2, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
    ),
    "Conv": ("Conv", MAP, [X, numbers(5, 4, 3, 2), numbers(5)], {}),
    "Conv without bias": ("Conv", MAP, [X, numbers(5, 4, 3, 2)], {}),
    "Conv with all": (
        "Conv",
        MAP,
        [X, numbers(6, 2, 3, 3), numbers(6)],
        {"group": 2, "pads": [2, 0, 1, 3], "strides": [2, 3], "dilations": [2, 1]},
    ),
    "Conv, depthwise": ("Conv", MAP, [X, numbers(4, 1, 3, 3)], {"group": 4}),
    "Conv, same": ("Conv", MAP, [X, numbers(5, 4, 2, 4)], {"auto_pad": "SAME_UPPER"}),
    "Conv, same, lower": (
        "Conv",
        MAP,
        [X, numbers(5, 4, 2, 4)],
        {"auto_pad": "SAME_LOWER", "strides": [2, 1]},
    ),
}


def test_every_operation_is_in_the_table() -> None:
    assert {row[0] for row in ROWS.values()} == set(BACK)


@pytest.mark.parametrize("name", ROWS)
def test_what_is_weighed_behind_an_operation_is_weighed_before_it(name: str) -> None:
    op, shape, inputs, attributes = ROWS[name]
    one = nets.Built(9)
    names = [
        item if isinstance(item, str) else one.constant(f"constant {place}", np.asarray(item))
        for place, item in enumerate(inputs)
    ]
    one.node(op, names, "output", **attributes)
    model = one.model((X, TensorProto.FLOAT, list(shape)), "output", 0, None, shaped=False)
    graph = read_graph(model)
    source = numbers(*shape) - np.float32(5 if "negative" in name and op == "MaxPool" else 0)
    weights_in = [item for item in names if item != X]
    found = open_session(with_outputs(model, weights_in)).run(["output", *weights_in], {X: source})
    values = dict(zip(["output", *weights_in], found, strict=True)) | {X: source}
    shapes = {key: value.shape for key, value in values.items()}
    passage = Passage(
        graph.nodes[0],
        names.index(X),
        source,
        values["output"],
        {place: values[item] for place, item in enumerate(names) if item != X},
        window_of(graph.nodes[0], graph, shapes),
    )
    weights = np.random.default_rng(12).standard_normal(values["output"].shape)
    before, rest = BACK[op](passage, weights)
    assert before.shape == source.shape
    expected = float((weights * values["output"]).sum())
    assert float((before * source).sum()) + rest == pytest.approx(expected, rel=1e-4, abs=1e-4)
