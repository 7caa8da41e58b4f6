"""Small networks of every kind that is looked into, with weights that are the same on every run."""

from __future__ import annotations

import json

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from app.card import Card
from app.classifier import Classifier
from app.inside.session import Inside
from app.preprocess import Preprocess

LABELS = ["cat", "dog", "고양이"]
SIDES = (12, 10)  # height, width
FOREIGN_CARD = json.dumps(
    {
        "labels": LABELS,
        "preprocess": {"height": 12, "width": 10},
        "normalise": {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25], "layout": "NCHW"},
        "output": "logits",
    }
).encode()


class Built:
    """Collects nodes and weights; every node's name is its output's."""

    def __init__(self, seed: int) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.random = np.random.default_rng(seed)

    def node(self, op: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def weight(self, name: str, *shape: int, dtype: type = np.float32) -> str:
        return self.constant(name, (self.random.standard_normal(shape) * 0.5).astype(dtype))

    def constant(self, name: str, values: NDArray[np.generic]) -> str:
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def model(
        self,
        image: tuple[str, int, list[str | int]],
        output: str,
        classes: int,
        card: Card | None,
        shaped: bool = True,
    ) -> bytes:
        shape = ["N", classes] if shaped else None
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info(*image)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
            self.weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        if card is not None:
            helper.set_model_props(model, card.to_metadata())
        if shaped:
            onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def card_of(height: int, width: int, labels: list[str] = LABELS, channels: int = 3) -> Card:
    preprocess = Preprocess(height, width, channels)  # type: ignore[arg-type]
    return Card(name="net", labels=labels, preprocess=preprocess)


def pixels_in(built: Built) -> str:
    built.node("Transpose", ["image"], "first", perm=[0, 3, 1, 2])
    built.node("Cast", ["first"], "float", to=TensorProto.FLOAT)
    return built.node(
        "Mul", ["float", built.constant("f", np.array([1 / 255], np.float32))], "scaled"
    )


def gap_net() -> bytes:
    """Two convolutions, the second with weights in float16, and a head behind global pooling."""
    one = Built(1)
    value = pixels_in(one)
    value = one.node(
        "Conv", [value, one.weight("k1", 6, 3, 3, 3), one.weight("b1", 6)], "c1", pads=[1, 1, 1, 1]
    )
    scale = one.constant("scale", np.array([1, 2, 0.5, 1, -1, 1], np.float32))
    variance = one.constant("variance", np.array([1, 2, 3, 4, 5, 6], np.float32))
    value = one.node(
        "BatchNormalization", [value, scale, one.weight("s", 6), one.weight("m", 6), variance], "bn"
    )
    value = one.node("Relu", [value], "r1")
    value = one.node("MaxPool", [value], "p1", kernel_shape=[2, 2], strides=[2, 2])
    half = one.weight("k2/half", 5, 6, 3, 3, dtype=np.float16)
    kernel = one.node("Cast", [half], "k2", to=TensorProto.FLOAT)
    value = one.node("Conv", [value, kernel, one.weight("b2", 5)], "c2", pads=[1, 1, 1, 1])
    value = one.node("Relu", [value], "r2")
    value = one.node("GlobalAveragePool", [value], "gap")
    value = one.node("Flatten", [value], "flat")
    value = one.node("Gemm", [value, one.weight("k3", 3, 5), one.weight("b3", 3)], "out", transB=1)
    one.node("Softmax", [value], "probabilities")
    return one.model(
        ("image", TensorProto.UINT8, ["N", *SIDES, 3]), "probabilities", 3, card_of(*SIDES)
    )


def foreign_net(head: str = "mean") -> bytes:
    """float NCHW in, logits out, no card: groups, dilation, odd padding, ReLU6, a bias by Add.

    `head` is mean (of all cells), max, or flat.
    """
    one = Built(2)
    value = one.node(
        "Conv",
        ["input", one.weight("k1", 6, 3, 3, 3), one.weight("b1", 6)],
        "c1",
        pads=[2, 1, 2, 1],
        dilations=[2, 1],
    )
    bounds = [
        one.constant("low", np.array(0, np.float32)),
        one.constant("high", np.array(1, np.float32)),
    ]
    value = one.node("Clip", [value, *bounds], "relu6")
    value = one.node("Conv", [value, one.weight("k2", 6, 1, 3, 3)], "dw", group=6, pads=[1] * 4)
    value = one.node("LeakyRelu", [value], "leaky", alpha=0.1)
    value = one.node(
        "AveragePool",
        [value],
        "p2",
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[1, 1, 1, 1],
        count_include_pad=1,
    )
    value = one.node("Conv", [value, one.weight("k3", 4, 3, 1, 1)], "c3", group=2)
    value = one.node("Relu", [value], "r3")
    value = one.node("MaxPool", [value], "p3", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    size = 4
    if head == "mean":
        axes = one.constant("axes", np.array([2, 3]))
        value = one.node("ReduceMean", [value, axes], "gap", keepdims=0)
    elif head == "max":
        value = one.node("GlobalMaxPool", [value], "gmp")
        value = one.node("Reshape", [value, one.constant("to", np.array([0, -1]))], "gap")
    else:
        value = one.node("Reshape", [value, one.constant("to", np.array([0, -1]))], "flat")
        size = 36
    value = one.node("MatMul", [value, one.weight("k4", size, 3)], "product")
    one.node("Add", [value, one.weight("b4", 3)], "output")
    return one.model(("input", TensorProto.FLOAT, ["N", 3, *SIDES]), "output", 3, None)


def residual_net() -> bytes:
    """A branch around a convolution: where both meet, no single way leads further back."""
    one = Built(3)
    value = pixels_in(one)
    value = one.node("Conv", [value, one.weight("k1", 4, 3, 3, 3)], "c1", pads=[1] * 4)
    branch = one.node("Conv", [value, one.weight("k2", 4, 4, 3, 3)], "c2", pads=[1] * 4)
    value = one.node("Add", [value, branch], "sum")
    value = one.node("Relu", [value], "r")
    value = one.node("GlobalAveragePool", [value], "gap")
    value = one.node("Flatten", [value], "flat")
    value = one.node("Gemm", [value, one.weight("k3", 4, 3), one.weight("b3", 3)], "out")
    one.node("Softmax", [value], "probabilities")
    return one.model(
        ("image", TensorProto.UINT8, ["N", *SIDES, 3]), "probabilities", 3, card_of(*SIDES)
    )


def opaque_head_net() -> bytes:
    """A head with an activation that is not straight: no exact method fits."""
    one = Built(4)
    value = pixels_in(one)
    value = one.node("Conv", [value, one.weight("k1", 4, 3, 3, 3)], "c1")
    value = one.node("Flatten", [value], "flat")
    value = one.node("Gemm", [value, one.weight("k2", 320, 4), one.weight("b2", 4)], "hidden")
    value = one.node("Tanh", [value], "tanh")
    value = one.node("Gemm", [value, one.weight("k3", 4, 3), one.weight("b3", 3)], "out")
    one.node("Softmax", [value], "probabilities")
    return one.model(
        ("image", TensorProto.UINT8, ["N", *SIDES, 3]), "probabilities", 3, card_of(*SIDES)
    )


def patch_net(head: str) -> bytes:
    """16 × 16 grey; the score of `there` is the brightness of rows 8–11, columns 4–7, alone.

    `head` is flat or pooled; pooled it is the brightness wherever it is, so that the picture has
    to have it there.
    """
    one = Built(5)
    value = pixels_in(one)
    ones = one.constant("k1", np.ones((1, 1, 1, 1), np.float32))
    value = one.node("Conv", [value, ones], "c1")
    value = one.node("Relu", [value], "r1")
    if head == "flat":
        weights: NDArray[np.float32] = np.zeros((16, 16, 2), np.float32)
        weights[8:12, 4:8, 1] = 0.5
        value = one.node("Flatten", [value], "flat")
    else:
        value = one.node("GlobalAveragePool", [value], "gap")
        value = one.node("Flatten", [value], "flat")
        weights = np.array([[0, 128]], np.float32)
    bias = one.constant("b2", np.array([0, -4], np.float32))
    value = one.node("Gemm", [value, one.constant("k2", weights.reshape(-1, 2)), bias], "out")
    one.node("Softmax", [value], "probabilities")
    card = card_of(16, 16, ["elsewhere", "there"], 1)
    return one.model(("image", TensorProto.UINT8, ["N", 16, 16, 1]), "probabilities", 2, card)


def patch_pixels() -> NDArray[np.uint8]:
    pixels = np.zeros((16, 16, 1), np.uint8)
    pixels[8:12, 4:8] = 255
    return pixels


def opened(model: bytes, card_json: bytes | None = None) -> tuple[Classifier, Inside]:
    classifier = Classifier(model, card_json)
    return classifier, Inside(model, classifier.card)


def picture(classifier: Classifier, seed: int = 0) -> NDArray[np.uint8]:
    preprocess = classifier.card.preprocess
    shape = (preprocess.height, preprocess.width, preprocess.channels)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
