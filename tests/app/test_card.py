"""Cards: what is written into a model file is read back; of a wrong one, it is said where."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from app.card import (
    CARD_VERSION,
    Card,
    Dataset,
    Epoch,
    Layer,
    Metrics,
    Normalise,
    Proof,
    ProofImage,
    Published,
    card_from_json,
    card_from_metadata,
)
from app.errors import ModelRefused
from app.preprocess import Preprocess
from tests.conftest import GREEN, RED, colour_card

SMALLEST: dict[str, Any] = {"labels": ["a", "b"], "preprocess": {"height": 4, "width": 4}}
GREY_PREPROCESS = {"height": 4, "width": 4, "channels": 1}
IMAGES = [{"data": "QQ==", "probabilities": [1.0]}]  # of a proof


def full_card() -> Card:
    return Card(
        name="grüne Ziffern\n»7«",
        description='Says "which".\nSecond line. 日本 🐈 {"not": "JSON"}',
        license="Apache-2.0",
        author="123",  # text that happens to be JSON stays text
        labels=["zero", "één", '"two"', "3", "null"],
        preprocess=Preprocess(28, 24, 1, "digit", "lanczos", (1, 2, 3)),
        layers=[
            Layer(
                name="conv2d",
                type="Conv2D",
                tensor="relu_0",
                output_shape=[26, 22, 32],
                window=[3, 3],
                strides=[1, 1],
                dilation=[1, 1],
                padding="valid",
                activation="relu",
                parameters=320,
                multiply_adds=164_736,
                receptive_field=[3, 3],
            ),
            Layer(name="flatten", type="Flatten", tensor=None, output_shape=[18_304]),
        ],
        metrics=Metrics(
            accuracy=0.9902,
            accuracy_interval=(0.1 + 0.2, 1 / 3),  # floats of many digits
            images=10_000,
            per_class_accuracy={"zero": 1.0, "één": 0.5},
            calibration_error=1e-12,
            measured_on="test images as PNG",
            seed_accuracies={"1": 0.99, "2": 0.98},
        ),
        confusion=[[5, 0, 0, 0, 1]] * 5,
        history=[
            Epoch(loss=1.5, accuracy=0.25),
            Epoch(loss=1 / 3, accuracy=0.5, validation_accuracy=0.4),
        ],
        dataset=Dataset(name="mnist", sha256="0" * 64),
        recipe={"epochs": 12, "rate": 1e-3, "augment": {"shift": [1, 2]}, "note": None, "on": True},
        made_with={"keras": "3.14.0", "python": "3.11"},
        proof=Proof(
            tolerance=0.001,
            images=[
                ProofImage(data=base64.b64encode(data), probabilities=[0.1, 0.9])
                for data in (RED, GREEN, bytes(range(256)) * 3)
            ],
        ),
        normalise=Normalise(mean=[0.1307], std=[0.3081], layout="NHWC"),
        output="logits",
    )


def refusal(facts: Mapping[str, object] | str | bytes) -> str:
    """What is said of a card beside a model; always one line, and no link to pydantic's pages."""
    text = facts if isinstance(facts, str | bytes) else json.dumps(facts)
    with pytest.raises(ModelRefused) as caught:
        card_from_json(text)
    return checked(str(caught.value))


def refusal_of_metadata(metadata: Mapping[str, str]) -> str:
    with pytest.raises(ModelRefused) as caught:
        card_from_metadata(metadata)
    return checked(str(caught.value))


def checked(message: str) -> str:
    assert message
    assert message.splitlines() == [message]
    assert "http" not in message
    assert "pydantic" not in message
    return message


def changed(**facts: object) -> dict[str, object]:
    return SMALLEST | facts


def preprocess(**facts: object) -> dict[str, object]:
    return changed(preprocess={"height": 4, "width": 4} | facts)


