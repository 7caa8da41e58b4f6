from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from app.classifier import Classifier
from app.preprocess import Preprocess
from tests.conftest import BLUE, GREEN, RED, colour_card, colour_model, encode, plain
from training.robustness import (
    CHANGES,
    MOST_IMAGES,
    _pixels,
    moved,
    negative,
    noisy,
    robustness,
    turned,
)

CLASSIFIER = Classifier(colour_model())


def framed(colour: tuple[int, int, int]) -> bytes:
    """One colour in the middle of black."""
    image = Image.new("RGB", (12, 12))
    image.paste(colour, (3, 3, 9, 9))
    return encode(image)


def test_every_change_is_measured_at_strength_0_and_at_each_of_its_own() -> None:
    measured = robustness(CLASSIFIER, [RED, GREEN, BLUE], np.array([0, 1, 2]))
    assert [(one.change, one.strength) for one in measured] == [
        (name, strength)
        for name, (_, _, strengths) in CHANGES.items()
        for strength in (0, *strengths)
    ]
    assert {one.images for one in measured} == {3}


def test_a_network_that_looks_at_colour_alone_fails_on_negatives_and_on_nothing_else() -> None:
    """The negative of red is cyan: green, the first of the two that prevail. Of three, none is
    right; noise and place change no mean by much."""
    files = [framed((255, 0, 0)), framed((0, 255, 0)), framed((0, 0, 255))]
    measured = robustness(CLASSIFIER, files, np.array([0, 1, 2]))
    accuracy = {(one.change, one.strength): one.accuracy for one in measured}
    assert accuracy.pop(("inversion", 1)) == 0
    assert set(accuracy.values()) == {1.0}


def test_of_many_images_a_thousand_are_taken_over_the_whole_range() -> None:
    """The first half is labelled right, the second wrong: a part from one end would not be half."""
    files = [RED] * (2 * MOST_IMAGES)
    truth = np.repeat([0, 1], MOST_IMAGES)
    first = robustness(CLASSIFIER, files, truth)[0]
    assert first.images == MOST_IMAGES
    assert first.accuracy == 0.5


def dot(row: int, column: int) -> np.ndarray:
    pixels = np.zeros((20, 20, 1), np.uint8)
    pixels[row, column] = 200
    return pixels


def place(pixels: np.ndarray) -> tuple[int, int]:
    row, column = np.unravel_index(pixels[..., 0].argmax(), pixels.shape[:2])
    return int(row), int(column)


def test_pictures_move_down_up_right_and_left_in_turn() -> None:
    places = [place(moved(dot(10, 10), 20, number)) for number in range(4)]
    assert places == [(14, 10), (6, 10), (10, 14), (10, 6)]


def test_what_comes_in_is_the_median_of_the_border() -> None:
    pixels = np.full((10, 10, 3), (40, 50, 60), np.uint8)
    pixels[3:7, 3:7] = 255
    for changed in (moved(pixels, 20, 0), turned(pixels, 45, 0)):
        assert changed[0, 0].tolist() == [40, 50, 60]
        assert changed.shape == pixels.shape


def test_even_pictures_turn_clockwise_and_odd_ones_the_other_way() -> None:
    """By 90 degrees, what is above the middle comes to the right of it, or to the left."""
    pixels = np.zeros((21, 21, 1), np.uint8)
    pixels[2, 10] = 200
    assert place(turned(pixels, 90, 0)) == (10, 18)
    assert place(turned(pixels, 90, 1)) == (10, 2)


def test_noise_has_its_strength_and_is_the_same_each_time() -> None:
    grey = np.full((60, 60, 1), 128, np.uint8)
    noise = noisy(grey, 25, 0).astype(int) - 128
    assert noise.std() == pytest.approx(25, rel=0.05)
    assert np.array_equal(noisy(grey, 25, 0), noisy(grey, 25, 0))
    assert not np.array_equal(noisy(grey, 25, 0), noisy(grey, 25, 1))


def test_noise_ends_at_black_and_white() -> None:
    black, white = np.zeros((9, 9, 1), np.uint8), np.full((9, 9, 1), 255, np.uint8)
    assert noisy(black, 10, 0).max() < 128
    assert noisy(white, 10, 0).min() > 128


def test_the_negative_of_a_negative_is_the_picture() -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert np.array_equal(negative(negative(pixels, 1, 0), 1, 0), pixels)
    assert negative(pixels, 1, 0)[0, 0, 0] == 255


@pytest.mark.parametrize(
    ("size", "layout", "expected"),
    [
        ((100, 400), "crop", (10, 40)),  # the side that fits stays twice what is seen
        ((400, 100), "squash", (40, 10)),
        ((8, 300), "crop", (8, 300)),  # a side that is small already
        ((400, 100), "digit", (400, 100)),  # thin ink is looked for in all of it
    ],
)
def test_large_pictures_are_changed_at_twice_the_size_that_is_seen(
    size: tuple[int, int], layout: str, expected: tuple[int, int]
) -> None:
    channels = 1 if layout == "digit" else 3
    seen = Preprocess(5, 5, channels=channels, layout=layout)  # type: ignore[arg-type]
    pixels = _pixels(plain((200, 10, 10), size), seen)
    assert pixels.shape == (expected[1], expected[0], channels)


def test_a_large_jpeg_of_a_digit_comes_as_small_as_the_service_decodes_it() -> None:
    jpeg = encode(Image.new("RGB", (2000, 1600), (200, 200, 200)), "JPEG")
    pixels = _pixels(jpeg, Preprocess(5, 5, channels=1, layout="digit"))
    assert pixels.shape == (400, 500, 1)


def test_grey_models_are_asked_with_grey_pictures() -> None:
    card = colour_card(preprocess=Preprocess(4, 4, channels=1))
    assert _pixels(RED, card.preprocess).shape == (8, 8, 1)
