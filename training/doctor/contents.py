"""What is in an ONNX file's graph, counted.

Knows ONNX, and nothing of cards or of the service.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import onnx
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper

_TWO_IN_A_BYTE = {TensorProto.INT4, TensorProto.UINT4, TensorProto.FLOAT4E2M1}


@dataclass(frozen=True)
class Tensor:
    """An input or an output; a dimension is a number, or the name of one that is free."""

    name: str
    type: str
    shape: list[int | str]


@dataclass(frozen=True)
class Weights:
    """All weights of one type."""

    numbers: int
    bytes: int


@dataclass(frozen=True)
class Contents:
    """Operators and weights are also those of graphs inside nodes, as If and Loop have them."""

    ir_version: int
    opsets: dict[str, int]  # domain → version; ONNX's own domain is "ai.onnx"
    producer: str
    inputs: list[Tensor]
    outputs: list[Tensor]
    operators: dict[str, int]  # the most frequent first
    weights: dict[str, Weights]  # by type
    external: list[str]  # files that hold weights beside this one
    last: dict[str, str]  # output → the operator that makes it


def contents(model: onnx.ModelProto) -> Contents:
    """Count what is in a model."""
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}  # inputs too, in old files
    nodes = list(_nodes(graph))
    tensors = list(_tensors(graph))
    weights: dict[str, Weights] = {}
    for tensor in tensors:
        name, numbers = _type(tensor.data_type), prod(tensor.dims)
        before = weights.get(name, Weights(0, 0))
        size = _bytes(tensor.data_type, numbers)
        weights[name] = Weights(before.numbers + numbers, before.bytes + size)
    return Contents(
        ir_version=model.ir_version,
        opsets={text_of(one.domain) or "ai.onnx": one.version for one in model.opset_import},
        producer=f"{text_of(model.producer_name)} {text_of(model.producer_version)}".strip(),
        inputs=[_tensor(one) for one in graph.input if one.name not in constants],
        outputs=[_tensor(one) for one in graph.output],
        operators=dict(Counter(map(_operator, nodes)).most_common()),
        weights=dict(sorted(weights.items(), key=lambda item: -item[1].bytes)),
        external=sorted(
            {
                text_of(entry.value)
                for tensor in tensors
                if tensor.data_location == TensorProto.EXTERNAL
                for entry in tensor.external_data
                if entry.key == "location"
            }
        ),
        last={
            text_of(output): _operator(node)
            for node in graph.node
            for output in node.output
            if output in {one.name for one in graph.output}
        },
    )


def _nodes(graph: GraphProto) -> Iterator[NodeProto]:
    for node in graph.node:
        yield node
        for inner in _inner(node):
            yield from _nodes(inner)


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    """Initialisers, and what nodes of the kind Constant hold."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
        for inner in _inner(node):
            yield from _tensors(inner)


def _inner(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _operator(node: NodeProto) -> str:
    domain, name = text_of(node.domain), text_of(node.op_type)
    return name if domain in ("", "ai.onnx") else f"{domain}:{name}"


def _tensor(value: ValueInfoProto) -> Tensor:
    kind = value.type.tensor_type
    shape = [
        one.dim_value if one.HasField("dim_value") else one.dim_param for one in kind.shape.dim
    ]
    return Tensor(
        text_of(value.name),
        _type(kind.elem_type),
        [one if isinstance(one, int) else text_of(one) or "?" for one in shape],
    )


def text_of(value: str | bytes) -> str:
    """A string of a file: protobuf hands over bytes where it is not UTF-8."""
    return value if isinstance(value, str) else value.decode(errors="replace")


def _type(number: int) -> str:
    known = number in TensorProto.DataType.values()
    name = TensorProto.DataType.Name(number).lower() if known else f"type {number}"
    return {"float": "float32", "double": "float64"}.get(name, name)


def _bytes(number: int, numbers: int) -> int:
    if number in _TWO_IN_A_BYTE:
        return (numbers + 1) // 2
    try:
        return numbers * int(helper.tensor_dtype_to_np_dtype(number).itemsize)
    except KeyError:  # of a type that this onnx does not know
        return 0
