"""Where in the picture the numbers of a tensor lie: windows, strides, receptive fields.

Reads a graph and the shapes of its tensors; knows nothing of values, of sessions or of layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

from app.inside.graph import Graph, Node

Shape = tuple[int, ...]
Pair = tuple[float, float]  # of y and x

CONVOLUTION = "Conv"
POOLS = {"MaxPool": "max", "AveragePool": "average"}
WHOLE_PICTURE = {"Flatten", "Gemm", "MatMul", "GlobalAveragePool", "GlobalMaxPool"}


@dataclass(frozen=True)
class Window:
    """What slides over a feature map: pairs of y and x; `pads` are top, left, bottom, right."""

    size: tuple[int, int]
    strides: tuple[int, int]
    dilation: tuple[int, int]
    pads: tuple[int, int, int, int]


@dataclass(frozen=True)
class Grid:
    """Cell (i, j) of a feature map is centred at start + (i, j) · step, in input pixels.

    Pixel centres are at 0.5, 1.5, …; `field` is how many pixels a cell sees.
    """

    channels_last: bool
    start: Pair
    step: Pair
    field: Pair


def window_of(node: Node, graph: Graph, shapes: Mapping[str, Shape]) -> Window | None:
    """The window of a two-dimensional convolution or pooling; None for every other node.

    None too for one that does not begin at the first pixel.
    """
    if node.op != CONVOLUTION and node.op not in POOLS:
        return None
    kernel = node.attributes.get("kernel_shape")
    if kernel is None and len(node.inputs) > 1:
        kernel = list(graph.initialisers.get(node.inputs[1]) or shapes.get(node.inputs[1], ()))[2:]
    size = _pair(kernel, None)
    if size is None:
        return None
    strides = _pair(node.attributes.get("strides"), (1, 1))
    dilation = _pair(node.attributes.get("dilations"), (1, 1))
    if strides is None or dilation is None:
        return None
    pads = node.attributes.get("pads", [0, 0, 0, 0])
    if not isinstance(pads, list) or len(pads) != 4:
        return None
    top, left, bottom, right = (int(one) for one in pads)
    auto = str(node.attributes.get("auto_pad", ""))
    if auto.startswith("SAME"):
        inner, outer = shapes.get(node.inputs[0], ()), shapes.get(node.outputs[0], ())
        if len(inner) != 4 or len(outer) != 4:
            return None
        totals = [
            (outer[2 + i] - 1) * strides[i] + (size[i] - 1) * dilation[i] + 1 - inner[2 + i]
            for i in (0, 1)
        ]
        if min(totals) < 0:  # a step longer than its window: ONNX Runtime skips the first pixels
            return None
        less, more = [one // 2 for one in totals], [one - one // 2 for one in totals]
        first, last = (more, less) if auto == "SAME_LOWER" else (less, more)
        top, left, bottom, right = *first, *last
    return Window(size, strides, dilation, (top, left, bottom, right))


def _pair(value: object, default: tuple[int, int] | None) -> tuple[int, int] | None:
    if value is None:
        return default
    if not isinstance(value, list) or len(value) != 2 or min(value) < 1:
        return None
    return int(value[0]), int(value[1])


def grids(
    graph: Graph,
    image: str,
    side: tuple[int, int],
    channels_last: bool,
    shapes: Mapping[str, Shape],
) -> dict[str, Grid]:
    """For every tensor that depends on the tensor `image`: where its cells lie.

    `side` is the picture's height and width. Windows and strides add up as in Araujo, Norris and
    Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019. Where
    branches meet, the finest says where cells lie and the widest how far they see: a gate that
    has seen the whole picture leaves the map it is multiplied with where it was.
    """
    whole = (float(side[0]), float(side[1]))
    found = {image: Grid(channels_last, (0.5, 0.5), (1.0, 1.0), (1.0, 1.0))}
    for node in graph.nodes:
        read = [found[name] for name in node.inputs if name in found]
        if not read or not node.outputs:
            continue
        known = [name for name in node.inputs if name in found]
        finest = min(known, key=lambda name: prod(found[name].step))
        met = replace(found[finest], field=max((one.field for one in read), key=prod))
        window = window_of(node, graph, shapes)
        shape = shapes.get(node.outputs[0], ())
        if window is not None:
            grid = _slid(met, window, whole)
        elif node.op in WHOLE_PICTURE or len(shape) != 4 or node.op.startswith("Reduce"):
            centre = (whole[0] / 2, whole[1] / 2)
            grid = Grid(met.channels_last, centre, whole, whole)
        elif node.op == "Transpose":
            grid = Grid(_is_last(node, met), met.start, met.step, met.field)
        else:
            grid = _resized(node, met, shapes.get(finest, ()), shape)
        found |= {name: grid for name in node.outputs if name}
    return found


def _is_last(node: Node, grid: Grid) -> bool:
    perm = node.attributes.get("perm")
    channel_axis = 3 if grid.channels_last else 1
    return isinstance(perm, list) and len(perm) == 4 and perm[3] == channel_axis


def _slid(grid: Grid, window: Window, whole: Pair) -> Grid:
    reach = [(window.size[i] - 1) * window.dilation[i] for i in (0, 1)]
    start = [grid.start[i] + (reach[i] / 2 - window.pads[i]) * grid.step[i] for i in (0, 1)]
    step = [grid.step[i] * window.strides[i] for i in (0, 1)]
    field = [min(whole[i], grid.field[i] + reach[i] * grid.step[i]) for i in (0, 1)]
    # What a convolution gives lies N×C×H×W, whatever is written before it.
    return Grid(False, (start[0], start[1]), (step[0], step[1]), (field[0], field[1]))


def _resized(node: Node, grid: Grid, inner: Shape, outer: Shape) -> Grid:
    """Of a node that makes the map larger or smaller without a window, such as Resize."""
    if len(inner) != 4 or len(outer) != 4:
        return grid
    first = 1 if grid.channels_last else 2
    if node.op in ("Pad", "Slice"):  # as much on both sides: how much is a weight, and not read
        more = [(outer[first + i] - inner[first + i]) / 2 for i in (0, 1)]
        top, left = (grid.start[i] - more[i] * grid.step[i] for i in (0, 1))
        return replace(grid, start=(top, left))
    ratio = [inner[first + i] / max(1, outer[first + i]) for i in (0, 1)]
    step = (grid.step[0] * ratio[0], grid.step[1] * ratio[1])
    start = [grid.start[i] + (step[i] - grid.step[i]) / 2 for i in (0, 1)]
    return Grid(grid.channels_last, (start[0], start[1]), step, grid.field)
