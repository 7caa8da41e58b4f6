from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto

from app.inside.explain import explain
from app.inside.head import path_to, path_to_map, split, tensors_on
from app.inside.network import Network
from tests.app.inside import nets


def network_of(model: bytes) -> Network:
    return nets.opened(model)[1].network


def test_the_walk_ends_at_the_last_map_and_goes_on_when_it_is_asked_to() -> None:
    network = network_of(nets.gap_net())
    path = path_to_map(network)
    assert path is not None
    assert [node.op for node in path] == ["Gemm", "Flatten", "GlobalAveragePool"]
    further = path_to(network, "c1")
    assert further is not None
    ops = ["Relu", "Conv", "MaxPool", "Relu", "BatchNormalization"]
    assert [node.op for node in further[3:]] == ops
    assert path_to(network, "nowhere") is None
    assert path_to(network, "flat") is None


@pytest.mark.parametrize("tensor", ["r2", "c2", "p1", "r1", "bn", "c1", "scaled"])
def test_at_every_tensor_on_the_way_the_parts_add_up(tensor: str) -> None:
    classifier, inside = nets.opened(nets.gap_net())
    network, pixels = inside.network, nets.picture(classifier)
    path = path_to(network, tensor)
    assert path is not None
    tensors = inside.run(pixels, tensors_on(network, path))
    for index in range(3):
        found = split(network, path, tensors, index)
        assert found is not None
        assert found.tensor == tensor
        assert found.logit == tensors["out"][0, index]
        assert found.parts.sum() + found.rest == pytest.approx(found.logit, abs=1e-4)


def test_a_walk_that_does_not_come_out_is_not_offered() -> None:
    """Whole numbers drop what is behind the point, which no weight can say."""
    one = nets.Built(10)
    value = nets.pixels_in(one)
    value = one.node("Conv", [value, one.weight("k1", 4, 3, 3, 3), one.weight("b1", 4)], "c1")
    value = one.node("GlobalAveragePool", [value], "gap")
    value = one.node("Flatten", [value], "flat")
    value = one.node("Cast", [value], "whole", to=TensorProto.INT32)
    value = one.node("Cast", [value], "again", to=TensorProto.FLOAT)
    value = one.node("Gemm", [value, one.weight("k2", 4, 3), one.weight("b2", 3)], "out")
    one.node("Softmax", [value], "probabilities")
    card = nets.card_of(*nets.SIDES)
    model = one.model(("image", TensorProto.UINT8, ["N", *nets.SIDES, 3]), "probabilities", 3, card)
    classifier, inside = nets.opened(model)
    assert path_to_map(inside.network) is not None
    answer = explain(classifier, inside, nets.picture(classifier), None, "auto")
    assert answer["methods"] == ["occlusion"]


def test_a_convolution_behind_the_head_needs_no_way_further_than_it_can_go() -> None:
    network = network_of(nets.residual_net())
    assert path_to(network, "sum") is not None
    assert path_to(network, "c1") is None
    assert path_to(network, "c2") is None


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("MAX_MULTIPLY_ADDS", 6 * 5 * 5 * 6 * 9 + 6 * 8 * 7 + 6 * 5 * 6 * 4 + 6 * 12 * 10),
        ("MAX_WEIGHTS", 3 * 5 + 3 + 5 * 6 * 9 + 5),
        ("MAX_ACTIVATIONS", 5 + 5 + 5 * 6 * 5 + 5 * 6 * 5 + 6 * 6 * 5 + 6 * 12 * 10),
        ("MAX_PLACES", 9),
        ("MAX_NODES", 6),
    ],
)
def test_the_work_of_a_walk_is_bounded(
    limit: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = network_of(nets.gap_net())
    monkeypatch.setattr(f"app.inside.head.{limit}", value)
    assert path_to(network, "r1") is not None
    monkeypatch.setattr(f"app.inside.head.{limit}", value - 1)
    assert path_to(network, "r1") is None


def test_a_network_without_logits_has_no_way_back() -> None:
    one = nets.Built(12)
    one.node("Cast", ["image"], "float", to=TensorProto.FLOAT)
    one.node("ReduceMean", ["float", one.constant("axes", np.array([1, 2]))], "mean", keepdims=0)
    one.node("Softmax", ["mean"], "soft")
    one.node("Add", ["soft", one.constant("none", np.zeros(3, np.float32))], "probabilities")
    card = nets.card_of(*nets.SIDES)
    model = one.model(("image", TensorProto.UINT8, ["N", *nets.SIDES, 3]), "probabilities", 3, card)
    classifier, inside = nets.opened(model)
    assert inside.network.logits is None
    answer = explain(classifier, inside, nets.picture(classifier), None, "auto")
    assert answer["methods"] == ["occlusion"]