def normalise(**facts: object) -> dict[str, object]:
    three = {"mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2], "layout": "NCHW"}
    return changed(normalise=three | facts)


# --- There and back ---


@pytest.mark.parametrize(
    "card",
    [full_card(), Card.model_validate(SMALLEST), colour_card()],
    ids=["full", "smallest", "colours"],
)
def test_a_card_comes_back_from_metadata_as_it_was(card: Card) -> None:
    metadata = card.to_metadata()
    assert all(isinstance(value, str) for value in metadata.values())
    assert card_from_metadata(metadata) == card


def test_a_card_comes_back_from_json_as_it_was() -> None:
    card = full_card()
    assert card_from_json(card.model_dump_json()) == card
    assert card_from_json(card.model_dump_json().encode()) == card


def test_the_smallest_card_needs_labels_and_preprocess_alone() -> None:
    card = card_from_json(json.dumps(SMALLEST))
    assert card.labels == ["a", "b"]
    assert card.preprocess == Preprocess(4, 4, 3, "squash", "bilinear", (255, 255, 255))
    assert card.output == "probabilities"
    assert card.proof is None
    assert set(card.to_metadata()) == {"card_version", "labels", "preprocess"}


def test_metadata_is_text_where_it_is_text_and_json_where_it_has_structure() -> None:
    metadata = full_card().to_metadata()
    assert metadata["name"] == "grüne Ziffern\n»7«"
    assert metadata["author"] == "123"
    assert metadata["output"] == "logits"
    assert metadata["card_version"] == str(CARD_VERSION)
    assert metadata["labels"] == '["zero", "één", "\\"two\\"", "3", "null"]'
    assert json.loads(metadata["dataset"]) == {"name": "mnist", "sha256": "0" * 64}


def test_the_pictures_of_the_proof_come_back_to_the_byte() -> None:
    proof = card_from_metadata(full_card().to_metadata()).proof
    assert proof is not None
    assert [image.data for image in proof.images] == [RED, GREEN, bytes(range(256)) * 3]


texts = st.text("aß日🐈\n\"'{}[],:\\ \x00", max_size=8)


@settings(max_examples=80, deadline=None, database=None)
@given(
    texts_=st.tuples(texts, texts, texts, texts),
    labels=st.lists(texts, min_size=2, max_size=5, unique=True),
    size=st.tuples(st.integers(1, 4096), st.integers(1, 4096)),
    channels=st.sampled_from((1, 3)),
    tolerance=st.floats(1e-12, 0.999),
    data=st.binary(max_size=200),
    probabilities=st.lists(st.floats(0, 1), max_size=4),
)
def test_any_card_comes_back_as_it_was(
    texts_: tuple[str, str, str, str],
    labels: list[str],
    size: tuple[int, int],
    channels: Literal[1, 3],
    tolerance: float,
    data: bytes,
    probabilities: list[float],
) -> None:
    name, description, licence, author = texts_
    image = ProofImage(data=base64.b64encode(data), probabilities=probabilities)
    card = Card(
        name=name,
        description=description,
        license=licence,
        author=author,
        labels=labels,
        preprocess=Preprocess(*size, channels),
        proof=Proof(tolerance=tolerance, images=[image]),
    )
    assert card_from_metadata(card.to_metadata()) == card


# --- Metadata ---


FOREIGN = {
    "producer": "somebody",
    "names": "{0: 'cat', 1: 'dog'}",
    "imgsz": "[640, 640]",
    "Labels": "no JSON {",
    "": "",
    "model_config": "x",
}


def test_keys_of_others_are_left_alone() -> None:
    metadata = full_card().to_metadata()
    assert card_from_metadata(FOREIGN | metadata) == full_card()


@pytest.mark.parametrize("metadata", [{}, FOREIGN], ids=["nothing", "only keys of others"])
def test_a_file_without_a_card_is_told_how_to_get_one(metadata: dict[str, str]) -> None:
    message = refusal_of_metadata(metadata)
    assert message.startswith("it has no card")
    assert "training.export" in message
    assert "NAME.json" in message


@pytest.mark.parametrize("key", ["labels", "preprocess", "proof", "card_version", "recipe"])
@pytest.mark.parametrize("value", ["", "{", "[1", "'a'", "[" * 100_000, "9" * 5000])
def test_metadata_that_is_not_json_is_named(key: str, value: str) -> None:
    metadata = Card.model_validate(SMALLEST).to_metadata() | {key: value}
    assert refusal_of_metadata(metadata) == f"its metadata key {key!r} is not JSON"


@pytest.mark.parametrize("missing", ["labels", "preprocess"])
def test_metadata_that_is_not_complete_is_refused(missing: str) -> None:
    metadata = Card.model_validate(SMALLEST).to_metadata()
    del metadata[missing]
    assert refusal_of_metadata(metadata) == f"its card is not valid: {missing}: Field required"


def test_metadata_is_checked_as_a_card_beside_the_model_is() -> None:
    metadata = Card.model_validate(SMALLEST).to_metadata()
    assert "labels must differ" in refusal_of_metadata(metadata | {"labels": '["a", "a"]'})
    assert "output" in refusal_of_metadata(metadata | {"output": "scores"})
    assert "dataset.name" in refusal_of_metadata(metadata | {"dataset": '{"sha256": "x"}'})


# --- JSON beside a model ---


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "labels: [a, b]",
        '{"labels": }',
        '{\n"labels":\n',
        b"\xff\xfe\xfd",
        "[" * 100_000,
        '{"labels": ' + "9" * 5000 + "}",
    ],
    ids=lambda text: repr(text)[:20],
)
def test_a_card_that_is_not_json_is_refused(text: str | bytes) -> None:
    assert refusal(text).startswith("the card beside it is not JSON: ")


