from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from app.classifier import Probabilities
from training.calibrate import COLDEST, FEWEST_WRONG, HOTTEST, calibrate, fold
from training.evaluate import calibration_error, tempered

pytestmark = pytest.mark.train

Answers = tuple[Probabilities, NDArray[np.int64]]


def answers_that_are_right_as_often_as_they_say(n: int = 4000, classes: int = 5) -> Answers:
    """Truth is drawn from the probabilities themselves."""
    rng = np.random.default_rng(3)
    probabilities = softmax(3 * rng.standard_normal((n, classes)), axis=1)
    truth = (probabilities.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    return probabilities.astype(np.float32), truth


@pytest.mark.parametrize("by", [0.5, 0.8, 1.5, 3.0])
def test_the_temperature_that_was_put_in_is_found(by: float) -> None:
    honest, truth = answers_that_are_right_as_often_as_they_say()
    found = calibrate(tempered(honest, 1 / by), truth)
    assert found.temperature == pytest.approx(by, rel=0.06)
    assert found.error_after < found.error_before
    assert found.error_after < 0.02


def test_the_errors_are_those_of_the_answers_without_and_with_it() -> None:
    honest, truth = answers_that_are_right_as_often_as_they_say()
    sure = tempered(honest, 0.5)
    found = calibrate(sure, truth)
    assert found.error_before == calibration_error(sure, truth)
    assert found.error_after == calibration_error(tempered(sure, found.temperature), truth)


def test_no_other_temperature_makes_the_truth_more_likely() -> None:
    honest, truth = answers_that_are_right_as_often_as_they_say(500)
    sure = tempered(honest, 0.5)

    def likelihood(temperature: float) -> float:
        logarithms = log_softmax(np.log(sure.astype(float)) / temperature, axis=1)
        return float(logarithms[np.arange(len(truth)), truth].mean())

    best = likelihood(calibrate(sure, truth).temperature)
    assert all(likelihood(one) <= best + 1e-6 for one in np.geomspace(COLDEST, HOTTEST, 60))


def test_the_same_answers_give_the_same_temperature() -> None:
    honest, truth = answers_that_are_right_as_often_as_they_say(300)
    assert calibrate(tempered(honest, 0.5), truth) == calibrate(tempered(honest, 0.5), truth)


def wrong(count: int, of: int = 200) -> Answers:
    """Answers at 99 % each, so many of them wrong."""
    probabilities = np.tile(np.array([0.99, 0.01], np.float32), (of, 1))
    return probabilities, np.where(np.arange(of) < count, 1, 0)


@pytest.mark.parametrize(
    ("count", "fitted"), [(0, False), (FEWEST_WRONG - 1, False), (FEWEST_WRONG, True)]
)
def test_with_too_few_wrong_answers_nothing_is_fitted(count: int, fitted: bool) -> None:
    probabilities, truth = wrong(count)
    found = calibrate(probabilities, truth)
    assert (found.temperature != 1) == fitted
    assert found.error_before == calibration_error(probabilities, truth)
    assert (found.error_after < found.error_before) == fitted


def test_one_image_is_too_few() -> None:
    assert calibrate(*wrong(1, of=1)).temperature == 1


def test_a_temperature_that_does_not_lower_the_error_is_left_out() -> None:
    """Likelihood wants these twenty answers less sure; their error, already 0, would rise."""
    probabilities = np.tile(np.array([0.5, 0.3, 0.2], np.float32), (20, 1))
    truth = np.array([0] * 10 + [1] * 10)
    assert calibration_error(probabilities, truth) == 0
    assert calibrate(probabilities, truth).temperature == 1


def test_answers_that_are_always_wrong_stop_at_the_hottest_temperature() -> None:
    probabilities, truth = wrong(50, of=50)
    assert calibrate(probabilities, truth).temperature == pytest.approx(HOTTEST, rel=1e-3)


def test_a_probability_of_0_for_the_truth_is_no_infinity() -> None:
    probabilities = np.tile(np.array([1, 0], np.float32), (40, 1))
    found = calibrate(probabilities, np.array([0, 1] * 20))
    assert COLDEST < found.temperature <= HOTTEST
    assert np.isfinite(found.error_after)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(COLDEST, HOTTEST))
def test_no_answer_changes_with_the_temperature(seed: int, temperature: float) -> None:
    rng = np.random.default_rng(seed)
    probabilities = softmax(rng.standard_normal((9, 4)), axis=1).astype(np.float32)
    cooler = tempered(probabilities, temperature)
    assert np.array_equal(cooler.argmax(axis=1), probabilities.argmax(axis=1))
    assert np.allclose(cooler.sum(axis=1), 1, atol=1e-5)
    assert np.allclose(tempered(probabilities, 1), probabilities, atol=1e-6)


HEADS = {
    "softmax in the Dense": lambda: [layers.Dense(3, activation="softmax")],
    "a softmax of its own": lambda: [layers.Dense(3), layers.Softmax()],
    "without a bias, scaled": lambda: [
        layers.Dense(3, use_bias=False),
        layers.Rescaling(0.5),
        layers.Activation("softmax"),
    ],
    "two Dense": lambda: [layers.Dense(4, activation="relu"), layers.Dense(3, "softmax")],
}


@pytest.mark.parametrize("head", HEADS)
def test_folding_divides_the_logits_and_nothing_else(head: str) -> None:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), *HEADS[head]()])
    for variable in model.weights:  # biases are 0 at first
        variable.assign(keras.random.normal(variable.shape, seed=2))
    batch = np.random.default_rng(1).normal(size=(6, 2, 2, 1)).astype(np.float32)
    before = np.asarray(model.predict_on_batch(batch))
    fold(model, 2.5)
    assert np.allclose(model.predict_on_batch(batch), tempered(before, 2.5), atol=1e-6)


def test_a_temperature_of_1_asks_nothing_of_the_head() -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Activation("relu")])
    before = model.get_weights()
    fold(model, 1.0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize(
    "last",
    [
        lambda: layers.Dense(3, activation="sigmoid"),
        lambda: layers.Rescaling(1.0, offset=0.1),
        lambda: layers.Activation("relu"),
        lambda: layers.BatchNormalization(),
    ],
)
def test_a_head_that_does_more_than_scale_is_refused_and_left_as_it_was(last: object) -> None:
    made = last()  # type: ignore[operator]
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), made, layers.Softmax()])
    before = [np.asarray(one) for one in model.get_weights()]
    with pytest.raises(ValueError, match=made.name):
        fold(model, 2.0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
