from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from app.card import Layer
from app.errors import NotReady, OpaqueModel
from app.inside.session import KEPT, Inside, Insides
from tests.app.inside import nets
from tests.conftest import colour_card, colour_model, foreign_model

GIB = 1024**3
FOREIGN = json.dumps(
    {
        "labels": ["red", "green", "blue"],
        "preprocess": {"height": 4, "width": 4},
        "normalise": {"mean": [0, 0, 0], "std": [1, 1, 1], "layout": "NCHW"},
        "output": "logits",
    }
).encode()


def test_the_inside_session_computes_what_the_serving_session_does() -> None:
    for model, card in [(nets.gap_net(), None), (nets.foreign_net(), nets.FOREIGN_CARD)]:
        classifier, inside = nets.opened(model, card)
        pixels = nets.picture(classifier)
        assert inside.network.logits is not None
        logits = inside.run(pixels, [inside.network.logits])[inside.network.logits]
        exponents = np.exp(logits - logits.max())
        served = classifier.classify(pixels[None])
        assert np.allclose(exponents / exponents.sum(), served, atol=1e-6)


def test_a_foreign_file_without_a_card_of_layers_can_be_looked_into() -> None:
    classifier, inside = nets.opened(foreign_model(), FOREIGN)
    assert [one.name for one in inside.layers] == ["495"]
    pixels = nets.picture(classifier)
    found = inside.run(pixels, ["495"])["495"]
    assert found[0] == pytest.approx(pixels.mean(axis=(0, 1)) / 255, abs=1e-6)


def test_the_image_itself_can_be_asked_for_and_nothing_is_nothing() -> None:
    classifier, inside = nets.opened(nets.foreign_net(), nets.FOREIGN_CARD)
    pixels = nets.picture(classifier)
    found = inside.run(pixels, ["input", "input", "c1"])
    assert found["input"].shape == (1, 3, 12, 10)
    assert list(found) == ["input", "c1"]
    assert list(inside.run(pixels, [])) == ["input"]


def folder_of(tmp_path: Path, *names: str) -> Path:
    for name in names:
        (tmp_path / f"{name}.onnx").write_bytes(colour_model(colour_card(name=name)))
    return tmp_path


def version_of(folder: Path, name: str) -> str:
    classifier, _ = nets.opened((folder / f"{name}.onnx").read_bytes())
    return classifier.version


def test_a_model_is_loaded_once_and_the_last_two_are_kept(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "a", "b", "c")
    insides = Insides(folder, 2 * GIB)

    def get(name: str) -> Inside:
        return insides.get(name, version_of(folder, name), colour_card())

    assert KEPT == 2
    a, b = get("a"), get("b")
    assert get("a") is a
    get("c")  # b was asked for longest ago
    assert get("a") is a
    assert get("b") is not b


def test_a_file_that_is_no_longer_the_one_in_service_is_not_looked_into(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "a")
    insides = Insides(folder, 2 * GIB)
    version = version_of(folder, "a")
    insides.get("a", version, colour_card())
    (folder / "a.onnx").write_bytes(colour_model(gain=3))
    with pytest.raises(NotReady, match="just changed"):
        insides.get("a", "another", colour_card())
    changed = version_of(folder, "a")
    assert changed != version
    assert insides.get("a", changed, colour_card())
    (folder / "a.onnx").unlink()
    with pytest.raises(NotReady, match="gone"):
        insides.get("a", version, colour_card())


def test_a_model_that_asks_for_more_memory_than_it_may_is_not_looked_into(
    tmp_path: Path,
) -> None:
    one = nets.Built(8)
    one.node("Cast", ["image"], "float", to=TensorProto.FLOAT)
    repeats = one.constant("repeats", np.array([1, 1 << 11, 1 << 11, 1]))
    one.node("Tile", ["float", repeats], "much")  # 768 MiB
    one.node("ReduceMean", ["much", one.constant("axes", np.array([1, 2]))], "output", keepdims=0)
    model = one.model(("image", TensorProto.UINT8, ["N", 4, 4, 3]), "output", 3, None)
    (tmp_path / "greedy.onnx").write_bytes(model)
    version = hashlib.sha256(model).hexdigest()[:12]
    layer = Layer(name="output", type="Mean", tensor="output", output_shape=[3])
    with pytest.raises(OpaqueModel, match="does not run"):
        Insides(tmp_path, 1 << 29).get("greedy", version, colour_card(layers=[layer]))
    with pytest.raises(OpaqueModel, match="numbers for one image"):
        Insides(tmp_path, 4 << 30).get("greedy", version, colour_card())


def test_a_file_that_cannot_be_read_is_opaque(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"no model")
    version = hashlib.sha256(b"no model").hexdigest()[:12]
    with pytest.raises(OpaqueModel):
        Insides(tmp_path, 2 * GIB).get("a", version, colour_card())


def test_a_card_that_changes_beside_the_same_file_is_another_inside(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "a")
    insides, version = Insides(folder, 2 * GIB), version_of(folder, "a")
    first = insides.get("a", version, colour_card())
    assert insides.get("a", version, colour_card()) is first
    assert insides.get("a", version, colour_card(labels=["x", "y", "z"])) is not first


def test_layers_of_more_numbers_than_can_be_shown_are_opaque(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = nets.residual_net()
    card = nets.card_of(*nets.SIDES)
    _, inside = nets.opened(model)
    shapes = [inside.network.shapes[one.tensor] for one in inside.layers if one.tensor]
    numbers = sum(int(np.prod(shape)) for shape in shapes)
    monkeypatch.setattr("app.inside.session.MAX_NUMBERS", numbers)
    Inside(model, card)
    monkeypatch.setattr("app.inside.session.MAX_NUMBERS", numbers - 1)
    with pytest.raises(OpaqueModel, match=f"have {numbers} numbers"):
        Inside(model, card)
