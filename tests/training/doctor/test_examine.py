from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from app.card import Proof, ProofImage
from app.classifier import Classifier
from tests.app.pooled import DIM, colours_with_embedding, pooled_model
from tests.app.test_classifier import FOREIGN_CARD, OTHER_SHARE, RED_SHARE
from tests.conftest import RED, colour_card, colour_model, foreign_model
from training.doctor import as_text, examine, to_json
from training.doctor.contents import Tensor, Weights

RIGHT = [RED_SHARE, OTHER_SHARE, OTHER_SHARE]


def changed(change: Callable[[ModelProto], object], content: bytes | None = None) -> bytes:
    """A model, `colour_model` if none is given, with a change in it."""
    model = onnx.load_from_string(content or colour_model())
    change(model)
    return bytes(model.SerializeToString())


def card(**changes: object) -> bytes:
    """FOREIGN_CARD, changed; None takes a fact out."""
    facts = json.loads(FOREIGN_CARD) | changes
    return json.dumps({key: one for key, one in facts.items() if one is not None}).encode()


def proven(*answers: list[float], data: bytes = RED) -> bytes:
    images = [ProofImage(data=base64.b64encode(data), probabilities=one) for one in answers]
    return colour_model(colour_card(Proof(images=images)))


def put(folder: Path, content: bytes, card_json: bytes | None = None) -> Path:
    path = folder / "net.onnx"
    path.write_bytes(content)
    if card_json is not None:
        path.with_suffix(".json").write_bytes(card_json)
    return path


# --- Changes that break a file ---


def operator(model: ModelProto) -> None:
    model.graph.node[2].op_type = "Erfc"


def extension(model: ModelProto) -> None:
    model.graph.node[2].domain = "com.acme"
    model.opset_import.append(helper.make_opsetid("com.acme", 1))


def unregistered(model: ModelProto) -> None:
    model.graph.node[2].domain = "com.acme"


def opset(model: ModelProto) -> None:
    model.opset_import[0].version = 1000


def ir_version(model: ModelProto) -> None:
    model.ir_version = 1000


def external(model: ModelProto) -> None:
    scale = model.graph.initializer[0]
    scale.ClearField("raw_data")
    scale.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "weights.bin"), ("offset", "0"), ("length", "4")):
        scale.external_data.add(key=key, value=value)


def brain_floats(model: ModelProto) -> None:
    model.graph.node[0].attribute[0].i = TensorProto.BFLOAT16
    model.graph.initializer[0].data_type = TensorProto.BFLOAT16
    model.graph.initializer[0].raw_data = b"\0\0"
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.BFLOAT16


def dangling(model: ModelProto) -> None:
    model.graph.node[2].input[0] = "nowhere"


def doubles(model: ModelProto) -> None:
    model.graph.node[0].attribute[0].i = TensorProto.DOUBLE
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.float64(0.01), "scale"))
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE


def two_inputs(model: ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("gain", TensorProto.FLOAT, []))
    model.graph.node[2].input[1] = "gain"


def sigmoid(model: ModelProto) -> None:
    model.graph.node[3].op_type = "Sigmoid"
    del model.graph.node[3].attribute[:]


def batch_of_one(model: ModelProto) -> None:
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = 1


def batch_of_four(model: ModelProto) -> None:
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = 4


def channels_first(model: ModelProto) -> None:
    """uint8, as the service sends it in N×H×W×C alone."""
    _, *sides = model.graph.input[0].type.tensor_type.shape.dim
    for side, pixels in zip(sides, (3, 4, 4), strict=True):
        side.dim_value = pixels


def no_json(model: ModelProto) -> None:
    next(one for one in model.metadata_props if one.key == "labels").value = "red, green"


