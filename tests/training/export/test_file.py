from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from keras import layers
from PIL import Image

from app.card import Card, Dataset, Metrics, card_from_metadata
from app.classifier import Classifier
from app.errors import ModelRefused
from app.preprocess import Preprocess, pixels_from
from training.export import ExportError
from training.export.file import model_file, write
from training.export.layer_table import layer_table
from training.export.translate import translate
from training.normalise import Normalise

pytestmark = pytest.mark.train

NORMALISE = Normalise((100.0, 120.0, 140.0), (50.0, 60.0, 70.0))


@dataclass
class Exported:
    model: Any
    card: Card
    images: list[bytes]
    content: bytes


def picture(height: int, width: int, seed: int, mode: str = "RGB") -> bytes:
    rng = np.random.default_rng(seed)
    channels = () if mode == "L" else (3,)
    noise = rng.integers(0, 256, (4, 4, *channels)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((width, height)).save(file, "PNG")
    return file.getvalue()


def facts_of(content: bytes) -> dict[str, str]:
    return {fact.key: fact.value for fact in onnx.load_from_string(content).metadata_props}


@pytest.fixture(scope="module")
def exported(randomise: Callable[..., None]) -> Exported:
    model = keras.Sequential(
        [
            keras.Input((8, 6, 3)),
            layers.Conv2D(4, 3, activation="relu", name="conv1"),
            layers.BatchNormalization(name="norm1"),
            layers.Flatten(name="flatten"),
            layers.Dense(3, activation="softmax", name="dense"),
        ]
    )
    noise = np.random.default_rng(3).normal(size=(50, 8, 6, 3)).astype(np.float32)
    randomise(model, noise)
    card = Card(
        name="small",
        description='A net "for tests", grün',
        license="Apache-2.0",
        author="Someone",
        labels=["circle", "square", "triangle"],
        preprocess=Preprocess(8, 6, 3, layout="crop", resample="bicubic", background=(1, 2, 3)),
        metrics=Metrics(
            accuracy=0.9,
            accuracy_interval=(0.8, 0.95),
            images=100,
            per_class_accuracy={"circle": 0.9, "square": 0.8, "triangle": 1.0},
            calibration_error=0.01,
            measured_on="pictures",
            seed_accuracies={"0": 0.9, "1": 0.88},
        ),
        dataset=Dataset(name="shapes", sha256="ab" * 32),
        recipe={"epochs": 3, "seed": 0},
        made_with={"keras": keras.__version__},
    )
    images = [picture(8, 6, 0), picture(20, 30, 1), picture(16, 9, 2, "L")]
    return Exported(model, card, images, model_file(model, card, images, NORMALISE))


def test_the_file_is_served_as_proven(exported: Exported) -> None:
    classifier = Classifier(exported.content)
    assert classifier.proven
    for data in exported.images:
        pixels = classifier.pixels_from(data)[None]
        expected = keras.ops.convert_to_numpy(exported.model(NORMALISE(pixels), training=False))
        np.testing.assert_allclose(classifier.classify(pixels), expected, rtol=0, atol=1e-5)


def test_a_model_that_takes_raw_pixels_is_served_as_proven(randomise: Callable[..., None]) -> None:
    chain = [layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2, activation="softmax")]
    model = keras.Sequential([keras.Input((12, 12, 1)), *chain])
    randomise(model)
    card = Card(labels=["a", "b"], preprocess=Preprocess(12, 12, 1, layout="digit"))
    images = [picture(12, 12, 0, "L"), picture(50, 40, 1)]
    classifier = Classifier(model_file(model, card, images, None))
    assert classifier.proven
    assert classifier.card.proof is not None
    assert [image.data for image in classifier.card.proof.images] == images


