"""The layers of a network, in the order in which they compute: the card's table or, for a file
from elsewhere that has none, one made from its graph.

Knows nothing of values or of sessions. Types are called as Keras calls them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

from app.card import Layer
from app.inside.geometry import CONVOLUTION, Window, window_of
from app.inside.graph import Node
from app.inside.network import Network

ACTIVATIONS = {
    "Relu": "relu",
    "LeakyRelu": "leaky_relu",
    "PRelu": "prelu",
    "Clip": "clip",
    "Elu": "elu",
    "Selu": "selu",
    "Gelu": "gelu",
    "Sigmoid": "sigmoid",
    "HardSigmoid": "hard_sigmoid",
    "HardSwish": "hard_swish",
    "Mish": "mish",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
    "Softmax": "softmax",
}
WIRING = {"Cast", "Transpose", "Identity", "Dropout", "Squeeze", "Unsqueeze"}  # compute nothing
_ELEMENTWISE = {"Add", "Sub", "Mul", "Div"}
_WEIGHING = {CONVOLUTION: "Conv2D", "Gemm": "Dense", "MatMul": "Dense"}
_TYPES = _WEIGHING | {
    "MaxPool": "MaxPooling2D",
    "AveragePool": "AveragePooling2D",
    "GlobalAveragePool": "GlobalAveragePooling2D",
    "GlobalMaxPool": "GlobalMaxPooling2D",
    "Concat": "Concatenate",
    "Mul": "Multiply",
    "Sub": "Subtract",
}
_MAX_INPUTS = 64  # of one layer: DenseNet's widest concatenation has 33


@dataclass(frozen=True)
class InsideLayer:
    """One layer and where it is in the graph: `facts` are for people, the rest for the code."""

    facts: Layer
    pads: list[int] | None  # top, left, bottom, right
    inputs: list[str]  # names of layers; "image" for the picture
    tensor: str | None
    before: str | None  # the tensor before its activation; the same as `tensor` without one
    node: Node | None  # that weighs or pools
    window: Window | None

    @property
    def name(self) -> str:
        return self.facts.name


def layer_table(network: Network, card_layers: list[Layer]) -> list[InsideLayer]:
    """Every layer once; the card's facts are taken as they are, all else is read off the graph."""
    listed = card_layers or [
        Layer(name=tensor, type=kind, tensor=tensor, output_shape=[])
        for tensor, kind in _found(network).items()
    ]
    made = network.grids.keys() & network.makers.keys()
    tensors = {row.tensor: row.name for row in listed if row.tensor and row.tensor in made}
    reads = _reads(network, tensors)
    table = []
    for row in listed:
        tensor = row.tensor or ""
        if tensor not in tensors:
            table.append(InsideLayer(row, None, [], None, None, None, None))
            continue
        path = _path(network, tensor, set(tensors))
        node = path[-1]
        last = path[0]
        before = tensor
        if last.op in ACTIVATIONS and last is not node:
            before = network.data_inputs(last)[0]
        window = window_of(node, network.graph, network.shapes)
        if card_layers:
            facts = row.model_copy(update={"output_shape": shape_of(network, tensor)})
        else:
            facts = _described(network, row, path, window)
        pads = None if window is None else list(window.pads)
        table.append(InsideLayer(facts, pads, reads[tensor], tensor, before, node, window))
    return table


def _found(network: Network) -> dict[str, str]:
    """Tensor → type of layer. An activation or a bias joins the layer before it."""
    found: dict[str, str] = {}
    for node in network.graph.nodes:
        data = network.data_inputs(node)
        if not data or not node.outputs or _is_wiring(network, node):
            continue
        joins = len(data) == 1 and data[0] in found and len(network.readers[data[0]]) == 1
        before = found.get(data[0], "")
        if joins and (
            (node.op in ACTIVATIONS and before not in ("Activation", "Softmax"))
            or (node.op == "Add" and before == "Dense")
        ):
            found[node.outputs[0]] = found.pop(data[0])
        elif found or node.op not in _ELEMENTWISE:  # what comes first makes numbers of pixels
            found[node.outputs[0]] = _type(network, node)
    return found


def _is_wiring(network: Network, node: Node) -> bool:
    if node.op in WIRING:
        return True
    shape = network.shapes.get(node.outputs[0], ())
    return node.op == "Reshape" and len(shape) != 2


