"""The networks of the service benchmark, each written twice with the same weights.

    python -m benchmarks.networks FOLDER

`FOLDER/NAME.onnx` is Convolu's own form: uint8 pixels, normalised in the graph, card in the file.
`FOLDER/plain/NAME.onnx` is what a tutorial serves: float32 pixels from 0 to 1, no metadata; it lies
in a folder of its own so that Convolu does not load it. The MNIST networks are the ones that ship;
the others have random weights, which cost as much time as trained ones. Knows nothing of servers.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from app.card import Card
from app.preprocess import Preprocess
from benchmarks.layers import Layers, cifar10_simple, mobilenetv2

SHIPPED = ("mnist-1conv", "mnist-2conv")
MODELS = Path(__file__).parents[1] / "models"
HEAD = ["Transpose", "Cast", "Mul"]  # uint8 N×H×W×C → float32 N×C×H×W from 0 to 1
# Known sizes: 3,692,938 is Keras' own count; MobileNetV2 has 3,504,872 trainable ones, of which
# folding a batch normalisation into its convolution saves one for each of 17,056 channels.
PARAMETERS = {"cifar10-simple": 3_692_938, "mobilenetv2": 3_504_872 - 17_056}


def write_networks(folder: Path) -> None:
    """Write each network as `NAME.onnx` and as `plain/NAME.onnx`."""
    contents = {name: (MODELS / f"{name}.onnx").read_bytes() for name in SHIPPED}
    contents["cifar10-simple"] = _random("cifar10-simple", cifar10_simple(), side=32, classes=10)
    contents["mobilenetv2"] = _random("mobilenetv2", mobilenetv2(), side=224, classes=1000)
    (folder / "plain").mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.onnx").write_bytes(content)
        (folder / "plain" / f"{name}.onnx").write_bytes(plain(content))


def plain(content: bytes) -> bytes:
    """The same network as a tutorial would have it: the caller divides by 255, nothing is said."""
    model = onnx.load_from_string(content)
    graph = model.graph
    transpose, _, scale = graph.node[:3]
    assert [node.op_type for node in graph.node[:3]] == HEAD
    factor = next(weight for weight in graph.initializer if weight.name == scale.input[1])
    assert np.all(numpy_helper.to_array(factor) == np.float32(1 / 255))
    transpose.output[0] = scale.output[0]
    del graph.node[1:3]
    graph.initializer.remove(factor)
    graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    del model.metadata_props[:]
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _random(name: str, layers: Layers, side: int, classes: int) -> bytes:
    assert layers.parameters == PARAMETERS[name], f"{name} has {layers.parameters} parameters"
    model = layers.graph.model(name, (side, side, 3), classes)
    card = Card(
        name=name,
        description="Random weights, for measuring alone.",
        labels=[str(number) for number in range(classes)],
        preprocess=Preprocess(side, side, channels=3, layout="squash", resample="bilinear"),
    )
    helper.set_model_props(model, card.to_metadata())
    return bytes(model.SerializeToString())


if __name__ == "__main__":
    write_networks(Path(sys.argv[1]))
