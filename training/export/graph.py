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
IR_VERSION = 10  # of onnx 1.16, one release after OPSET's; older readers refuse what is newer
HALF_FROM = 4096  # numbers in a kernel: 8 KB saved, where a Cast in the file takes 0.1


class ExportError(ValueError):
    """The model cannot be translated faithfully; the message names the layer and the remedy."""


@dataclass(frozen=True)
class Value:
    """A tensor in the graph. `shape` is Keras' own, without the batch.

    Images lie as N×C×H×W, or as in Keras if `channels_last`; everything else lies as in Keras.
    `flattened` is the height × width × channels that a vector had before Flatten: its elements are
    still in channel-first order, and whoever weighs them must order its weights accordingly.
    """

    name: str
    shape: tuple[int, ...]
    flattened: tuple[int, int, int] | None = None
    channels_last: bool = False

    @property
    def is_image(self) -> bool:
        return len(self.shape) == 3

    @property
    def is_channels_first(self) -> bool:
        return self.is_image and not self.channels_last

    @property
    def channel_axis(self) -> int:
        """Where Keras' last axis lies in ONNX."""
        return 1 if self.is_channels_first else -1


class Graph:
    """Collects nodes and initialisers in order; every name is used once.

    With `half`, kernels of HALF_FROM numbers or more are stored as float16 with a Cast behind them.
    """

    def __init__(self, half: bool = False) -> None:
        self._half = half
        self._nodes: list[onnx.NodeProto] = []
        self._makers: dict[str, onnx.NodeProto] = {}
        self._weights: dict[str, onnx.TensorProto] = {}

    def node(self, op: str, inputs: Sequence[str], output: str, **attributes: object) -> str:
        """Add one node with one output; returns the output's name."""
        if output in self._makers or output == "image":
            raise ExportError(f"two tensors would be called '{output}'. Rename layer '{output}'.")
        node = helper.make_node(op, list(inputs), [output], name=output, **attributes)
        self._makers[output] = node
        self._nodes.append(node)
        return output

    def once(self, op: str, inputs: Sequence[str], output: str, **attributes: object) -> str:
        """As `node`, unless the output is there already."""
        return output if output in self._makers else self.node(op, inputs, output, **attributes)

    def weight(self, name: str, values: ArrayLike, dtype: type = np.float32) -> str:
        """Add a constant; returns its name. The same constant may be added again."""
        tensor = numpy_helper.from_array(np.array(values, dtype, order="C"), name)
        if self._weights.setdefault(name, tensor) != tensor:
            raise ExportError(f"two different weights would be called '{name}'. Rename a layer.")
        return name

    def kernel(self, name: str, values: ArrayLike) -> str:
        """Add the many weights of a layer; returns the name under which they are read."""
        array = np.array(values, np.float32, order="C")
        if not self._half or not fits_half(array):
            return self.weight(name, array)
        stored = self.weight(f"{name}/half", array, np.float16)
        return self.once("Cast", [stored], name, to=TensorProto.FLOAT)

    def maker(self, tensor: str) -> onnx.NodeProto | None:
        """The node that makes a tensor; None for the image and for weights."""
        return self._makers.get(tensor)

    def rename(self, new_names: dict[str, str]) -> None:
        """Give tensors other names, in every node that makes or reads them; the last thing done."""
        for node in self._nodes:
            node.name = new_names.get(node.name, node.name)
            for names in (node.input, node.output):
                names[:] = [new_names.get(name, name) for name in names]

    def model(
        self, name: str, image: tuple[int, int, int], classes: int, embedding: int | None = None
    ) -> onnx.ModelProto:
        """The finished, checked model: uint8 `image` N×H×W×C → float32 `probabilities` N×K.

        `embedding` is the size of the second output of that name, None without one.
        """
        sizes = {"probabilities": classes} | ({"embedding": embedding} if embedding else {})
        graph = helper.make_graph(
            self._nodes,
            name,
            [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", *image])],
            [
                helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", size])
                for output, size in sizes.items()
            ],
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


def fits_half(kernel: NDArray[np.float32]) -> bool:
    """Whether a kernel is stored as float16: large enough to gain by it, and within its range."""
    return kernel.size >= HALF_FROM and bool(np.abs(kernel).max() <= np.finfo(np.float16).max)


def renamed(value: Value, name: str, shape: tuple[int, ...] | None = None) -> Value:
    """The same kind of value under another name, and another shape if given."""
    return replace(value, name=name, shape=value.shape if shape is None else shape)
