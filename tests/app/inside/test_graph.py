from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from app.classifier import open_session
from app.errors import ModelRefused, OpaqueModel
from app.inside import graph as graph_module
from app.inside.graph import MAX_NODES, Graph, read_graph, with_outputs
from tests.app.inside import nets
from tests.conftest import colour_model, foreign_model, mosaic_model

MODELS = sorted((Path(__file__).parents[3] / "models").glob("*.onnx"))


def as_onnx_says(model: bytes) -> Graph:
    """The same from the onnx package, which tests may use."""
    graph = onnx.load_from_string(model).graph
    nodes = []
    for node in graph.node:
        attributes = {
            one.name: helper.get_attribute_value(one)
            for one in node.attribute
            if one.type not in (onnx.AttributeProto.TENSOR, onnx.AttributeProto.GRAPH)
        }
        texts = {
            name: value.decode() if isinstance(value, bytes) else value
            for name, value in attributes.items()
        }
        nodes.append(
            graph_module.Node(node.op_type, node.name, list(node.input), list(node.output), texts)
        )
    return Graph(
        nodes,
        {one.name: list(one.dims) for one in graph.initializer},
        [one.name for one in graph.input],
        [one.name for one in graph.output],
    )


@pytest.mark.parametrize(
    "model",
    [
        *[pytest.param(path.read_bytes(), id=path.stem) for path in MODELS],
        pytest.param(nets.gap_net(), id="gap"),
        pytest.param(nets.foreign_net(), id="foreign"),
        pytest.param(colour_model(), id="colours"),
        pytest.param(mosaic_model(), id="mosaic"),
        pytest.param(foreign_model(), id="tiny foreign"),
    ],
)
def test_a_graph_is_read_as_the_onnx_package_reads_it(model: bytes) -> None:
    assert read_graph(model) == as_onnx_says(model)


def with_constant() -> bytes:
    one = nets.Built(6)
    one.node("Constant", [], "c", value=numpy_helper.from_array(np.array([1, 2, 3], np.float32)))
    half = one.weight("half", 3, 3, dtype=np.float16)
    kernel = one.node("Cast", [half], "kernel", to=TensorProto.FLOAT)
    one.node("MatMul", ["image", kernel], "product")
    one.node("Add", ["product", "c"], "output")
    return one.model(("image", TensorProto.FLOAT, ["N", 3]), "output", 3, None)


def test_every_tensor_can_become_an_output_weights_and_constants_too() -> None:
    model = with_constant()
    names = ["half", "kernel", "c", "product"]
    more = with_outputs(model, names)
    assert more.startswith(model)
    image = np.array([[1, 0, -1]], np.float32)
    found = open_session(more).run(["output", *names], {"image": image})
    output, half, kernel, constant, product = found
    assert half.dtype == np.float16
    assert (kernel == half.astype(np.float32)).all()
    assert (product == image @ kernel).all()
    assert (output == product + constant).all()
    assert (output == open_session(model).run(None, {"image": image})[0]).all()


def test_weights_are_read_as_they_are_in_the_file() -> None:
    (path,) = (path for path in MODELS if path.stem == "mnist-1conv")
    model = path.read_bytes()
    found = open_session(with_outputs(model, ["conv1/kernel"])).run(
        ["conv1/kernel"], {"image": np.zeros((1, 28, 28, 1), np.uint8)}
    )[0]
    weights = {one.name: one for one in onnx.load_from_string(model).graph.initializer}
    assert (found == numpy_helper.to_array(weights["conv1/kernel"])).all()


def test_a_name_that_does_not_exist_is_refused_by_onnx_runtime() -> None:
    with pytest.raises(ModelRefused):
        open_session(with_outputs(colour_model(), ["nowhere"]))


def test_a_name_of_any_length_and_script_is_encoded_as_protobuf_has_it() -> None:
    names = ["층", "x" * 127, "x" * 128, "x" * 20_000]
    more = onnx.load_from_string(with_outputs(b"", names))
    assert [one.name for one in more.graph.output] == names
    assert read_graph(with_outputs(b"", names)).outputs == names


def test_a_graph_that_comes_in_two_pieces_is_one() -> None:
    graph = read_graph(colour_model() + with_outputs(b"", ["logits"]))
    assert graph.outputs == ["probabilities", "logits"]
    assert len(graph.nodes) == 4


def varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


BROKEN = {
    "a field longer than its message": field(7, b"")[:-1] + b"\x05abc",
    "a number that never ends": b"\x38" + b"\xff" * 11,
    "a number that is cut off": b"\x38\x80",
    "a group, which protobuf 3 has not": b"\x3b",
    "the graph a number": b"\x38\x01",
    "a node a number": field(7, b"\x08\x01"),
    "a name that is no text": field(7, field(1, field(3, b"\xff\xfe"))),
    "a float that is a number": field(7, field(1, field(5, b"\x10\x01"))),
    "a float of eight bytes": field(7, field(1, field(5, b"\x11" + b"\0" * 8))),
    "a length of two to the 63": b"\x3a" + b"\xff" * 8 + b"\x7f",
}


@pytest.mark.parametrize("model", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_onnx_file_is_said_to_be_unreadable(model: bytes) -> None:
    with pytest.raises(OpaqueModel, match="could be read"):
        read_graph(model)


def test_no_beginning_of_a_file_is_read_for_ever_or_fails_in_another_way() -> None:
    model = nets.gap_net()
    for end in range(len(model)):
        try:
            read_graph(model[:end])
        except OpaqueModel:
            continue


def test_an_empty_file_has_an_empty_graph() -> None:
    assert read_graph(b"") == Graph()


def test_nodes_are_bounded() -> None:
    node = field(1, field(4, b"Relu"))
    assert len(read_graph(field(7, node * MAX_NODES)).nodes) == MAX_NODES
    with pytest.raises(OpaqueModel, match="more than 10000 nodes"):
        read_graph(field(7, node * (MAX_NODES + 1)))


@pytest.mark.parametrize(
    "many",
    [
        lambda count: b"\x08\x01" * count,  # of the model itself
        lambda count: field(7, field(5, b"\x08\x01" * (count - 2))),  # a weight's dimensions
        lambda count: field(7, field(5, field(1, b"\x01" * (count - 3)))),  # the same, packed
    ],
    ids=["fields", "dimensions", "packed dimensions"],
)
def test_work_is_bounded(many: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert callable(many)
    monkeypatch.setattr(graph_module, "_MAX_FIELDS", 1000)
    read_graph(many(1000))
    with pytest.raises(OpaqueModel, match="more than 1000 fields"):
        read_graph(many(1001))


def test_negative_numbers_are_read_as_such() -> None:
    one = nets.Built(7)
    one.node("Softmax", ["image"], "output", axis=-1)
    model = one.model(("image", TensorProto.FLOAT, ["N", 3]), "output", 3, None)
    assert read_graph(model).nodes[0].attributes == {"axis": -1}
