"""The ONNX graph while it is built: nodes, weights, and what is known of each value.

Knows ONNX, and nothing of Keras.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 20  # the first with Gelu
IR_VERSION = 10  # what OPSET's own onnx release wrote; older readers refuse what is newer


class ExportError(ValueError):
    """The model cannot be translated faithfully; the message names the layer and the remedy."""


@dataclass(frozen=True)
class Value:
    """A tensor in the graph. `shape` is Keras' own, without the batch; images lie as N×C×H×W.

    `flattened` is the height × width × channels that a vector had before Flatten: its elements are
    still in channel-first order, and whoever weighs them must order its weights accordingly.
    """

    name: str
    shape: tuple[int, ...]
    flattened: tuple[int, int, int] | None = None

    @property
    def is_image(self) -> bool:
        return len(self.shape) == 3

    @property
    def channel_axis(self) -> int:
        """Where Keras' last axis lies in ONNX."""
        return 1 if self.is_image else -1


class Graph:
    """Collects nodes and initialisers in order; every name is used once."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, onnx.TensorProto] = {}

    def node(self, op: str, inputs: Sequence[str], output: str, **attributes: object) -> str:
        """Add one node with one output; returns the output's name."""
        self._nodes.append(helper.make_node(op, list(inputs), [output], name=output, **attributes))
        return output

    def weight(self, name: str, values: ArrayLike) -> str:
        """Add a constant, stored as float32; returns its name."""
        array = np.array(values, np.float32, order="C")
        self._weights[name] = numpy_helper.from_array(array, name)
        return name

    def rename(self, new_names: dict[str, str]) -> None:
        """Give tensors other names, in every node that makes or reads them."""
        for node in self._nodes:
            node.name = new_names.get(node.name, node.name)
            for names in (node.input, node.output):
                names[:] = [new_names.get(name, name) for name in names]

    def model(self, name: str, image: tuple[int, int, int], classes: int) -> onnx.ModelProto:
        """The finished, checked model: uint8 `image` N×H×W×C → float32 `probabilities` N×K."""
        graph = helper.make_graph(
            self._nodes,
            name,
            [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", *image])],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", classes])],
            list(self._weights.values()),
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="convolu",
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def in_keras_order(values: NDArray[np.float32], value: Value) -> NDArray[np.float32]:
    """Reorder the first axis of `values` from Keras' H·W·C order to the order `value` lies in."""
    if value.flattened is None:
        return values
    height, width, channels = value.flattened
    split = values.reshape(height, width, channels, *values.shape[1:])
    return np.moveaxis(split, 2, 0).reshape(values.shape)


def renamed(value: Value, name: str, shape: tuple[int, ...] | None = None) -> Value:
    """The same kind of value under another name, and another shape if given."""
    return replace(value, name=name, shape=value.shape if shape is None else shape)
