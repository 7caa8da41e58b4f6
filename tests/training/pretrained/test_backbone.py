from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from inspect import getmodule
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from app.preprocess import Preprocess
from training.normalise import Normalise
from training.pretrained.backbone import load_backbone, normalise_of
from training.pretrained.lite0_weights import PACKAGE, WeightsError

pytestmark = pytest.mark.train

RNG = np.random.default_rng(0)


def saved(build: Callable[..., keras.Model], path: Path) -> keras.Model:
    """The class without its top, with random weights that are written to `path`."""
    shape = tuple(side or 224 for side in build(weights=None).input_shape[1:])
    network = build(weights=None, include_top=False, pooling="avg", input_shape=shape)
    network.save_weights(path)
    return network


@pytest.mark.parametrize(
    ("name", "normalise", "bgr"),
    [
        ("MobileNetV3Small", Normalise((0.0,) * 3, (1.0,) * 3), False),  # has it inside
        ("MobileNetV2", Normalise((127.5,) * 3, (127.5,) * 3), False),
        ("DenseNet121", Normalise((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)), False),
        ("VGG16", Normalise((123.68, 116.779, 103.939), (1.0,) * 3), True),
    ],
)
def test_how_a_class_wants_its_pixels_is_read_off_its_own_function(
    name: str, normalise: Normalise, bgr: bool
) -> None:
    build = getattr(keras.applications, name)
    assert normalise_of(build) == (normalise, bgr)
    pixels = RNG.integers(0, 256, (1, 4, 4, 3), np.uint8)
    theirs: Any = getmodule(build)
    expected = theirs.preprocess_input(pixels.astype(np.float32))
    ours = normalise(pixels)[..., :: -1 if bgr else 1]
    np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_a_class_of_keras_gives_the_features_that_keras_gives(tmp_path: Path) -> None:
    path = tmp_path / "mobilenet.weights.h5"
    theirs = saved(keras.applications.MobileNet, path)
    backbone = load_backbone("MobileNet", path)
    assert backbone.preprocess == Preprocess(224, 224, 3, "crop", "bicubic")
    pixels = RNG.integers(0, 256, (2, 224, 224, 3), np.uint8)
    prepared = keras.applications.mobilenet.preprocess_input(pixels.astype(np.float32))
    np.testing.assert_allclose(
        backbone.network.predict_on_batch(backbone.normalise(pixels)),
        theirs.predict_on_batch(prepared),
        atol=1e-5,
    )


def test_a_class_that_takes_any_size_is_given_one(tmp_path: Path) -> None:
    path = tmp_path / "any.weights.h5"
    saved(keras.applications.MobileNetV3Small, path)
    assert load_backbone("MobileNetV3Small", path).preprocess == Preprocess(
        224, 224, 3, "crop", "bicubic"
    )


def test_a_network_for_bgr_becomes_one_for_rgb(tmp_path: Path) -> None:
    path = tmp_path / "vgg.weights.h5"
    theirs = saved(keras.applications.VGG16, path)
    backbone = load_backbone("VGG16", path)
    pixels = RNG.integers(0, 256, (1, 224, 224, 3), np.uint8)
    prepared = keras.applications.vgg16.preprocess_input(pixels.astype(np.float32))
    expected = theirs.predict_on_batch(prepared)
    found = backbone.network.predict_on_batch(backbone.normalise(pixels))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * expected.max())


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(WeightsError, match=r"no backbone 'resnet50'.* lite0 .* ResNet50, "):
        load_backbone("resnet50")


@pytest.mark.parametrize("content", [None, b"no weights"])
def test_weights_that_cannot_be_read_are_an_error_with_a_remedy(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "some.weights.h5"
    if content is not None:
        path.write_bytes(content)
    said = "there is no file" if content is None else "weights of MobileNet cannot be had"
    with pytest.raises(WeightsError, match=rf"{said}.*--weights"):
        load_backbone("MobileNet", path)


@pytest.mark.skipif(find_spec(PACKAGE) is None, reason=f"{PACKAGE} is not installed")
def test_lite0_gives_1280_features_of_224_pixels_to_any_classes() -> None:
    backbone = load_backbone("lite0")
    assert backbone.network.output_shape == (None, 1280)
    assert backbone.preprocess == Preprocess(224, 224, 3, "crop", "bicubic")
    assert backbone.normalise == Normalise((127.0,) * 3, (128.0,) * 3)
    model = backbone.with_classes(3)
    assert model.output_shape == (None, 3)
    assert [layer.name for layer in model.layers[-3:]] == ["head_relu6", "pool", "classes"]