def _type(network: Network, node: Node) -> str:
    if node.op in ACTIVATIONS:
        return "Softmax" if node.op == "Softmax" else "Activation"
    data = network.data_inputs(node)
    inner, outer = (network.shapes.get(name, ()) for name in (data[0], node.outputs[0]))
    if node.op == "Reshape":
        return "Flatten"
    if node.op == "ReduceMean" and len(inner) == 4 and prod(outer) == _channels(network, data[0]):
        return "GlobalAveragePooling2D"
    if node.op == "ReduceMax" and len(inner) == 4 and prod(outer) == _channels(network, data[0]):
        return "GlobalMaxPooling2D"
    if node.op == CONVOLUTION and 1 < node.attributes.get("group", 1) == _channels(  # type: ignore[operator]
        network, data[0]
    ):
        return "DepthwiseConv2D"
    if node.op in _ELEMENTWISE and len(data) == 1:
        return "Rescaling"
    return _TYPES.get(node.op, node.op)


def _channels(network: Network, tensor: str) -> int:
    shape = network.shapes.get(tensor, ())
    return shape[3 if network.grids[tensor].channels_last else 1] if len(shape) == 4 else 0


def _reads(network: Network, tensors: dict[str, str]) -> dict[str, list[str]]:
    """Layer's tensor → names of the layers that it reads."""
    flow: dict[str, list[str]] = {network.image: ["image"]}
    reads: dict[str, list[str]] = {}
    for node in network.graph.nodes:
        data = network.data_inputs(node)
        names = list(dict.fromkeys(one for name in data for one in flow.get(name, [])))
        for output in node.outputs:
            if output in tensors:
                reads[output] = names[:_MAX_INPUTS]
                flow[output] = [tensors[output]]
            else:
                flow[output] = names[:_MAX_INPUTS]
    return reads


def _path(network: Network, tensor: str, others: set[str]) -> list[Node]:
    """The layer's nodes from its tensor back to the one that weighs, pools or joins."""
    path = [network.makers[tensor]]
    while True:
        node = path[-1]
        data = network.data_inputs(node)
        passes = node.op in ACTIVATIONS or node.op in WIRING or node.op in _ELEMENTWISE
        if len(data) != 1 or not passes or data[0] in others or data[0] not in network.makers:
            return path
        path.append(network.makers[data[0]])


def _described(network: Network, row: Layer, path: list[Node], window: Window | None) -> Layer:
    """What can be read off the graph of a layer that no card tells of."""
    node = path[-1]
    grid, shape = network.grids[row.name], shape_of(network, row.name)
    weights = [
        prod(network.shapes.get(name, (0,)))
        for one in path
        if one.op in _WEIGHING or one.op in ("BatchNormalization", "PRelu", "Add")
        for name in network.constant_inputs(one)
    ]
    kernel = network.shapes.get(node.inputs[1], ()) if node.op in _WEIGHING else ()
    positions = prod(shape[:-1]) if len(shape) > 1 else 1
    views = network.shapes.get(node.outputs[0], (1,))[0]  # of one picture; or tokens in its place
    work = views * positions * prod(kernel)
    if node.op == "MatMul":  # of two that depend on the picture, too, as in attention
        inner = network.shapes.get(node.inputs[0], ())
        work = prod(network.shapes.get(node.outputs[0], ())) * (inner[-1] if inner else 0)
    last = path[0]
    return row.model_copy(
        update={
            "output_shape": shape,
            "window": list(window.size) if window else None,
            "strides": list(window.strides) if window else None,
            "dilation": list(window.dilation) if window and node.op == CONVOLUTION else None,
            "padding": _padding(network, node, window) if window else None,
            "activation": ACTIVATIONS.get(last.op),
            "parameters": sum(weights),
            "multiply_adds": work if kernel else 0,
            "receptive_field": [ceil(one) for one in grid.field],
        }
    )


def shape_of(network: Network, tensor: str) -> list[int]:
    """Without the batch: height, width and channels of a map, however it lies; else as it is."""
    shape = network.shapes.get(tensor, ())
    if len(shape) != 4:
        return list(shape[1:])
    if network.grids[tensor].channels_last:
        return list(shape[1:])
    return [shape[2], shape[3], shape[1]]


def _padding(network: Network, node: Node, window: Window) -> str | None:
    if not any(window.pads):
        return "valid"
    inner, outer = (network.shapes.get(name, ()) for name in (node.inputs[0], node.outputs[0]))
    if len(inner) == len(outer) == 4:
        kept = [outer[i + 2] == -(-inner[i + 2] // window.strides[i]) for i in (0, 1)]
        return "same" if all(kept) else None
    return None
