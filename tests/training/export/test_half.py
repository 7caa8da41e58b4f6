from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import layers
from keras.layers import BatchNormalization, Conv2D, Dense, Flatten
from numpy.typing import NDArray
from PIL import Image

from app.card import Card
from app.classifier import Classifier
from app.inside.explain import explain
from app.inside.session import Inside
from app.preprocess import Preprocess
from training.export import ExportError, rounded, to_onnx
from training.export.file import model_file
from training.export.graph import HALF_FROM
from training.normalise import Normalise

pytestmark = pytest.mark.train

NORMALISE = Normalise((100.0,) * 3, (60.0,) * 3)
FLOAT, FLOAT16 = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16


def chain() -> list[Any]:
    """Every layer with a kernel, each large enough to be stored as halves."""
    return [
        Conv2D(32, 7, padding="same", use_bias=False, name="conv1"),
        BatchNormalization(name="norm1"),
        layers.DepthwiseConv2D(8, depth_multiplier=2, padding="same", name="depthwise1"),
        BatchNormalization(name="norm2"),
        layers.ReLU(name="relu1"),
        layers.SeparableConv2D(64, 8, padding="same", name="separable1"),
        BatchNormalization(name="norm3"),
        Dense(72, activation="relu", name="pixels1"),
        layers.MaxPooling2D(2, name="pool1"),
        Flatten(name="flatten"),
        Dense(48, name="dense1"),
        BatchNormalization(name="norm4"),
        layers.ReLU(name="relu2"),
        Dense(5, activation="softmax", name="answer"),
    ]


@pytest.fixture(scope="module")
def model(randomise: Callable[..., None]) -> Any:
    model = keras.Sequential([keras.Input((8, 6, 3)), *chain()])
    randomise(model, NORMALISE(pictures()))
    return model


def pictures() -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (20, 8, 6, 3))
    return np.asarray(noise * rng.uniform(0.1, 1, (20, 1, 1, 3)), np.uint8)


def answers_of(exported: Any) -> Any:
    session = onnxruntime.InferenceSession(exported.SerializeToString())
    return session.run(["probabilities"], {"image": pictures()})[0]


def stored(exported: Any) -> dict[str, int]:
    return {weight.name: weight.data_type for weight in exported.graph.initializer}


def test_large_kernels_are_halves_with_a_cast_and_keep_their_names(model: Any) -> None:
    types = stored(to_onnx(model, NORMALISE, half=True))
    halves = {name for name, kind in types.items() if kind == FLOAT16}
    assert halves == {
        f"{layer}/kernel/half"
        for layer in ("conv1", "depthwise1", "separable1", "separable1/depthwise", "pixels1")
    } | {"dense1/kernel/half"}
    exported = to_onnx(model, NORMALISE, half=True)
    casts = {node.output[0] for node in exported.graph.node if node.op_type == "Cast"}
    assert casts == {"image/float"} | {name.removesuffix("/half") for name in halves}


def test_biases_and_small_kernels_stay_as_they_are(model: Any) -> None:
    types = stored(to_onnx(model, NORMALISE, half=True))
    assert {kind for name, kind in types.items() if name.endswith("/bias")} == {FLOAT}
    assert types["answer/kernel"] == FLOAT


def test_the_file_of_halves_answers_as_the_rounded_model_does(model: Any) -> None:
    expected = keras.ops.convert_to_numpy(rounded(model)(NORMALISE(pictures()), training=False))
    answers = answers_of(to_onnx(model, NORMALISE, half=True))
    np.testing.assert_allclose(answers, expected, rtol=0, atol=1e-6)
    exact = keras.ops.convert_to_numpy(model(NORMALISE(pictures()), training=False))
    assert 2e-6 < np.abs(exact - expected).max() < 5e-3


def test_rounding_again_changes_nothing(model: Any) -> None:
    once = rounded(model)
    half = to_onnx(model, NORMALISE, half=True)
    assert to_onnx(once, NORMALISE, half=True).graph == half.graph
    assert to_onnx(rounded(once), NORMALISE, half=True).graph == half.graph


def test_rounding_leaves_the_model_as_it_was(model: Any) -> None:
    before = model.get_weights()
    rounded(model)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_channel_that_batch_normalization_puts_out_is_no_obstacle(
    randomise: Callable[..., None],
) -> None:
    model = keras.Sequential([keras.Input((8, 6, 3)), *chain()])
    randomise(model, NORMALISE(pictures()))
    model.get_layer("norm1").gamma.assign(np.zeros(32))
    expected = keras.ops.convert_to_numpy(rounded(model)(NORMALISE(pictures()), training=False))
    answers = answers_of(to_onnx(model, NORMALISE, half=True))
    np.testing.assert_allclose(answers, expected, rtol=0, atol=1e-6)


