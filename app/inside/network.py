"""A graph as one walks through it: who makes a tensor, who reads it, what is constant, where the
classes' scores are before softmax.

Knows nothing of sessions, of values or of layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.inside.geometry import Grid, Shape, grids
from app.inside.graph import Graph, Node

_PASSED_ON = {"Identity", "Cast", "Dropout"}


@dataclass(frozen=True)
class Network:
    """One model's graph with all that is known of it before any picture is there."""

    graph: Graph
    shapes: Mapping[str, Shape]  # of one image, so the first number is 1
    image: str  # the input
    side: tuple[int, int]  # the picture's height and width
    logits: str | None  # the tensor, 1 × classes
    makers: Mapping[str, Node]  # tensor → the node that makes it
    readers: Mapping[str, list[Node]]
    grids: Mapping[str, Grid]  # of the tensors that depend on the image

    def data_inputs(self, node: Node) -> list[str]:
        """What of its inputs depends on the image."""
        return [name for name in node.inputs if name in self.grids]

    def constant_inputs(self, node: Node) -> list[str]:
        """Its weights, axes and the like."""
        return [name for name in node.inputs if name and name not in self.grids]


def network_of(
    graph: Graph,
    shapes: Mapping[str, Shape],
    output: str,
    side: tuple[int, int],
    channels_last: bool,
    is_softmax: bool,
) -> Network:
    """Look through a graph; `output` has the classes, after a softmax if `is_softmax`."""
    image = data_input(graph)
    makers: dict[str, Node] = {}
    readers: dict[str, list[Node]] = {}
    for node in graph.nodes:
        makers |= {name: node for name in node.outputs if name}
        for name in dict.fromkeys(node.inputs):
            readers.setdefault(name, []).append(node)
    logits = _before_softmax(makers, output) if is_softmax else output
    found = grids(graph, image, side, channels_last, shapes)
    if logits not in found or len(shapes.get(logits or "", ())) != 2:
        logits = None
    return Network(graph, shapes, image, side, logits, makers, readers, found)


def data_input(graph: Graph) -> str:
    """The image's tensor: older files list their weights among the inputs too."""
    return next((name for name in graph.inputs if name not in graph.initialisers), "")


def _before_softmax(makers: Mapping[str, Node], output: str) -> str | None:
    seen: set[str] = set()
    while output in makers and output not in seen:
        seen.add(output)
        node = makers[output]
        if node.op == "Softmax":
            return node.inputs[0] if node.inputs else None
        if node.op not in _PASSED_ON or not node.inputs:
            return None
        output = node.inputs[0]
    return None
