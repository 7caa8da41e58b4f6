"""What `training.networks.views` has: several views of a picture as one batch, and their mean."""

from __future__ import annotations

import numpy as np

from training.export.graph import Graph, Value, renamed
from training.export.layout import channels_first
from training.export.reshaping import sliced
from training.export.walk import Call


def with_mirror_images(graph: Graph, call: Call, value: Value) -> Value:
    """WithMirrorImages: the batch behind it is twice as long."""
    width = value.shape[1]
    mirrored = sliced(graph, f"{call.name}/mirrored", value, (width,), (-width - 1,), (-1,), (2,))
    return _joined(graph, call, value, [value.name, mirrored])


def with_shifted(graph: Graph, call: Call, value: Value) -> Value:
    """WithShifted: the batch behind it is three times as long."""
    value = channels_first(graph, value)
    height, width, channels = value.shape
    frame = graph.weight(f"{call.name}/frame", (0, 0, 1, 1, 0, 0, 1, 1), np.int64)
    framed = Value(f"{call.name}/framed", (height + 2, width + 2, channels))
    graph.node("Pad", [value.name, frame], framed.name, mode="reflect")
    views = [value.name]
    for name, first in (("down", 0), ("up", 2)):
        ends = (first + height, first + width)
        output = f"{call.name}/{name}"
        views.append(sliced(graph, output, framed, (first, first), ends, (1, 1), (1, 2)))
    return _joined(graph, call, value, views)


def mean_of_views(graph: Graph, call: Call, value: Value) -> Value:
    """MeanOfViews: of vectors, whatever the order of their elements."""
    shape = graph.weight(f"{call.name}/shape", (call.layer.views, -1, *value.shape), np.int64)
    graph.node("Reshape", [value.name, shape], f"{call.name}/views")
    first = graph.weight(f"{call.name}/axes", (0,), np.int64)
    graph.node("ReduceMean", [f"{call.name}/views", first], call.name, keepdims=0)
    return renamed(value, call.name)


def _joined(graph: Graph, call: Call, value: Value, views: list[str]) -> Value:
    graph.node("Concat", views, call.name, axis=0)
    return renamed(value, call.name)
