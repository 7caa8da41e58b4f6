from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.doctor.contents import Tensor, Weights, contents


def test_what_stands_in_graphs_inside_nodes_and_in_constants_counts_too() -> None:
    value = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    half = numpy_helper.from_array(np.zeros((2, 3), np.float16), "half")
    then = helper.make_graph(
        [helper.make_node("Cast", ["half"], ["y"], to=TensorProto.FLOAT)],
        "then",
        [],
        [value],
        [half],
    )
    constant = numpy_helper.from_array(np.zeros(5, np.float32))
    other = helper.make_graph(
        [helper.make_node("Constant", [], ["y"], value=constant)], "other", [], [value]
    )
    graph = helper.make_graph(
        [
            helper.make_node("If", ["x"], ["y"], then_branch=then, else_branch=other),
            helper.make_node("Swish", ["y"], ["z"], domain="com.acme"),
        ],
        "outer",
        [helper.make_tensor_value_info("x", TensorProto.BOOL, [])],
        [value],
        [numpy_helper.from_array(np.zeros((2, 2), np.float32), "unused")],
    )
    found = contents(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]))
    assert found.operators == {"If": 1, "Cast": 1, "Constant": 1, "com.acme:Swish": 1}
    assert found.weights == {"float32": Weights(9, 36), "float16": Weights(6, 12)}
    assert found.inputs == [Tensor("x", "bool", [])]
    assert found.last == {"y": "If"}


def test_an_input_with_a_value_is_a_weight_and_no_input() -> None:
    """As files of IR version 3 list them."""
    value = helper.make_tensor_value_info("w", TensorProto.FLOAT, [2])
    weight = numpy_helper.from_array(np.zeros(2, np.float32), "w")
    node = helper.make_node("Identity", ["w"], ["y"])
    graph = helper.make_graph([node], "old", [value], [], [weight])
    found = contents(helper.make_model(graph))
    assert found.inputs == []
    assert found.weights == {"float32": Weights(2, 8)}


def test_a_type_that_onnx_does_not_know_is_told_by_its_number() -> None:
    model = helper.make_model(helper.make_graph([], "empty", [], []))
    model.graph.initializer.add(name="w", data_type=1000, dims=[3])
    assert contents(model).weights == {"type 1000": Weights(3, 0)}


def test_nothing_is_in_an_empty_model() -> None:
    found = contents(onnx.ModelProto())
    assert (found.inputs, found.outputs, found.operators, found.weights) == ([], [], {}, {})


def test_of_numbers_of_four_bits_two_share_a_byte() -> None:
    small = helper.make_tensor("small", TensorProto.INT4, [9], [1] * 9)
    graph = helper.make_graph([], "g", [], [], [small])
    assert contents(helper.make_model(graph)).weights == {"int4": Weights(9, 5)}