FOREIGN = foreign_model()
FAULTS: dict[str, tuple[bytes, bytes | None, list[tuple[str, str]]]] = {
    "text": (b"version https://git-lfs", None, [("no ONNX file", "Git LFS")]),
    "nothing": (b"", None, [("no ONNX file", "download it again")]),
    "half a file": (colour_model()[:-40], None, [("no ONNX file", "export")]),
    "an operator that there is not": (
        changed(operator),
        None,
        [("no operator Erfc in opset 20", "another opset_version or exporter")],
    ),
    "an operator of an extension": (
        changed(extension),
        None,
        [("not ONNX's own: com.acme:Mul", "standard ones")],
    ),
    "an extension without a version": (
        changed(unregistered),
        None,
        [("not ONNX's own: com.acme:Mul", "standard ones")],
    ),
    "an opset of tomorrow": (
        changed(opset),
        None,
        [("opset is 1000; this ONNX Runtime knows opsets up to 2", "opset_version=2")],
    ),
    "a format of tomorrow": (
        changed(ir_version),
        None,
        [("IR version is 1000; .* reads versions up to 1", r"model\.ir_version = 1")],
    ),
    "weights in another file": (
        changed(external),
        None,
        [
            (
                "in other files: weights.bin",
                r'onnx\.save\(onnx\.load\("net\.onnx"\), "whole\.onnx"\)',
            )
        ],
    ),
    "numbers that no kernel takes": (
        changed(brain_floats),
        None,
        [("has no ReduceMean for numbers of the type", "float32")],
    ),
    "a tensor that nobody makes": (changed(dangling), None, [("nowhere", "check_model")]),
    "two inputs": (changed(two_inputs), None, [("2 inputs", "constants")]),
    "an answer in double": (changed(doubles), None, [(r"output is tensor\(double\)", "Cast")]),
    "no softmax": (
        changed(sigmoid),
        None,
        [("no probabilities; its last operator is Sigmoid", '"output": "logits"')],
    ),
    "an embedding in half": (
        colours_with_embedding(
            helper.make_node("Cast", ["mean"], ["embedding"], to=TensorProto.FLOAT16),
            kind=TensorProto.FLOAT16,
        ),
        None,
        [("embedding is tensor", "Cast to float32")],
    ),
    "an embedding that is no vector": (
        colours_with_embedding(
            helper.make_node("Constant", [], ["place"], value_ints=[2, 3]),
            helper.make_node("Unsqueeze", ["mean", "place"], ["embedding"]),
            shape=("N", 3, 1, 1),
        ),
        None,
        [("embedding has shape", "flatten it")],
    ),
    "a card that is no JSON": (FOREIGN, b"{", [("not JSON", "json.tool net.json")]),
    "a card that is a list": (FOREIGN, b"[1]", [("not valid", "docs/models.md")]),
    "a card without labels": (FOREIGN, card(labels=None), [("not valid: labels", "models.md")]),
    "metadata that is no JSON": (changed(no_json), None, [("'labels' is not JSON", "to_metadata")]),
    "labels more than once": (
        FOREIGN,
        card(labels=["a", "b", "a"]),
        [("labels more than once: a$", "a name of its own")],
    ),
    "too few labels": (
        FOREIGN,
        card(labels=["a", "b"]),
        [("its card has 2 labels", "a label for each class")],
    ),
    "floats without normalise": (
        FOREIGN,
        card(normalise=None),
        [("input is float32, and", '"normalise": {"mean": ')],
    ),
    "bytes with normalise": (
        colour_model(),
        card(output="probabilities"),
        [("input is uint8, and", "take `normalise` out")],
    ),
    "logits called probabilities": (
        FOREIGN,
        card(output="probabilities"),
        [("no probabilities; its last operator is ReduceMean", '"output": "logits"')],
    ),
    "probabilities called logits": (
        colour_model(colour_card(output="logits")),
        None,
        [("second softmax", '"output": "probabilities"')],
    ),
    "another size": (
        FOREIGN,
        card(preprocess={"height": 5, "width": 4}),
        [(r"does not run on \(1, 5, 4, 3\)", "batch × 3 × 4 × 4: `preprocess`")],
    ),
    "another layout": (
        FOREIGN,
        card(normalise={"mean": [0] * 3, "std": [1] * 3, "layout": "NHWC"}),
        [(r"does not run on \(1,", "`normalise` its layout")],
    ),
    "a batch of one": (
        changed(batch_of_one, FOREIGN),
        FOREIGN_CARD,
        [("not on two at once", "1 × 3 × 4 × 4; export it with a free first dimension")],
    ),
    "a batch of four": (
        changed(batch_of_four, FOREIGN),
        FOREIGN_CARD,
        [(r"does not run on \(1, 4", "4 × 3 × 4 × 4: .* first dimension must be free")],
    ),
    "bytes, channels first": (
        changed(channels_first),
        card(normalise=None, output="probabilities"),
        [(r"does not run on \(1, 4", "N × 3 × 4 × 4")],
    ),
    "a proof that fails": (proven([0.5, 0.25, 0.25]), None, [("proof fails", "export it again")]),
    "a proof of another net": (proven([0.5, 0.5]), None, [("wrong number of classes", "export")]),
    "a proof without its picture": (
        proven(RIGHT, data=b"no picture"),
        None,
        [("cannot be read", "export it again")],
    ),
    "all at once": (
        FOREIGN,
        card(
            labels=["a", "a"],
            preprocess={"height": 5, "width": 4},
            normalise=None,
            output="probabilities",
        ),
        [
            ("labels more than once", ""),
            ("input is float32", ""),
            ("does not run", ""),
            ("2 labels", ""),
            ("no probabilities", ""),
        ],
    ),
}