@pytest.mark.parametrize("text", ["[]", "null", "1", '"card"', "[[]]"])
def test_a_card_that_is_no_object_is_refused(text: str) -> None:
    assert refusal(text).startswith("its card is not valid: card: ")


@pytest.mark.parametrize(
    ("facts", "where"),
    [
        ({}, "labels"),
        ({"labels": ["a", "b"]}, "preprocess"),
        (changed(lables=["a"]), "lables"),
        (changed(Name="x"), "Name"),
        (preprocess(hight=4), "preprocess.hight"),
        (normalise(scale=1), "normalise.scale"),
        (changed(dataset={"name": "x", "sha256": "", "url": ""}), "dataset.url"),
        (changed(layers=[{"name": "a"}]), "layers.0.type"),
        (changed(proof={"images": []}), "proof.images"),
        (changed(proof={"images": [{"data": ""}]}), "proof.images.0.probabilities"),
        (changed(proof={"images": IMAGES, "tolerance": 0}), "proof.tolerance"),
        (changed(proof={"images": IMAGES, "tolerance": 1}), "proof.tolerance"),
        (changed(labels="ab"), "labels"),
        (changed(labels={"0": "a", "1": "b"}), "labels"),
        (changed(labels=["a", 1]), "labels.1"),
        (changed(labels=["a", None]), "labels.1"),
        (changed(labels=[]), "labels"),
        (changed(labels=["a"]), "labels"),
        (changed(preprocess=[4, 4]), "preprocess"),
        (changed(preprocess={"height": 4}), "preprocess.width"),
        (preprocess(height="four"), "preprocess.height"),
        (preprocess(height=4.5), "preprocess.height"),
        (preprocess(height=None), "preprocess.height"),
        (preprocess(channels=2), "preprocess.channels"),
        (preprocess(channels=4), "preprocess.channels"),
        (preprocess(layout="stretch"), "preprocess.layout"),
        (preprocess(resample="cubic"), "preprocess.resample"),
        (preprocess(background=[1, 2]), "preprocess.background"),
        (preprocess(background="white"), "preprocess.background"),
        (changed(name=1), "name"),
        (changed(name=None), "name"),
        (changed(output="scores"), "output"),
        (changed(card_version=2), "card_version"),
        (changed(card_version="1.0"), "card_version"),
        (changed(made_with={"keras": 3}), "made_with.keras"),
        (changed(recipe=[]), "recipe"),
        (normalise(layout="HWC"), "normalise.layout"),
        (changed(normalise={"mean": [0], "std": [1]}), "normalise.layout"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_card_is_refused_and_the_place_is_named(
    facts: dict[str, object], where: str
) -> None:
    assert refusal(facts).startswith(f"its card is not valid: {where}")


def test_the_value_that_is_wrong_is_not_repeated() -> None:
    assert "secret" not in refusal(changed(card_version="secret", labels=["secret", 1]))


@pytest.mark.parametrize(
    "facts",
    [
        changed(**{"two\nlines": 1}),
        changed(**{"a\r\x1b[31mred": 1}),
        changed(**{"line\u2028separator": 1}),
        changed(made_with={"a\nb": 1}),
    ],
    ids=["new line", "escape sequence", "line separator", "inner key"],
)
def test_a_key_with_line_ends_does_not_break_the_message(facts: dict[str, object]) -> None:
    assert "\x1b" not in refusal(facts)


@pytest.mark.parametrize("labels", [["a", "a"], ["a", "b", "c", "b"], ["", ""]])
def test_labels_must_differ(labels: list[str]) -> None:
    assert "labels must differ from each other" in refusal(changed(labels=labels))


@pytest.mark.parametrize("confusion", [[], [[1, 2]], [[1, 2], [3]], [[1, 2], [3, 4], [5, 6]]])
def test_a_confusion_has_a_row_and_a_column_for_each_label(confusion: list[list[int]]) -> None:
    assert "confusion needs a row" in refusal(changed(confusion=confusion))
    card = card_from_json(json.dumps(changed(confusion=[[1, 2], [3, 4]])))
    assert card.confusion == [[1, 2], [3, 4]]


def test_what_others_published_comes_back_and_needs_no_checksum_of_their_data() -> None:
    card = Card(
        labels=["a", "b"],
        preprocess=Preprocess(4, 4),
        published=Published(accuracy=0.751, source="Somebody."),
        dataset=Dataset(name="Far away"),
    )
    assert card_from_metadata(card.to_metadata()) == card


def test_what_was_measured_stands_alone() -> None:
    card = full_card()
    assert card.metrics is not None
    facts = json.loads(card.model_dump_json()) | {"published": {"accuracy": 0.5, "source": "x"}}
    assert "what was measured counts" in refusal(facts)


@pytest.mark.parametrize("accuracy", [-0.1, 1.01, 75.1])
def test_a_published_accuracy_is_a_share(accuracy: float) -> None:
    published = {"accuracy": accuracy, "source": "x"}
    assert "published.accuracy" in refusal(changed(published=published))


@pytest.mark.parametrize("labels", [["a", "A"], ["a", "a "], ["", "a"], ["1", "01"]])
def test_labels_that_look_alike_differ(labels: list[str]) -> None:
    assert card_from_json(json.dumps(changed(labels=labels))).labels == labels


@pytest.mark.parametrize("facts", [{"labels": ["a", "\ud800"]}, {"name": "\udfff"}])
def test_text_that_no_answer_could_carry_is_refused(facts: dict[str, object]) -> None:
    """Half of a surrogate pair: JSON can name it, UTF-8 cannot write it."""
    assert refusal(changed(**facts))


# --- Limits ---


@pytest.mark.parametrize("side", [1, 2, 4095, 4096])
@pytest.mark.parametrize("name", ["height", "width"])
def test_sides_from_1_to_4096_are_fine(name: str, side: int) -> None:
    card = card_from_json(json.dumps(preprocess(**{name: side})))
    assert getattr(card.preprocess, name) == side


@pytest.mark.parametrize("side", [0, -1, 4097, 10**30])
@pytest.mark.parametrize("name", ["height", "width"])
def test_other_sides_are_refused(name: str, side: int) -> None:
    assert "a height and width from 1 to 4096" in refusal(preprocess(**{name: side}))


@pytest.mark.parametrize("level", [0, 255])
def test_a_background_is_made_of_bytes(level: int) -> None:
    card = card_from_json(json.dumps(preprocess(background=[level, 1, 2])))
    assert card.preprocess.background == (level, 1, 2)


@pytest.mark.parametrize("level", [-1, 256, 10**30])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_background_of_anything_but_bytes_is_refused(place: int, level: int) -> None:
    background = [9, 9, 9]
    background[place] = level
    assert "background" in refusal(preprocess(background=background))


@pytest.mark.parametrize("tolerance", [1e-9, 0.999])
def test_a_tolerance_lies_between_0_and_1(tolerance: float) -> None:
    card = card_from_json(json.dumps(changed(proof={"images": IMAGES, "tolerance": tolerance})))
    assert card.proof is not None
    assert card.proof.tolerance == tolerance


@pytest.mark.parametrize(
    ("channels", "mean", "std"),
    [(1, [0.1], [0.3]), (3, [0.1, 0.2, 0.3], [1e-9, 1, 255]), (3, [-1, 0, 1], [1, 1, 1])],
)
def test_normalise_has_a_mean_and_a_std_for_each_channel(
    channels: int, mean: list[float], std: list[float]
) -> None:
    facts = preprocess(channels=channels) | {
        "normalise": {"mean": mean, "std": std, "layout": "NHWC"}
    }
    card = card_from_json(json.dumps(facts))
    assert card.normalise == Normalise(mean=mean, std=std, layout="NHWC")


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (normalise(std=[0.2, 0.2]), "one number per channel"),
        (normalise(mean=[]), "one number per channel"),
        (normalise(std=[0.2, 0, 0.2]), "std must be above 0"),
        (normalise(std=[0.2, -0.2, 0.2]), "std must be above 0"),
        (normalise(mean=[0.5], std=[0.2]), "for each channel of preprocess"),
        (normalise(mean=[], std=[]), "for each channel of preprocess"),
        (normalise() | {"preprocess": GREY_PREPROCESS}, "for each channel of preprocess"),
    ],
)
def test_normalise_that_does_not_fit_is_refused(facts: dict[str, object], reason: str) -> None:
    assert reason in refusal(facts)


NUMBERS = {
    "normalise.mean.0": normalise(mean=["NUMBER", 0, 0]),
    "normalise.std.2": normalise(std=[1, 1, "NUMBER"]),
    "preprocess.height": preprocess(height="NUMBER"),
    "proof.tolerance": changed(proof={"images": IMAGES, "tolerance": "NUMBER"}),
    "proof.images.0.probabilities.1": changed(
        proof={"images": [{"data": "QQ==", "probabilities": [1, "NUMBER"]}]}
    ),
}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", '"nan"', '"inf"'])
@pytest.mark.parametrize("where", NUMBERS)
def test_numbers_are_finite(where: str, number: str) -> None:
    text = json.dumps(NUMBERS[where]).replace('"NUMBER"', number)
    assert refusal(text).startswith(f"its card is not valid: {where}: ")


def test_the_digit_layout_is_grey() -> None:
    grey = card_from_json(json.dumps(preprocess(layout="digit", channels=1)))
    assert grey.preprocess.layout == "digit"
    assert "channels must be 1" in refusal(preprocess(layout="digit", channels=3))
    assert "channels must be 1" in refusal(preprocess(layout="digit"))


def test_a_card_cannot_be_changed_afterwards() -> None:
    card = Card.model_validate(SMALLEST)
    with pytest.raises(ValidationError, match="frozen"):
        card.name = "other"  # type: ignore[misc]


@settings(max_examples=120, deadline=None, database=None)
@given(
    st.dictionaries(
        st.sampled_from([*Card.model_fields, "other"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text("aß[{", max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["height", "images", "mean", "x"]), inner)
            ),
            max_leaves=6,
        ),
    ),
    st.booleans(),
)
def test_any_facts_give_a_card_or_a_refusal(facts: dict[str, object], complete: bool) -> None:
    text = json.dumps(SMALLEST | facts if complete else facts)
    try:
        card = card_from_json(text)
    except ModelRefused as refused:
        checked(str(refused))
        return
    assert isinstance(card, Card)
