"""The models that come along: proven, measured, and described by nothing but themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.classifier import Classifier
from app.preprocess import pixels_from
from tests.conftest import IMAGES
from training.models_readme import END, START, table

FOLDER = Path(__file__).parent.parent / "models"
FILES = sorted(FOLDER.glob("*.onnx"))
TRAINED_ELSEWHERE = {"imagenet-lite0"}
TRAINED_HERE = [path for path in FILES if path.stem not in TRAINED_ELSEWHERE]


def test_the_lectures_networks_come_along() -> None:
    assert {"mnist-1conv", "mnist-2conv"} <= {path.stem for path in FILES}


def test_a_network_for_any_photo_comes_along() -> None:
    assert {path.stem for path in FILES} >= TRAINED_ELSEWHERE


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_model_is_proven_and_its_card_is_full(path: Path) -> None:
    classifier = Classifier(path.read_bytes())
    assert classifier.proven
    card = classifier.card
    assert card.name == path.stem
    for fact in ("description", "license", "author", "layers", "dataset", "recipe", "made_with"):
        assert getattr(card, fact), fact
    assert {"keras", "onnx", "convolu", "date"} <= set(card.made_with)
    assert (card.metrics is None) == (path.stem in TRAINED_ELSEWHERE) == bool(card.published)


@pytest.mark.parametrize("path", TRAINED_HERE, ids=lambda path: path.stem)
def test_the_first_of_the_seeds_that_were_fixed_beforehand_ships(path: Path) -> None:
    card = Classifier(path.read_bytes()).card
    assert card.recipe is not None
    assert card.metrics is not None
    assert len(card.metrics.seed_accuracies) == len(card.recipe["seeds"])
    assert str(card.recipe["seed"]) == next(iter(card.metrics.seed_accuracies))


@pytest.mark.parametrize("path", TRAINED_HERE, ids=lambda path: path.stem)
def test_confusion_and_history_agree_with_the_metrics_and_the_recipe(path: Path) -> None:
    card = Classifier(path.read_bytes()).card
    assert card.metrics is not None
    assert card.recipe is not None
    counts = np.array(card.confusion)
    assert counts.sum() == card.metrics.images
    assert np.trace(counts) / counts.sum() == card.metrics.accuracy
    shares = np.diag(counts) / counts.sum(axis=1)
    assert dict(zip(card.labels, shares, strict=True)) == card.metrics.per_class_accuracy
    assert card.history is not None
    assert len(card.history) == card.recipe.get("epochs", 0)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_tensors_that_a_card_names_are_in_its_graph(path: Path) -> None:
    content = path.read_bytes()
    card = Classifier(content).card
    names = [layer.tensor for layer in card.layers if layer.tensor]
    # An output appended to the file's bytes: a protobuf field that occurs twice is merged.
    extra = b"".join(_output(name) for name in names if name != "probabilities")
    content += b"\x3a" + _varint(len(extra)) + extra  # ModelProto.graph is field 7
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    shape = (1, card.preprocess.height, card.preprocess.width, card.preprocess.channels)
    tensors = session.run(names, {"image": np.zeros(shape, np.uint8)})
    for tensor, layer in zip(tensors, (one for one in card.layers if one.tensor), strict=True):
        one_view = tensor.shape[1:]  # a network may look at more than one view of a picture
        assert int(np.prod(one_view)) == int(np.prod(layer.output_shape)), layer.name


def _output(name: str) -> bytes:
    info = b"\x0a" + _varint(len(name)) + name.encode()  # ValueInfoProto.name is field 1
    return b"\x62" + _varint(len(info)) + info  # GraphProto.output is field 12


def _varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def test_the_table_in_the_folder_is_made_from_the_cards() -> None:
    text = (FOLDER / "README.md").read_text()
    assert text.partition(START)[2].partition(END)[0].strip() == table(FOLDER)


def sheet() -> list[tuple[NDArray[np.uint8], int]]:
    """200 MNIST test digits and their classes, from one picture: a row of 20 for each class."""
    pixels = np.asarray(Image.open(IMAGES / "mnist-test-200.png"))
    digits = pixels.reshape(10, 28, 20, 28).swapaxes(1, 2)
    return [(digits[label, number], label) for label in range(10) for number in range(20)]


@pytest.mark.parametrize("name", ["mnist-1conv", "mnist-2conv"])
def test_real_digits_are_read_as_they_are(name: str) -> None:
    classifier = Classifier((FOLDER / f"{name}.onnx").read_bytes())
    batch = np.stack([digit[..., None] for digit, _ in sheet()])
    answer = classifier.classify(batch).argmax(axis=1)
    assert (answer == [label for _, label in sheet()]).mean() >= 0.98


def test_real_digits_dark_on_paper_large_and_anywhere_are_read_too() -> None:
    from benchmarks.digits import on_paper

    classifier = Classifier((FOLDER / "mnist-2conv.onnx").read_bytes())
    rng = np.random.default_rng(0)
    right = 0
    for digit, label in sheet():
        pixels = pixels_from(on_paper(digit, rng), classifier.card.preprocess)
        right += int(classifier.classify(pixels[None]).argmax()) == label
    assert right / len(sheet()) >= 0.97