@pytest.mark.parametrize("name", list(FAULTS))
def test_every_fault_is_told_once_with_its_remedy(tmp_path: Path, name: str) -> None:
    content, card_json, expected = FAULTS[name]
    report = examine(put(tmp_path, content, card_json))
    assert not report.sound
    faults = [finding for finding in report.findings if finding.fault]
    assert len(faults) == len(expected)
    for finding, (what, remedy) in zip(faults, expected, strict=True):
        assert_says(finding.what, what)
        assert_says(finding.remedy, remedy)
    assert report.proposed_card is None


def assert_says(text: str, pattern: str) -> None:
    assert re.search(pattern, text), text


SOUND: dict[str, tuple[bytes, bytes | None]] = {
    "of our own": (colour_model(), None),
    "with an embedding": (pooled_model(), None),
    "from elsewhere": (foreign_model(), FOREIGN_CARD),
    "proven": (proven(RIGHT), None),
}


@pytest.mark.parametrize("name", list(SOUND))
def test_what_the_service_takes_is_sound(tmp_path: Path, name: str) -> None:
    content, card_json = SOUND[name]
    report = examine(put(tmp_path, content, card_json))
    assert report.sound
    assert report.card is not None
    assert report.card_is_beside == (card_json is not None)
    notes = [finding.what for finding in report.findings]
    assert [note.startswith("it has no proof") for note in notes] == [True] * (name != "proven")


@pytest.mark.parametrize("name", [*SOUND, *FAULTS])
def test_sound_is_what_the_service_takes_and_no_other(tmp_path: Path, name: str) -> None:
    """But for a second softmax, which the service cannot know of."""
    content, card_json, *_ = (SOUND | FAULTS)[name]
    try:
        Classifier(content, card_json)
        taken = name != "probabilities called logits"
    except Exception:
        taken = False
    assert examine(put(tmp_path, content, card_json)).sound == taken


def test_a_file_that_is_not_there_is_a_finding_too(tmp_path: Path) -> None:
    report = examine(tmp_path / "none.onnx")
    assert not report.sound
    assert report.findings[0].what == "it cannot be read: No such file or directory"


@pytest.mark.parametrize("path", [".", "/"])
def test_a_folder_without_a_name_is_told_like_others(path: str) -> None:
    (finding,) = examine(Path(path)).findings
    assert finding.what == "it cannot be read: Is a directory"


def test_it_is_said_which_of_the_two_files_cannot_be_read(tmp_path: Path) -> None:
    path = put(tmp_path, colour_model())
    path.with_suffix(".json").mkdir()
    (finding,) = examine(path).findings
    assert finding.what == "net.json, the card beside it, cannot be read: Is a directory"


def test_the_card_that_is_named_is_the_one_that_is_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "net.pb"
    path.write_bytes(foreign_model())
    report = examine(path)
    assert "net.json" in report.findings[0].remedy
    assert "net.json could be" in as_text(report)


def test_a_card_in_the_file_and_one_beside_it_are_remarked(tmp_path: Path) -> None:
    beside = colour_card(labels=["x", "y", "z"]).model_dump_json().encode()
    report = examine(put(tmp_path, colour_model(), beside))
    assert report.sound
    assert report.card is not None
    assert report.card.labels == ["x", "y", "z"]
    assert report.findings[0].what == "net.json takes the place of the card in the file"


# --- The proof ---


@pytest.mark.parametrize(("difference", "sound"), [(5e-5, True), (0.125, False)])
def test_the_largest_difference_of_each_picture_of_the_proof_is_told(
    tmp_path: Path, difference: float, sound: bool
) -> None:
    off = [RED_SHARE, OTHER_SHARE - difference, OTHER_SHARE]
    report = examine(put(tmp_path, proven(RIGHT, off)))
    assert report.sound is sound
    assert report.proof_differences == pytest.approx([0, difference], abs=1e-6)


def test_pictures_that_cannot_be_replayed_have_no_difference(tmp_path: Path) -> None:
    assert examine(put(tmp_path, proven([0.5, 0.5]))).proof_differences == []
    assert examine(put(tmp_path, proven(RIGHT, data=b"none"))).proof_differences == []


# --- The card that is proposed ---


