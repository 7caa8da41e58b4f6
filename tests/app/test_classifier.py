from __future__ import annotations

import base64
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from app.card import Card, Proof, ProofImage
from app.classifier import MAX_EMBEDDING_DIM, Classifier
from app.errors import ModelRefused
from tests.app.pooled import DIM, colours_with_embedding, pooled_model
from tests.conftest import BLUE, COLOURS, RED, colour_card, colour_model, foreign_model

RED_SHARE = math.exp(2) / (math.exp(2) + 2)
OTHER_SHARE = 1 / (math.exp(2) + 2)
FOREIGN_CARD = b"""{
  "labels": ["red", "green", "blue"],
  "preprocess": {"height": 4, "width": 4, "resample": "bilinear", "layout": "squash"},
  "normalise": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "layout": "NCHW"},
  "output": "logits"
}"""


def proof(*probabilities: float, data: bytes = RED, tolerance: float = 1e-4) -> Proof:
    image = ProofImage(data=base64.b64encode(data), probabilities=list(probabilities))
    return Proof(images=[image], tolerance=tolerance)


def test_probabilities_are_the_softmax_that_one_computes_by_hand() -> None:
    classifier = Classifier(colour_model())
    batch = np.stack([classifier.pixels_from(RED), classifier.pixels_from(BLUE)])
    answer = classifier.classify(batch)
    assert answer.dtype == np.float32
    expected = [[RED_SHARE, OTHER_SHARE, OTHER_SHARE], [OTHER_SHARE, OTHER_SHARE, RED_SHARE]]
    np.testing.assert_allclose(answer, expected, atol=1e-6)


def test_a_batch_gives_what_its_images_give_alone() -> None:
    classifier = Classifier(colour_model())
    batch = np.random.default_rng(0).integers(0, 256, (33, 4, 4, 3), np.uint8)
    alone = np.concatenate([classifier.classify(image[None]) for image in batch])
    np.testing.assert_allclose(classifier.classify(batch), alone, atol=1e-6)


def test_the_version_is_the_beginning_of_the_files_sha256() -> None:
    import hashlib

    content = colour_model()
    assert Classifier(content).version == hashlib.sha256(content).hexdigest()[:12]


def test_a_model_whose_proof_holds_is_proven() -> None:
    card = colour_card(proof(RED_SHARE, OTHER_SHARE, OTHER_SHARE))
    assert Classifier(colour_model(card)).proven


def test_a_model_without_a_proof_is_served_as_unproven() -> None:
    assert not Classifier(colour_model()).proven


@pytest.mark.parametrize(
    ("difference", "holds"), [(0.9e-4, True), (1.1e-4, False), (-0.9e-4, True), (-1.1e-4, False)]
)
def test_a_proof_holds_up_to_its_tolerance(difference: float, holds: bool) -> None:
    content = colour_model(colour_card(proof(RED_SHARE + difference, OTHER_SHARE, OTHER_SHARE)))
    if holds:
        assert Classifier(content).proven
    else:
        with pytest.raises(ModelRefused, match="proof fails"):
            Classifier(content)


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        (proof(0.5, 0.5), "wrong number of classes"),
        (proof(1, 0, 0, data=b"no picture"), "cannot be read"),
        (proof(OTHER_SHARE, OTHER_SHARE, RED_SHARE), "differs by 0.68"),
    ],
)
def test_a_proof_that_cannot_hold_refuses_the_model(claim: Proof, reason: str) -> None:
    with pytest.raises(ModelRefused, match=reason):
        Classifier(colour_model(colour_card(claim)))


def test_a_model_with_other_weights_than_its_proof_was_made_with_is_refused() -> None:
    card = colour_card(proof(RED_SHARE, OTHER_SHARE, OTHER_SHARE))
    with pytest.raises(ModelRefused, match="proof fails"):
        Classifier(colour_model(card, gain=2.01))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cannot load"),
        (b"not a model", "cannot load"),
        (colour_model()[:-40], "cannot load"),
        (foreign_model(), "no card"),
    ],
)
def test_a_file_that_is_no_model_of_ours_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(ModelRefused, match=reason):
        Classifier(content)


