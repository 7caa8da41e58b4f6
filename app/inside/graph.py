"""What is in an ONNX file's graph, and the same file with more outputs.

Reads protobuf's wire format by hand (https://protobuf.dev/programming-guides/encoding; the numbers
of the fields are those of onnx.proto3), because serving does without the onnx package. Graphs
inside nodes (If, Loop) and the weights themselves are passed over. Knows nothing of ONNX Runtime,
and nothing of what the nodes do.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from app.errors import OpaqueModel

MAX_NODES = 10_000  # of a graph that is looked into; EfficientNet-B7 has about 1,200
_MAX_FIELDS = 1_000_000  # read of one file: about a second; weights count one each
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # the wire types
_GRAPH_IN_MODEL, _OUTPUT_IN_GRAPH, _NAME_IN_VALUE = 7, 12, 1

Attribute = int | float | str | list[int]
Value = int | memoryview


@dataclass(frozen=True)
class Node:
    """One operation; `attributes` has those that are numbers, lists of whole numbers or text."""

    op: str
    name: str
    inputs: list[str]  # "" where an optional one is left out
    outputs: list[str]
    attributes: dict[str, Attribute]


@dataclass
class Graph:
    """What the file says, in its order: nodes stand behind those that they read."""

    nodes: list[Node] = field(default_factory=list)
    initialisers: dict[str, list[int]] = field(default_factory=dict)  # name → dimensions
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)


def read_graph(model: bytes) -> Graph:
    """The graph of an ONNX file. Raises OpaqueModel if it cannot be read or has too many nodes."""
    graph, budget = Graph(), _Budget()
    try:
        for number, value in _fields(memoryview(model), budget):
            if number == _GRAPH_IN_MODEL:  # one that occurs twice is merged: lists go on
                _read_into(graph, _view(value), budget)
    except (ValueError, IndexError, struct.error) as exc:
        raise OpaqueModel(
            "Its file is not the protobuf that its graph could be read from."
        ) from exc
    return graph


def with_outputs(model: bytes, names: Iterable[str]) -> bytes:
    """The same model with more outputs: tensors of any node, or weights.

    A message that occurs twice is merged, so a second graph with nothing but outputs is appended.
    ONNX Runtime refuses the model if one of the names does not exist.
    """
    outputs = [
        _encoded(_OUTPUT_IN_GRAPH, _encoded(_NAME_IN_VALUE, name.encode())) for name in names
    ]
    return model + _encoded(_GRAPH_IN_MODEL, b"".join(outputs))


class _Budget:
    """Bounds the work on one file, whatever is in it."""

    def __init__(self) -> None:
        self.fields = _MAX_FIELDS

    def spend(self) -> None:
        self.fields -= 1
        if self.fields < 0:
            raise OpaqueModel(f"Its file has more than {_MAX_FIELDS} fields.")


def _read_into(graph: Graph, view: memoryview, budget: _Budget) -> None:
    for number, value in _fields(view, budget):
        if number == 1:
            graph.nodes.append(_node(_view(value), budget))
            if len(graph.nodes) > MAX_NODES:
                raise OpaqueModel(f"Its graph has more than {MAX_NODES} nodes.")
        elif number == 5:
            name, dimensions = _tensor(_view(value), budget)
            graph.initialisers[name] = dimensions
        elif number in (11, 12):
            names = graph.inputs if number == 11 else graph.outputs
            names += [_text(one) for at, one in _fields(_view(value), budget) if at == 1]


def _node(view: memoryview, budget: _Budget) -> Node:
    node = Node("", "", [], [], {})
    op = name = ""
    for number, value in _fields(view, budget):
        if number == 1:
            node.inputs.append(_text(value))
        elif number == 2:
            node.outputs.append(_text(value))
        elif number == 3:
            name = _text(value)
        elif number == 4:
            op = _text(value)
        elif number == 5:
            node.attributes.update(_attribute(_view(value), budget))
    return Node(op, name, node.inputs, node.outputs, node.attributes)


def _tensor(view: memoryview, budget: _Budget) -> tuple[str, list[int]]:
    name, dimensions = "", []
    for number, value in _fields(view, budget):
        if number == 1:
            dimensions += _integers(value, budget)
        elif number == 8:
            name = _text(value)
    return name, dimensions


def _attribute(view: memoryview, budget: _Budget) -> dict[str, Attribute]:
    name = ""
    found: Attribute | None = None
    integers: list[int] = []
    for number, value in _fields(view, budget):
        if number == 1:
            name = _text(value)
        elif number == 2:
            found = struct.unpack("<f", _view(value))[0]
        elif number == 3:
            found = _signed(value)
        elif number == 4:
            found = _text(value)
        elif number == 8:
            integers += _integers(value, budget)
    if found is None:
        found = integers or None
    return {} if found is None else {name: found}


def _fields(view: memoryview, budget: _Budget) -> Iterator[tuple[int, Value]]:
    """Every field of a message: its number, and a whole number or the bytes that it has."""
    at = 0
    while at < len(view):
        budget.spend()
        key, at = _varint(view, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(view, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = _varint(view, at)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError("a wire type that protobuf 3 does not have")
        if length > len(view) - at:
            raise ValueError("a field that is longer than its message")
        yield number, view[at : at + length]
        at += length


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number of more than ten bytes")


def _integers(value: Value, budget: _Budget) -> list[int]:
    """A repeated field comes one by one, or packed into bytes."""
    if isinstance(value, int):
        return [_signed(value)]
    found, at = [], 0
    while at < len(value):
        budget.spend()
        one, at = _varint(value, at)
        found.append(_signed(one))
    return found


def _signed(value: Value) -> int:
    if not isinstance(value, int):
        raise ValueError("bytes where a whole number belongs")
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def _view(value: Value) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a whole number where bytes belong")
    return value


def _text(value: Value) -> str:
    return bytes(_view(value)).decode()


def _encoded(number: int, content: bytes) -> bytes:
    return _encoded_varint(number << 3 | _BYTES) + _encoded_varint(len(content)) + content


def _encoded_varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
