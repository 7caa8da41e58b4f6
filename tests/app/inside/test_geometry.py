from __future__ import annotations

import pytest

from app.inside.geometry import grids, window_of
from app.inside.graph import Graph, Node

KERNEL = {"kernel_shape": [1, 1]}


@pytest.mark.parametrize(
    ("strides", "outer", "pads"),
    [
        ([1, 1], (28, 28), (0, 0, 0, 0)),
        ([4, 4], (7, 7), None),  # it reads pixels 1, 5, 9 …: padding of −3, which nobody could see
    ],
)
def test_a_window_that_skips_the_first_pixels_is_not_told_of(
    strides: list[int], outer: tuple[int, int], pads: tuple[int, ...] | None
) -> None:
    attributes = {**KERNEL, "strides": strides, "auto_pad": "SAME_UPPER"}
    node = Node("Conv", "", ["x", "w"], ["y"], attributes)  # type: ignore[arg-type]
    window = window_of(node, Graph(), {"x": (1, 1, 28, 28), "y": (1, 1, *outer)})
    assert (window and window.pads) == pads


MAP = (1, 4, 8, 8)


def test_a_gate_that_has_seen_the_whole_picture_leaves_its_map_where_it_was() -> None:
    """As in squeeze-and-excite blocks."""
    down = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    graph = Graph(
        nodes=[
            Node("Conv", "", ["image", "w"], ["map"], down),  # type: ignore[arg-type]
            Node("GlobalAveragePool", "", ["map"], ["gate"], {}),
            Node("Mul", "", ["gate", "map"], ["gated"], {}),
        ],
        initialisers={"w": [4, 3, 3, 3]},
    )
    shapes = {"image": (1, 3, 16, 16), "map": MAP, "gate": (1, 4, 1, 1), "gated": MAP}
    found = grids(graph, "image", (16, 16), False, shapes)
    assert (found["gated"].start, found["gated"].step) == (found["map"].start, (2, 2))
    assert found["gated"].field == (16, 16)


def test_padding_before_a_convolution_is_the_padding_of_the_convolution() -> None:
    plain = {"kernel_shape": [3, 3], "strides": [2, 2]}
    graph = Graph(
        nodes=[
            Node("Pad", "", ["image", "pads"], ["padded"], {}),
            Node("Conv", "", ["padded", "w"], ["map"], plain),  # type: ignore[arg-type]
        ],
        initialisers={"w": [4, 3, 3, 3], "pads": [8]},
    )
    shapes = {"image": (1, 3, 16, 16), "padded": (1, 3, 18, 18), "map": MAP}
    found = grids(graph, "image", (16, 16), False, shapes)
    assert (found["map"].start, found["map"].step) == ((0.5, 0.5), (2, 2))