@pytest.mark.parametrize("text", [b"colours", b"image", b"probabilities", b"Softmax"])
def test_text_that_is_not_utf8_refuses_a_model_and_says_nothing_aside(
    text: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    content = colour_model()
    assert text in content
    with pytest.raises(ModelRefused, match=r"not UTF-8|'utf-8' codec"):
        Classifier(content.replace(text, b"\xff" * len(text)))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        (colour_card(labels=["red", "green"]), "2 labels"),
        (colour_card(labels=[*COLOURS, "mauve"]), "4 labels"),
        (colour_card(preprocess={"height": 5, "width": 4}), "does not run"),
        (colour_card(preprocess={"height": 4, "width": 4, "channels": 1}), "does not run"),
        (
            colour_card(normalise={"mean": [0] * 3, "std": [1] * 3, "layout": "NHWC"}),
            r"its input is tensor\(uint8\), the card says tensor\(float\)",
        ),
    ],
)
def test_a_card_that_its_graph_contradicts_refuses_the_model(card: Card, reason: str) -> None:
    with pytest.raises(ModelRefused, match=reason):
        Classifier(colour_model(card))


def test_a_model_from_elsewhere_is_normalised_as_its_card_says() -> None:
    classifier = Classifier(foreign_model(), FOREIGN_CARD)
    assert not classifier.proven
    answer = classifier.classify(classifier.pixels_from(RED)[None])[0]
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    logits = (np.array([1.0, 0, 0]) - mean) / std
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(answer, expected, rtol=1e-5)


def test_logits_without_a_word_in_the_card_are_not_taken_for_probabilities() -> None:
    card = FOREIGN_CARD.replace(b'"logits"', b'"probabilities"')
    with pytest.raises(ModelRefused, match='must say "output": "logits"'):
        Classifier(foreign_model(), card)


def test_a_float_model_whose_card_does_not_normalise_is_refused() -> None:
    card = b'{"labels": ["a", "b", "c"], "preprocess": {"height": 4, "width": 4}}'
    with pytest.raises(ModelRefused, match="needs `normalise`"):
        Classifier(foreign_model(), card)


@pytest.mark.parametrize("place", ["weights.bin", "../weights.bin", "absolute"])
def test_a_model_that_keeps_weights_in_another_file_is_refused(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    for target in (folder / "weights.bin", tmp_path / "weights.bin"):
        target.write_bytes(np.full(3, 2 / 255, np.float32).tobytes())
    monkeypatch.chdir(folder)
    model = onnx.load_model_from_string(colour_model())
    scale = next(weight for weight in model.graph.initializer if weight.name == "scale")
    scale.CopyFrom(numpy_helper.from_array(np.full(3, 2 / 255, np.float32), "scale"))
    inside = model.SerializeToString()
    assert Classifier(inside).version  # the same model with its weights inside is fine
    scale.ClearField("raw_data")
    scale.data_location = TensorProto.EXTERNAL
    location = str(folder / "weights.bin") if place == "absolute" else place
    scale.external_data.add(key="location", value=location)
    with pytest.raises(ModelRefused, match="cannot load"):
        Classifier(model.SerializeToString())


def test_a_model_with_two_inputs_is_refused() -> None:
    card = colour_card()
    graph = helper.make_graph(
        [helper.make_node("Concat", ["image", "more"], ["probabilities"], axis=0)],
        "two",
        [
            helper.make_tensor_value_info(name, TensorProto.UINT8, ["N", 3])
            for name in ("image", "more")
        ],
        [helper.make_tensor_value_info("probabilities", TensorProto.UINT8, ["M", 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, card.to_metadata())
    with pytest.raises(ModelRefused, match="2 inputs"):
        Classifier(model.SerializeToString())


def test_reasons_are_one_line_and_name_no_file_of_this_machine() -> None:
    with pytest.raises(ModelRefused) as refused:
        Classifier(b"nonsense")
    assert len(str(refused.value).splitlines()) == 1
    assert os.getcwd() not in str(refused.value)


def test_onnx_runtime_keeps_nothing_to_tell_its_maker(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "model.onnx").write_bytes(colour_model())
    code = (
        "import sys; from pathlib import Path; from app.classifier import Classifier;"
        "Classifier(Path(sys.argv[1]).read_bytes())"
    )
    environment = {key: value for key, value in os.environ.items() if "TELEMETRY" not in key}
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home)}
    subprocess.run(
        [sys.executable, "-c", code, tmp_path / "model.onnx"],
        cwd=Path(__file__).parents[2],
        env=environment,
        check=True,
    )
    assert list(home.iterdir()) == []


def test_a_model_of_another_tool_with_an_author_is_told_how_to_get_a_card() -> None:
    model = onnx.load_model_from_string(foreign_model())
    helper.set_model_props(model, {"author": "Somebody", "description": "A network"})
    with pytest.raises(ModelRefused, match="put its card beside it"):
        Classifier(model.SerializeToString())


# --- The embedding ---


def test_a_model_without_one_has_no_dimension() -> None:
    assert Classifier(colour_model()).embedding_dim is None


def test_probabilities_are_the_same_with_and_without_the_embedding() -> None:
    classifier = Classifier(pooled_model())
    assert classifier.embedding_dim == DIM
    batch = np.random.default_rng(0).integers(0, 256, (7, 6, 8, 3), np.uint8)
    probabilities, embeddings = classifier.classify_and_embed(batch)
    assert (probabilities == classifier.classify(batch)).all()
    assert embeddings.shape == (7, DIM)
    assert embeddings.dtype == np.float32
    alone = np.concatenate([classifier.classify_and_embed(one[None])[1] for one in batch])
    assert (embeddings == alone).all()


def test_an_output_of_that_name_alone_is_the_answer_itself() -> None:
    classifier = Classifier(colour_model(output="embedding"))
    assert classifier.embedding_dim is None
    assert classifier.classify(classifier.pixels_from(RED)[None]).argmax() == 0


def test_a_model_from_elsewhere_may_have_one_wherever_it_stands_among_its_outputs() -> None:
    model = onnx.load_from_string(foreign_model())
    model.graph.node.append(helper.make_node("Neg", ["495"], ["embedding"]))
    logits = model.graph.output.pop()
    for name in ("embedding", logits.name):
        value = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3])
        model.graph.output.append(value)
    classifier = Classifier(model.SerializeToString(), FOREIGN_CARD)
    probabilities, embeddings = classifier.classify_and_embed(
        np.stack([classifier.pixels_from(RED), classifier.pixels_from(BLUE)])
    )
    assert probabilities.argmax(axis=1).tolist() == [0, 2]
    assert embeddings.argmin(axis=1).tolist() == [0, 2]


