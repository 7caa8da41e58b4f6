from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from keras.layers import Dense, Flatten
from onnxruntime import InferenceSession
from PIL import Image

from app.card import Card
from app.classifier import Classifier
from app.inside.explain import explain
from app.inside.session import Inside
from app.preprocess import Preprocess
from training.export.file import model_file
from training.export.layer_table import layer_table
from training.export.translate import translate
from training.networks import airbench
from training.networks.views import MeanOfViews, WithMirrorImages, WithShifted
from training.normalise import Normalise

pytestmark = pytest.mark.train

NORMALISE = Normalise((100.0,) * 3, (60.0,) * 3)


@pytest.fixture
def network() -> Any:
    return airbench((16, 14, 3), 5, widths=(8, 12), mirrored=True, shifted=True)


@pytest.mark.parametrize("normalise", [None, NORMALISE])
def test_all_views_are_in_the_graph_for_any_number_of_images(
    assert_same_answers: Callable[..., Any],
    operators: Callable[..., list[str]],
    network: Any,
    normalise: Normalise | None,
) -> None:
    exported = assert_same_answers(network, normalise)
    assert operators(exported).count("Conv") == 7
    assert operators(exported)[-5:] == ["Mul", "Reshape", "ReduceMean", "Gemm", "Softmax"]


def test_the_views_lie_in_the_file_as_they_do_in_keras(network: Any) -> None:
    exported = translate(network)[0]
    exported.graph.output.append(onnx.helper.make_empty_tensor_value_info("shifted"))
    pixels = np.random.default_rng(1).integers(0, 256, (2, 16, 14, 3), np.uint8)
    (views,) = InferenceSession(exported.SerializeToString()).run(["shifted"], {"image": pixels})
    expected = WithShifted()(WithMirrorImages()(pixels.astype(np.float32)))
    assert np.array_equal(views.transpose(0, 2, 3, 1), keras.ops.convert_to_numpy(expected))


def test_a_map_that_is_flattened_has_its_mean_too(assert_same_answers: Callable[..., Any]) -> None:
    image = keras.Input((6, 5, 3))
    vector = MeanOfViews(6)(Flatten()(WithShifted()(WithMirrorImages()(image))))
    assert_same_answers(keras.Model(image, Dense(5, activation="softmax")(vector)), NORMALISE)


def test_the_layer_table_counts_the_work_of_all(network: Any) -> None:
    once = airbench((16, 14, 3), 5, widths=(8, 12))
    tables = [layer_table(one, translate(one)[1]) for one in (once, network)]
    single, all_six = ({row.name: row.multiply_adds for row in table} for table in tables)
    assert {name: all_six[name] for name in single} == {
        name: adds if name == "answer" else 6 * adds for name, adds in single.items()
    }
    assert [sum(row.parameters for row in table) for table in tables] == [once.count_params()] * 2


def test_their_mean_is_the_embedding(network: Any) -> None:
    tensors = translate(network)[1]
    assert tensors["mean_of_views"] == "embedding"


def test_a_file_that_answers_by_several_is_served_and_looked_into(
    randomise: Callable[..., None], network: Any
) -> None:
    randomise(network)
    file = io.BytesIO()
    Image.linear_gradient("L").resize((14, 16)).convert("RGB").save(file, "PNG")
    card = Card(labels=list("abcde"), preprocess=Preprocess(16, 14, 3))
    content = model_file(network, card, [file.getvalue()], NORMALISE)
    classifier = Classifier(content)
    assert classifier.proven
    pixels = np.random.default_rng(3).integers(0, 256, (1, 16, 14, 3), np.uint8)
    inside = Inside(content, classifier.card)
    rows = {layer.name: layer for layer in inside.layers}
    assert rows["whiten"].facts.output_shape == [15, 13, 24]
    assert rows["whiten"].inputs == ["shifted"]
    explained = explain(classifier, inside, pixels[0], None, "auto")
    assert explained["methods"] == ["occlusion"]  # no one map has what all views add up to
