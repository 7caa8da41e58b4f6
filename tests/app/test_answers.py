from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.answers import Answer, answers, pixels_or_error
from app.classifier import Classifier
from app.errors import ConvoluError, InvalidImage, Overloaded
from app.preprocess import Pixels
from tests.app.pooled import holed_model
from tests.conftest import BLUE, GREEN, RED, colour_model, encode


def answered(classifier: Classifier, images: list[bytes], embed: list[bool]) -> list[Answer]:
    return answers(classifier, [pixels_or_error(classifier, one) for one in images], embed)


def colour_of(answer: Answer) -> str:
    assert isinstance(answer, np.ndarray)
    return ["red", "green", "blue"][int(answer.argmax())]


def test_answers_come_in_the_order_of_the_images_and_a_broken_one_keeps_its_place() -> None:
    red, broken, blue = answered(Classifier(colour_model()), [RED, b"none", BLUE], [False] * 3)
    assert (colour_of(red), colour_of(blue)) == ("red", "blue")
    assert isinstance(broken, ConvoluError)


@pytest.mark.parametrize("images", [[], [b"none", b"neither"]])
def test_where_no_image_is_whole_nothing_is_run(images: list[bytes]) -> None:
    class Unused(Classifier):
        is_loaded = False

        def classify(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
            assert not self.is_loaded
            return super().classify(batch)

    classifier = Unused(colour_model())
    classifier.is_loaded = True
    found = answered(classifier, images, [False] * len(images))
    assert [type(one).__name__ for one in found] == ["UnsupportedImage"] * len(images)


def test_the_error_of_a_broken_image_does_not_keep_the_image() -> None:
    cut = encode(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))[:-5000]
    error = pixels_or_error(Classifier(colour_model()), cut)
    assert isinstance(error, InvalidImage)
    assert "cannot be decoded to the end" in str(error)
    assert (error.__traceback__, error.__cause__, error.__context__) == (None, None, None)


def test_no_memory_to_decode_an_image_is_overload_not_a_fault() -> None:
    class Full(Classifier):
        def pixels_from(self, data: bytes) -> Pixels:
            if data == GREEN:
                raise MemoryError
            return super().pixels_from(data)

    red, refused = answered(Full(colour_model()), [RED, GREEN], [False] * 2)
    assert colour_of(red) == "red"
    assert isinstance(refused, Overloaded)


@pytest.mark.parametrize("embed", [True, False])
def test_a_nan_in_another_images_answer_costs_nobody_else_an_answer(embed: bool) -> None:
    """`holed_model` embeds red as [1, NaN, NaN], and classifies it as any other."""
    white = encode(Image.new("RGB", (8, 8), (255, 255, 255)))
    one, other = answered(Classifier(holed_model()), [RED, white], [embed, True])
    assert isinstance(other, np.ndarray)
    assert other.tolist() == [1, 1, 1]
    if embed:
        assert isinstance(one, ConvoluError)
        assert (one.status, "NaN or infinity" in str(one)) == (500, True)
    else:
        assert colour_of(one) == "red"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_probability_that_is_no_number_is_an_error_too(number: float) -> None:
    class Holed(Classifier):
        def classify(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
            found = super().classify(batch)
            found[batch[:, 0, 0, 2] == 255, 1] = number  # for blue pictures
            return found

    red, blue, green = answered(Holed(colour_model()), [RED, BLUE, GREEN], [False] * 3)
    assert (colour_of(red), colour_of(green)) == ("red", "green")
    assert isinstance(blue, ConvoluError)
    assert blue.status == 500
