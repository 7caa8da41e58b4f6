from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from app.card import Card
from app.classifier import Classifier
from training.pretrained.imagenet import build_imagenet, imagenet_labels, proof_photos
from training.pretrained.lite0_weights import PACKAGE

pytestmark = pytest.mark.train

CATS = {"tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat"}
FILE = Path(__file__).parents[3] / "models" / "imagenet-lite0.onnx"


def test_the_thousand_classes_are_in_imagenets_order() -> None:
    labels = imagenet_labels()
    assert len(labels) == 1000
    assert set(labels[281:286]) == CATS
    assert [labels[index] for index in (0, 207, 967, 999)] == [
        "tench",
        "golden retriever",
        "espresso",
        "toilet tissue",
    ]


def test_no_two_classes_are_called_the_same() -> None:
    assert len({label.casefold() for label in imagenet_labels()}) == 1000


def test_labels_are_words_and_not_keys() -> None:
    assert all(label == label.strip() and "_" not in label for label in imagenet_labels())


class Answers:
    """A model file and what it says of a photo: the labels, the likeliest first."""

    def __init__(self, content: bytes) -> None:
        self.classifier = Classifier(content)

    def __call__(self, photo: bytes) -> list[str]:
        pixels = self.classifier.pixels_from(photo)
        order = self.classifier.classify(pixels[None])[0].argsort()[::-1]
        return [self.classifier.card.labels[index] for index in order]


def test_the_file_that_comes_along_says_something_sensible_of_photos() -> None:
    answers = Answers(FILE.read_bytes())
    cat, coffee, rocket = map(answers, proof_photos())
    assert set(cat[:3]) <= CATS
    assert coffee[0] == "espresso"
    assert set(rocket[:2]) == {"missile", "projectile"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Card, bytes]:
    if find_spec(PACKAGE) is None:
        pytest.skip(f"{PACKAGE} is not installed")
    models = tmp_path_factory.mktemp("models")
    return build_imagenet(models), (models / "imagenet-lite0.onnx").read_bytes()


def test_what_is_built_is_the_file_that_comes_along(built: tuple[Card, bytes]) -> None:
    """The same answers and card, whenever and on whatever it was made."""
    card, content = built
    ours, theirs = Classifier(content), Classifier(FILE.read_bytes())
    assert ours.proven
    pixels = np.stack([ours.pixels_from(photo) for photo in proof_photos()])
    assert np.abs(ours.classify(pixels) - theirs.classify(pixels)).max() < 1e-4
    changes: dict[str, object] = {"made_with": {}, "proof": None}
    assert card.model_copy(update=changes) == theirs.card.model_copy(update=changes)


def test_its_accuracy_is_said_to_be_published(built: tuple[Card, bytes]) -> None:
    card, _ = built
    assert card.metrics is None
    assert card.published is not None
    assert card.published.accuracy == 0.751
    assert "Google" in card.published.source


def test_it_is_stored_in_half_the_bytes(built: tuple[Card, bytes]) -> None:
    card, content = built
    parameters = sum(layer.parameters for layer in card.layers)
    assert len(content) < 2.1 * parameters