NO_EMBEDDINGS = {
    "float16": (
        [helper.make_node("Cast", ["mean"], ["embedding"], to=TensorProto.FLOAT16)],
        TensorProto.FLOAT16,
        r"its embedding is tensor\(float16\)",
    ),
    "a map": (
        [
            helper.make_node("Constant", [], ["place"], value_ints=[2, 3]),
            helper.make_node("Unsqueeze", ["mean", "place"], ["embedding"]),
        ],
        TensorProto.FLOAT,
        r"shape \(1, 3, 1, 1\) for 1 image",
    ),
    "one for all images": (
        [helper.make_node("Constant", [], ["embedding"], value_floats=[1.0, 2.0])],
        TensorProto.FLOAT,
        r"shape \(2,\) for 1 image and \(2,\) for 2",
    ),
    "one row for all images": (
        [
            helper.make_node("Constant", [], ["first"], value_ints=[0]),
            helper.make_node("ReduceMax", ["mean", "first"], ["embedding"]),
        ],
        TensorProto.FLOAT,
        r"shape \(1, 3\) for 1 image and \(1, 3\) for 2",
    ),
    "no numbers": (
        [
            helper.make_node("Constant", [], ["zero"], value_ints=[0]),
            helper.make_node("Constant", [], ["one"], value_ints=[1]),
            helper.make_node("Slice", ["mean", "zero", "zero", "one"], ["embedding"]),
        ],
        TensorProto.FLOAT,
        r"a row of 1 to 16,384 numbers",
    ),
}


@pytest.mark.parametrize("name", list(NO_EMBEDDINGS))
def test_an_output_that_is_no_vector_for_each_image_refuses_the_model(name: str) -> None:
    nodes, kind, reason = NO_EMBEDDINGS[name]
    with pytest.raises(ModelRefused, match=reason):
        Classifier(colours_with_embedding(*nodes, kind=kind, shape=()))


@pytest.mark.parametrize("dim", [MAX_EMBEDDING_DIM, MAX_EMBEDDING_DIM + 1])
def test_an_embedding_has_at_most_so_many_numbers(dim: int) -> None:
    if dim <= MAX_EMBEDDING_DIM:
        assert Classifier(pooled_model(dim=dim)).embedding_dim == dim
    else:
        with pytest.raises(ModelRefused, match="16,384"):
            Classifier(pooled_model(dim=dim))