def unnamed(
    shape: list[int | str], axes: list[int], kind: int = TensorProto.FLOAT, classes: int = 4
) -> bytes:
    """Means over these axes as logits: a model without a card."""
    nodes = [
        helper.make_node("Cast", ["x"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["y"]),
    ]
    channels = int(next(one for at, one in enumerate(shape) if at and at not in axes))
    weights = np.ones((channels, classes), np.float32)
    graph = helper.make_graph(
        nodes,
        "unnamed",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [shape[0], classes])],
        [
            numpy_helper.from_array(np.array(axes), "axes"),
            numpy_helper.from_array(weights, "weights"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString())


SHAPES: dict[str, tuple[bytes, tuple[int, int, int], str | None]] = {
    "NCHW": (unnamed(["N", 3, 32, 48], [2, 3]), (32, 48, 3), "NCHW"),
    "NHWC": (unnamed(["N", 32, 48, 3], [1, 2]), (32, 48, 3), "NHWC"),
    "grey NCHW": (unnamed(["N", 1, 28, 28], [2, 3]), (28, 28, 1), "NCHW"),
    "grey NHWC": (unnamed(["N", 28, 28, 1], [1, 2]), (28, 28, 1), "NHWC"),
    "free sides": (unnamed(["N", 3, "height", "width"], [2, 3]), (224, 224, 3), "NCHW"),
    "bytes": (unnamed(["N", 32, 48, 3], [1, 2], TensorProto.UINT8), (32, 48, 3), None),
}


@pytest.mark.parametrize("name", list(SHAPES))
def test_a_file_without_a_card_gets_one_proposed_with_which_it_is_sound(
    tmp_path: Path, name: str
) -> None:
    content, size, layout = SHAPES[name]
    path = put(tmp_path, content)
    report = examine(path)
    assert [one.what[:14] for one in report.findings] == ["it has no card", "its answers ar"]
    proposed = report.proposed_card
    assert proposed is not None
    wanted = proposed["preprocess"]
    assert (wanted["height"], wanted["width"], wanted["channels"]) == size
    assert proposed["labels"] == [f"class {number}" for number in range(4)]
    assert proposed["output"] == "logits"
    assert (proposed.get("normalise") or {}).get("layout") == layout
    path.with_suffix(".json").write_text(json.dumps(proposed))
    assert examine(path).sound


def test_where_no_image_goes_in_no_card_is_proposed(tmp_path: Path) -> None:
    content = changed(lambda model: model.ClearField("metadata_props"))
    graph = onnx.load_from_string(content)
    graph.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 7
    report = examine(put(tmp_path, graph.SerializeToString()))
    assert report.proposed_card is None
    assert [one.what[:14] for one in report.findings] == ["it has no card"]


def test_a_fault_that_no_card_helps_is_told_beside_the_proposal(tmp_path: Path) -> None:
    report = examine(put(tmp_path, changed(batch_of_one, FOREIGN)))
    assert [one.what[:10] for one in report.findings] == ["it has no ", "its answer", "it runs on"]
    assert report.proposed_card is not None
    assert "output" in report.proposed_card


# --- Remedies that can be carried out here ---


def test_the_remedy_for_weights_in_another_file_works(tmp_path: Path) -> None:
    path = put(tmp_path, changed(external))
    (tmp_path / "weights.bin").write_bytes(np.float32(2 / 255).tobytes())
    (fault, _) = examine(path).findings
    code = "import onnx; " + fault.remedy.partition(": ")[2]
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert examine(tmp_path / "whole.onnx").sound


def test_the_highest_opset_and_ir_version_that_are_named_do_load(tmp_path: Path) -> None:
    for change, fact in ((opset, "opset_version="), (ir_version, "ir_version = ")):
        remedy = examine(put(tmp_path, changed(change))).findings[0].remedy
        number = int(remedy.partition(fact)[2].split()[0].rstrip(";"))
        model = onnx.load_from_string(changed(change))
        if change is opset:
            model.opset_import[0].version = number
        else:
            model.ir_version = number
        assert examine(put(tmp_path, model.SerializeToString())).sound


@given(at=st.integers(0, len(pooled_model()) - 1), byte=st.integers(0, 255), cut=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_to_a_file_makes_it_raise(tmp_path: Path, at: int, byte: int, cut: bool) -> None:
    content = bytearray(pooled_model())
    content[at : None if cut else at + 1] = bytes([byte])
    report = examine(put(tmp_path, bytes(content)))
    assert as_text(report)
    assert to_json([report])


# --- What is in it ---


def test_what_is_in_a_file_is_counted(tmp_path: Path) -> None:
    report = examine(put(tmp_path, pooled_model()))
    found = report.contents
    assert found is not None
    assert (found.ir_version, found.opsets) == (10, {"ai.onnx": 20})
    assert found.inputs == [Tensor("image", "uint8", ["N", 6, 8, 3])]
    assert found.outputs == [
        Tensor("probabilities", "float32", ["N", 3]),
        Tensor("embedding", "float32", ["N", DIM]),
    ]
    assert sum(found.operators.values()) == 8
    assert found.operators["Conv"] == 1
    assert found.weights == {"float32": Weights(DIM * 27 + DIM * 3, 4 * (DIM * 27 + DIM * 3))}
    assert report.embedding_dim == DIM
    assert report.bytes == len(pooled_model())