def test_the_card_reads_back_as_it_was_written_with_layers_and_proof(exported: Exported) -> None:
    card = card_from_metadata(facts_of(exported.content))
    assert card.model_copy(update={"layers": [], "proof": None}) == exported.card
    assert card.layers == layer_table(exported.model, translate(exported.model, NORMALISE)[1])
    assert [layer.name for layer in card.layers] == ["conv1", "norm1", "flatten", "dense"]
    assert card.proof is not None
    assert card == Classifier(exported.content).card


def test_the_card_of_the_caller_is_left_alone(exported: Exported) -> None:
    assert exported.card.layers == []
    assert exported.card.proof is None


def test_the_proof_holds_the_pictures_and_what_keras_says_of_them(exported: Exported) -> None:
    proof = card_from_metadata(facts_of(exported.content)).proof
    assert proof is not None
    assert [image.data for image in proof.images] == exported.images
    pixels = [pixels_from(data, exported.card.preprocess) for data in exported.images]
    expected = exported.model.predict_on_batch(NORMALISE(np.stack(pixels)))
    assert [image.probabilities for image in proof.images] == np.asarray(expected).tolist()
    assert np.ptp(expected, axis=0).max() > 0.05  # else any answer would prove the model


@pytest.mark.parametrize("name", ["conv1/kernel", "conv1/bias", "norm1/shift", "dense/kernel"])
def test_a_changed_weight_is_refused(exported: Exported, name: str) -> None:
    changed = onnx.load_from_string(exported.content)
    (weight,) = [weight for weight in changed.graph.initializer if weight.name == name]
    values = onnx.numpy_helper.to_array(weight) * 1.05
    weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float32), name))
    with pytest.raises(ModelRefused, match="its proof fails: picture"):
        Classifier(changed.SerializeToString())


def with_proof(content: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    changed = onnx.load_from_string(content)
    for fact in changed.metadata_props:
        if fact.key == "proof":
            proof = json.loads(fact.value)
            change(proof)
            fact.value = json.dumps(proof)
    return changed.SerializeToString()  # type: ignore[no-any-return]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_changed_probability_is_refused(exported: Exported, number: int) -> None:
    def change(proof: dict[str, Any]) -> None:
        proof["images"][number - 1]["probabilities"][0] += 0.001

    with pytest.raises(ModelRefused, match=f"its proof fails: picture {number} differs"):
        Classifier(with_proof(exported.content, change))


def test_a_changed_picture_is_refused(exported: Exported) -> None:
    def change(proof: dict[str, Any]) -> None:
        first, second, _ = proof["images"]
        first["data"] = second["data"]

    with pytest.raises(ModelRefused, match="its proof fails: picture 1 differs"):
        Classifier(with_proof(exported.content, change))


def test_an_untouched_proof_is_accepted(exported: Exported) -> None:
    assert Classifier(with_proof(exported.content, lambda proof: None)).proven


def test_a_model_without_translation_makes_no_file(exported: Exported) -> None:
    chain = [layers.Conv2DTranspose(2, 3), layers.Flatten(), layers.Dense(3, "softmax")]
    model = keras.Sequential([keras.Input((8, 6, 3)), *chain])
    with pytest.raises(ExportError, match="Conv2DTranspose"):
        model_file(model, exported.card, exported.images, NORMALISE)


def test_nothing_lies_beside_the_file_and_nothing_is_left_of_writing_it(tmp_path: Path) -> None:
    write(tmp_path / "deep" / "models" / "small.onnx", b"content")
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["small.onnx"]
    assert (tmp_path / "deep" / "models" / "small.onnx").read_bytes() == b"content"


def test_who_has_the_old_file_open_reads_it_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    write(path, b"old" * 1000)
    with path.open("rb", buffering=0) as reader:
        start = reader.read(10)
        write(path, b"new")
        assert start + reader.read() == b"old" * 1000
    assert path.read_bytes() == b"new"


def test_a_half_file_of_an_earlier_attempt_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "small.onnx.part").write_bytes(b"half of something much longer")
    write(tmp_path / "small.onnx", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["small.onnx"]
    assert (tmp_path / "small.onnx").read_bytes() == b"content"
