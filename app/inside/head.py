"""A class's score, split among the cells of a tensor before it: exactly, for the image at hand.

The walk goes from the logits backwards, as long as each node reads one tensor that depends on the
image and can be walked (`app.inside.backwards`). Behind global pooling the split of the last
feature map is the class activation map of Zhou et al., "Learning Deep Features for Discriminative
Localization", CVPR 2016; behind Flatten it is the same thing for every cell by itself, with each
ReLU as it is for this image. Knows nothing of sessions or of HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, prod

import numpy as np
from numpy.typing import NDArray

from app.inside.backwards import BACK, EITHER_PLACE, Passage, Weights
from app.inside.feature_maps import channels_first
from app.inside.geometry import CONVOLUTION, POOLS, window_of
from app.inside.graph import Node
from app.inside.network import Network

MAX_WEIGHTS = 16 * 1024 * 1024  # numbers on the way, 64 MiB; VGG's 103 million are too many
MAX_ACTIVATIONS = 16 * 1024 * 1024  # likewise
MAX_MULTIPLY_ADDS = 20_000_000  # of convolutions on the way, in NumPy: a tenth of a second
MAX_PLACES = 1024  # of one window: each is a step in Python
MAX_NODES = 200
TOLERANCE = 1e-3  # of the score, or of 1 where the score is smaller
GLOBAL = {"GlobalAveragePool", "GlobalMaxPool", "ReduceMean"}
# Behind the last convolution's activation; the map is finer before them.
_BEHIND = {"Add", "BatchNormalization", "Cast", "Div", "Dropout", "Identity", "Mul", "Sub"}
_BEHIND |= {"Transpose", *POOLS}

Tensor = NDArray[np.float32]


@dataclass(frozen=True)
class Split:
    """`parts` (channels × height × width) and `rest` add up to `logit`."""

    tensor: str
    parts: Weights
    rest: float
    logit: float


def path_to(network: Network, tensor: str) -> list[Node] | None:
    """The nodes from the logits back to what reads `tensor`, a map; None without such a way."""
    path: list[Node] = []
    for node, source in _way(network):
        path.append(node)
        if source == tensor and len(network.shapes.get(tensor, ())) == 4:
            return path if _is_affordable(network, path) else None
    return None


def path_to_map(network: Network) -> list[Node] | None:
    """The same to the last feature map: before pooling, as its convolution's activation left it."""
    found: list[Node] | None = None
    path: list[Node] = []
    for node, source in _way(network):
        if found is not None and node.op not in _BEHIND:
            break
        path.append(node)
        if _is_feature_map(network, source):
            found = list(path)
    return found if found and _is_affordable(network, found) else None


def tensors_on(network: Network, path: list[Node]) -> list[str]:
    """The names of all that `split` needs."""
    names = [network.logits or ""]
    for node in path:
        names += [name for name in node.inputs if name]
    return names


def split(
    network: Network, path: list[Node], tensors: Mapping[str, Tensor], index: int
) -> Split | None:
    """Walk the score of class `index` back along `path`; None if it does not come out exactly."""
    assert network.logits is not None
    scores = tensors[network.logits].astype(np.float64)
    logit = float(scores[0, index])
    weights = np.zeros(scores.shape)
    weights[0, index] = 1
    rest, output = 0.0, network.logits
    for node in path:
        at = node.inputs.index(source := network.data_inputs(node)[0])
        passage = Passage(
            node,
            at,
            tensors[source],
            tensors[output],
            {
                place: tensors[name]
                for place, name in enumerate(node.inputs)
                if name and place != at
            },
            window_of(node, network.graph, network.shapes),
        )
        try:
            weights, more = BACK[node.op](passage, weights)
        except (ValueError, IndexError, KeyError):  # shapes that this operation seldom has
            return None
        if weights.shape != tensors[source].shape:
            return None
        rest, output = rest + more, source
    image = weights * tensors[output]
    if len(image) > 1:  # the network makes several views of a picture, which lie elsewhere each
        return None
    total = float(image.sum()) + rest
    if not isfinite(total) or abs(total - logit) > TOLERANCE * max(1, abs(logit)):
        return None
    return Split(output, channels_first(network, output, image), rest, logit)


def _way(network: Network) -> list[tuple[Node, str]]:
    """Node by node from the logits back, with the tensor that each reads."""
    way: list[tuple[Node, str]] = []
    tensor = network.logits or ""
    while tensor in network.makers and len(way) < MAX_NODES:
        node = network.makers[tensor]
        data = network.data_inputs(node)
        placed = node.op in EITHER_PLACE or node.inputs[:1] == data
        if len(data) != 1 or node.op not in BACK or not placed:
            break
        shapes = [network.shapes.get(name, ()) for name in (data[0], *node.outputs[:1])]
        if node.op in (CONVOLUTION, *POOLS) and (
            any(len(shape) != 4 for shape in shapes)
            or window_of(node, network.graph, network.shapes) is None
        ):
            break
        way.append((node, data[0]))
        tensor = data[0]
    return way


def _is_feature_map(network: Network, tensor: str) -> bool:
    shape = network.shapes.get(tensor, ())
    first = 1 if network.grids[tensor].channels_last else 2
    return len(shape) == 4 and prod(shape[first : first + 2]) > 1


def _is_affordable(network: Network, path: list[Node]) -> bool:
    weights = work = activations = 0
    for node in path:
        activations += sum(prod(network.shapes.get(name, ())) for name in network.data_inputs(node))
        sizes = [prod(network.shapes.get(name, ())) for name in network.constant_inputs(node)]
        weights += sum(sizes)
        window = window_of(node, network.graph, network.shapes)
        if window is None:
            continue
        _, channels, height, width = network.shapes[network.data_inputs(node)[0]]
        top, left, bottom, right = window.pads
        outer = network.shapes[node.outputs[0]]
        work += channels * (height + top + bottom) * (width + left + right)
        work += prod(outer[2:]) * sizes[0] if sizes else prod(outer) * prod(window.size)
        if prod(window.size) > MAX_PLACES:
            return False
    return weights <= MAX_WEIGHTS and activations <= MAX_ACTIVATIONS and work <= MAX_MULTIPLY_ADDS