def test_a_kernel_beyond_the_range_of_halves_is_not_rounded(
    randomise: Callable[..., None],
) -> None:
    inner = [Flatten(), Dense(48, name="large"), layers.Rescaling(1e-5), Dense(5, "softmax")]
    model = keras.Sequential([keras.Input((8, 6, 3)), *inner])
    randomise(model, NORMALISE(pictures()))
    large = model.get_layer("large").kernel
    large.assign(np.asarray(large) * 1e11)  # 1e6 and more with the rescaling behind it
    assert stored(to_onnx(model, NORMALISE, half=True))["large/kernel"] == FLOAT
    np.testing.assert_array_equal(rounded(model).get_layer("large").kernel, large)


@pytest.mark.parametrize(("numbers", "kind"), [(HALF_FROM - 1, FLOAT), (HALF_FROM, FLOAT16)])
def test_a_kernel_is_stored_as_halves_from_a_size_on(numbers: int, kind: int) -> None:
    inner = [Flatten(), Dense(1), Dense(numbers, name="wide"), Dense(2, "softmax")]
    exported = to_onnx(keras.Sequential([keras.Input((2, 2, 1)), *inner]), half=True)
    assert (
        dict.fromkeys(["wide/kernel", "wide/kernel/half"], kind).items() & stored(exported).items()
    )


def test_a_nested_graph_with_a_shared_layer_is_rounded_as_it_is_stored(
    randomise: Callable[..., None],
) -> None:
    image = keras.Input((8, 6, 3))
    inner = keras.Sequential([keras.Input((8, 6, 3)), Conv2D(40, 6), BatchNormalization()])
    twice = Dense(80, activation="tanh")
    value = Flatten()(inner(image))
    value = layers.Add()([twice(value), twice(keras.ops.abs(value))])
    model = keras.Model(image, Dense(5, "softmax")(value))
    randomise(model, NORMALISE(pictures()))
    expected = keras.ops.convert_to_numpy(rounded(model)(NORMALISE(pictures()), training=False))
    answers = answers_of(to_onnx(model, NORMALISE, half=True))
    np.testing.assert_allclose(answers, expected, rtol=0, atol=1e-6)


def test_onnx_runtime_folds_the_casts_when_it_loads(model: Any, tmp_path: Any) -> None:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    content = to_onnx(model, NORMALISE, half=True).SerializeToString()
    onnxruntime.InferenceSession(content, options)
    optimised = onnx.load(tmp_path / "optimised.onnx")
    assert [n.name for n in optimised.graph.node if n.op_type == "Cast"] == ["image/float"]


# --- the file, and looking into it


@pytest.fixture(scope="module")
def files(model: Any) -> tuple[bytes, bytes]:
    """The model file with halves, and the one of the rounded model with floats."""
    preprocess = Preprocess(8, 6, 3, resample="nearest")
    card = Card(name="small", labels=list("abcde"), preprocess=preprocess)
    images = []
    for pixels in pictures()[:3]:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        images.append(file.getvalue())
    return (
        model_file(model, card, images, NORMALISE, half=True),
        model_file(rounded(model), card, images, NORMALISE),
    )


def test_the_file_is_half_as_large_and_proven_by_the_rounded_model(
    files: tuple[bytes, bytes],
) -> None:
    halves, floats = (Classifier(content) for content in files)
    assert len(files[0]) < 0.65 * len(files[1])
    assert halves.proven
    assert halves.card.proof == floats.card.proof


def test_a_file_of_halves_is_looked_into_as_any_other(files: tuple[bytes, bytes]) -> None:
    classifiers = [Classifier(content) for content in files]
    halves, floats = (Inside(files[i], classifiers[i].card) for i in (0, 1))
    pixels = pictures()[0]
    for one, other in zip(halves.layers, floats.layers, strict=True):
        assert (one.facts, one.inputs, one.window) == (other.facts, other.inputs, other.window)
    names = [layer.tensor for layer in halves.layers if layer.tensor]
    expected = floats.run(pixels, [*names, "conv1/kernel"])
    for name, values in halves.run(pixels, [*names, "conv1/kernel"]).items():
        np.testing.assert_allclose(values, expected[name], rtol=0, atol=1e-4)


def test_a_score_is_split_exactly_in_a_file_of_halves(files: tuple[bytes, bytes]) -> None:
    answers = []
    for content in files:
        classifier = Classifier(content)
        inside = Inside(content, classifier.card)
        answers.append(explain(classifier, inside, pictures()[0], "b", "auto"))
    halves, floats = answers
    assert halves["exact"]
    assert (halves["method"], halves["layer"]) == (floats["method"], floats["layer"])
    assert halves["logit"] == pytest.approx(floats["logit"], abs=1e-4)


def test_a_layer_inside_and_outside_of_a_nested_model_is_refused() -> None:
    shared = keras.layers.Conv2D(3, 1, name="shared")
    inside = keras.Input((6, 5, 3))
    inner = keras.Model(inside, shared(inside))
    image = keras.Input((6, 5, 3))
    value = keras.layers.Flatten()(keras.layers.Add()([inner(image), shared(image)]))
    model = keras.Model(image, keras.layers.Dense(5, activation="softmax")(value))
    with pytest.raises(ExportError, match=r"inside and outside of a nested model.*Use to_onnx"):
        rounded(model)
