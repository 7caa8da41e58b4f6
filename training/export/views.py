"""What `training.networks.views` has: a picture and its mirror image as one batch, and back."""

from __future__ import annotations

import numpy as np

from training.export.graph import Graph, Value, renamed
from training.export.layout import axes_of
from training.export.reshaping import sliced
from training.export.walk import Call


def with_mirror_images(graph: Graph, call: Call, value: Value) -> Value:
    """WithMirrorImages: the batch behind it is twice as long."""
    width = value.shape[1]
    mirrored = sliced(graph, f"{call.name}/mirrored", value, (width,), (-width - 1,), (-1,), (2,))
    (batch,) = axes_of(value, [0])
    graph.node("Concat", [value.name, mirrored], call.name, axis=batch)
    return renamed(value, call.name)


def mean_of_both_views(graph: Graph, call: Call, value: Value) -> Value:
    """MeanOfBothViews: of vectors, whatever the order of their elements."""
    halves = graph.weight(f"{call.name}/shape", (2, -1, *value.shape), np.int64)
    graph.node("Reshape", [value.name, halves], f"{call.name}/views")
    first = graph.weight(f"{call.name}/axes", (0,), np.int64)
    graph.node("ReduceMean", [f"{call.name}/views", first], call.name, keepdims=0)
    return renamed(value, call.name)
