"""What the file names itself: logits, probabilities, and the embedding behind global pooling."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import onnxruntime
import pytest
from keras import layers, ops
from keras.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
)
from PIL import Image

from app.card import Card
from app.classifier import Classifier
from app.inside.session import Inside
from app.preprocess import Preprocess
from training.export import to_onnx
from training.export.file import model_file
from training.export.translate import translate
from training.normalise import Normalise

pytestmark = pytest.mark.train

NORMALISE = Normalise((100.0,) * 3, (60.0,) * 3)


def ends_in(head: Callable[[Any], Any]) -> tuple[Any, Any]:
    """A classifier behind a convolution; and the model of what its last Dense reads."""
    image = keras.Input((8, 6, 3))
    vector = head(Conv2D(7, 3, activation="tanh")(image))
    answer = Dense(5, activation="softmax", name="answer")(vector)
    return keras.Model(image, answer), keras.Model(image, vector)


def outputs_of(exported: Any) -> list[str]:
    return [output.name for output in exported.graph.output]


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(lambda x: GlobalAveragePooling2D()(x), id="average"),
        pytest.param(lambda x: GlobalMaxPooling2D()(x), id="max"),
        pytest.param(lambda x: Dropout(0.5)(GlobalAveragePooling2D()(x)), id="Dropout"),
        pytest.param(lambda x: Flatten()(GlobalMaxPooling2D(keepdims=True)(x)), id="Flatten"),
        pytest.param(lambda x: ops.mean(x, axis=(1, 2)), id="mean"),
        pytest.param(
            lambda x: layers.LayerNormalization()(GlobalAveragePooling2D()(x)), id="normalised"
        ),
        pytest.param(
            lambda x: BatchNormalization()(GlobalAveragePooling2D()(x)), id="batch normalised"
        ),
    ],
)
def test_what_the_last_dense_reads_from_global_pooling_is_the_embedding(
    assert_same_answers: Callable[..., Any], head: Callable[[Any], Any]
) -> None:
    model, reads = ends_in(head)
    exported = assert_same_answers(model, NORMALISE)
    assert outputs_of(exported) == ["probabilities", "embedding"]
    batch = np.random.default_rng(5).integers(0, 256, (3, 8, 6, 3), np.uint8)
    session = onnxruntime.InferenceSession(exported.SerializeToString())
    (embedding,) = session.run(["embedding"], {"image": batch})
    assert (embedding.dtype, embedding.shape) == (np.float32, (3, 7))
    expected = keras.ops.convert_to_numpy(reads(NORMALISE(batch), training=False))
    np.testing.assert_allclose(embedding, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(lambda x: Flatten()(x), id="no pooling"),
        pytest.param(lambda x: Dense(6, "relu")(GlobalAveragePooling2D()(x)), id="hidden layer"),
        pytest.param(
            lambda x: layers.Add()([GlobalAveragePooling2D()(x), GlobalMaxPooling2D()(x)]),
            id="two poolings",
        ),
    ],
)
def test_without_global_pooling_right_before_it_there_is_none(
    assert_same_answers: Callable[..., Any], head: Callable[[Any], Any]
) -> None:
    exported = assert_same_answers(ends_in(head)[0], NORMALISE)
    assert outputs_of(exported) == ["probabilities"]


def test_global_pooling_straight_into_softmax_makes_the_logits(
    assert_same_answers: Callable[..., Any],
) -> None:
    chain = [Conv2D(5, 3), GlobalAveragePooling2D(name="pool"), layers.Softmax()]
    model = keras.Sequential([keras.Input((8, 6, 3)), *chain])
    assert outputs_of(assert_same_answers(model, NORMALISE)) == ["probabilities"]
    assert translate(model)[1]["pool"] == "logits"


def test_the_embedding_is_the_tensor_of_the_pooling_and_no_node_more(
    operators: Callable[..., list[str]],
) -> None:
    image = keras.Input((8, 6, 3))
    value = Dropout(0.5, name="drop")(GlobalAveragePooling2D(name="pool")(image))
    model = keras.Model(image, Dense(5, "softmax", name="answer")(value))
    exported, tensors = translate(model)
    assert operators(exported) == [
        *("Transpose", "Cast", "GlobalAveragePool", "Flatten", "Gemm", "Softmax")
    ]
    assert tensors == {"pool": "embedding", "drop": None, "answer": "probabilities"}


def test_a_file_with_an_embedding_is_served_and_looked_into(
    randomise: Callable[..., None],
) -> None:
    model, _ = ends_in(lambda x: GlobalAveragePooling2D(name="pool")(x))
    randomise(model)
    file = io.BytesIO()
    Image.new("RGB", (6, 8), (200, 100, 50)).save(file, "PNG")
    card = Card(labels=list("abcde"), preprocess=Preprocess(8, 6, 3))
    content = model_file(model, card, [file.getvalue()], NORMALISE)
    classifier = Classifier(content)
    assert classifier.proven
    assert classifier.classify(np.zeros((2, 8, 6, 3), np.uint8)).shape == (2, 5)
    rows = {layer.name: layer for layer in Inside(content, classifier.card).layers}
    assert (rows["pool"].tensor, rows["pool"].facts.output_shape) == ("embedding", [7])
    assert rows["answer"].inputs == ["pool"]


def test_a_layer_that_is_called_embedding_is_no_embedding() -> None:
    chain = [Conv2D(4, 3, name="embedding"), Flatten(), Dense(5, activation="softmax")]
    exported = to_onnx(keras.Sequential([keras.Input((8, 6, 3)), *chain]))
    assert outputs_of(exported) == ["probabilities"]
