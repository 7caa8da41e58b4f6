from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.classifier import Probabilities
from training.evaluate import (
    calibration_error,
    confusion,
    measure,
    wilson,
)

shares = st.integers(1, 20_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def table(*rows: list[float]) -> Probabilities:
    return np.array(rows, np.float32)


def truth(*classes: int) -> NDArray[np.int64]:
    return np.array(classes, np.int64)


def test_metrics_are_what_one_counts_by_hand() -> None:
    probabilities = table(
        [0.7, 0.2, 0.1],  # cat, right
        [0.1, 0.8, 0.1],  # cat, wrong
        [0.2, 0.5, 0.3],  # dog, right
        [0.3, 0.1, 0.6],  # owl, right
    )
    metrics = measure(
        probabilities,
        truth(0, 0, 1, 2),
        ["cat", "dog", "owl"],
        "four pictures",
        {"1": 0.75, "2": 0.5},
    )
    assert metrics.accuracy == 0.75
    assert metrics.accuracy_interval == wilson(3, 4)
    assert metrics.images == 4
    assert metrics.per_class_accuracy == {"cat": 0.5, "dog": 1.0, "owl": 1.0}
    # 0.7 right, 0.8 wrong, 0.5 right, 0.6 right lie in four bins
    assert metrics.calibration_error == pytest.approx((0.3 + 0.8 + 0.5 + 0.4) / 4)
    assert metrics.measured_on == "four pictures"
    assert metrics.seed_accuracies == {"1": 0.75, "2": 0.5}


def test_confusion_has_a_row_for_each_true_class_and_a_column_for_each_answer() -> None:
    probabilities = table([0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1])
    counts = confusion(probabilities, truth(0, 0, 1, 1), 3)
    assert counts == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]


def test_a_class_without_pictures_has_no_accuracy() -> None:
    metrics = measure(table([0.6, 0.4], [0.3, 0.7]), truth(0, 0), ["cat", "dog"], "two")
    assert metrics.per_class_accuracy == {"cat": 0.5}
    assert metrics.seed_accuracies == {}


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_intervals_are_the_published_ones(
    right: int, n: int, low: float, high: float
) -> None:
    """Table I, method 3, of Newcombe, "Two-sided confidence intervals for the single proportion:
    comparison of seven methods" (Statistics in Medicine 17, 1998)."""
    assert wilson(right, n) == pytest.approx((low, high), abs=0.00005)


@settings(deadline=None)
@example((0, 7))
@example((4, 4))
@given(shares)
def test_an_interval_stays_between_0_and_1(share: tuple[int, int]) -> None:
    low, high = wilson(*share)
    assert 0 <= low < high <= 1


@pytest.mark.parametrize("n", [1, 7, 9, 10, 10_000])
def test_none_right_starts_at_0_and_all_right_ends_at_1(n: int) -> None:
    (none_low, none_high), (all_low, all_high) = wilson(0, n), wilson(n, n)
    assert f"{none_low:.2%}" == "0.00%"  # and not -0.00%
    assert all_high == pytest.approx(1)
    assert none_high == pytest.approx(1 - all_low)
    assert none_high > 0


@settings(deadline=None)
@given(shares)
def test_an_interval_holds_the_share_itself_and_is_mirrored_for_the_wrong_ones(
    share: tuple[int, int],
) -> None:
    right, n = share
    low, high = wilson(right, n)
    assert low - 1e-12 <= right / n <= high + 1e-12
    assert wilson(n - right, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@settings(deadline=None)
@given(shares, st.integers(2, 100))
def test_more_pictures_make_the_interval_of_a_share_narrower(
    share: tuple[int, int], times: int
) -> None:
    right, n = share
    low, high = wilson(right, n)
    more_low, more_high = wilson(right * times, n * times)
    assert more_high - more_low < high - low


def test_calibration_error_is_what_one_sums_by_hand() -> None:
    probabilities = table([0.95, 0.05], [0.95, 0.05], [0.62, 0.38], [0.38, 0.62])
    # sure of 1.90, right 1 | sure of 1.24, right 2: too sure by 0.90 and too unsure by 0.76
    assert calibration_error(probabilities, truth(0, 1, 0, 1)) == pytest.approx((0.90 + 0.76) / 4)


def test_fifteen_bins_tell_61_from_69_percent_but_not_from_66() -> None:
    bins_apart = calibration_error(table([0.61, 0.39], [0.69, 0.31]), truth(0, 1))
    assert bins_apart == pytest.approx((0.39 + 0.69) / 2)
    one_bin = calibration_error(table([0.61, 0.39], [0.66, 0.34]), truth(0, 1))
    assert one_bin == pytest.approx((0.61 + 0.66 - 1) / 2)


def test_right_as_often_as_sure_is_an_error_of_0() -> None:
    probabilities = table(*[[0.7, 0.3]] * 10, *[[0.1, 0.9]] * 10)
    classes = truth(*[0] * 7, *[1] * 3, *[1] * 9, 0)
    assert calibration_error(probabilities, classes) == pytest.approx(0, abs=1e-6)


def test_always_sure_and_always_right_is_0_and_always_wrong_is_1() -> None:
    sure = table([1, 0, 0], [0, 1, 0], [0, 0, 1])
    assert calibration_error(sure, truth(0, 1, 2)) == 0
    assert calibration_error(sure, truth(1, 2, 0)) == 1


def test_being_certain_is_not_counted_with_being_the_least_sure() -> None:
    certain = np.eye(20)[0]
    unsure = np.where(np.arange(20) == 1, 0.06, 0.94 / 19)  # in the lowest of the bins
    error = calibration_error(np.stack([certain, unsure]).astype(np.float32), truth(2, 1))
    assert error == pytest.approx((1 + 0.94) / 2)


@st.composite
def answered(draw: st.DrawFn) -> tuple[Probabilities, NDArray[np.int64]]:
    """Any softmax over 2 to 5 classes for 1 to 40 pictures, and any truth."""
    n, classes = draw(st.integers(1, 40)), draw(st.integers(2, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sharpness = draw(st.sampled_from([0.0, 1.0, 5.0, 100.0]))
    powers = np.exp(sharpness * rng.uniform(size=(n, classes)))
    probabilities = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities, rng.integers(0, classes, n)


@settings(deadline=None)
@given(answered())
def test_calibration_error_lies_between_the_gap_of_the_means_and_1(
    pictures: tuple[Probabilities, NDArray[np.int64]],
) -> None:
    probabilities, classes = pictures
    gap = probabilities.max(axis=1).mean() - (probabilities.argmax(axis=1) == classes).mean()
    assert abs(gap) - 1e-6 <= calibration_error(probabilities, classes) <= 1 + 1e-6


@settings(deadline=None)
@given(answered())
def test_metrics_do_not_depend_on_the_order_of_the_pictures(
    pictures: tuple[Probabilities, NDArray[np.int64]],
) -> None:
    probabilities, classes = pictures
    labels = [f"class {index}" for index in range(probabilities.shape[1])]
    once = measure(probabilities, classes, labels, "all")
    again = measure(probabilities[::-1], classes[::-1], labels, "all")
    assert again.accuracy == once.accuracy
    assert again.per_class_accuracy == once.per_class_accuracy
    assert again.calibration_error == pytest.approx(once.calibration_error, abs=1e-9)


@settings(deadline=None)
@given(answered())
def test_the_accuracy_is_the_mean_of_the_classes_weighed_by_their_pictures(
    pictures: tuple[Probabilities, NDArray[np.int64]],
) -> None:
    probabilities, classes = pictures
    labels = [str(index) for index in range(probabilities.shape[1])]
    metrics = measure(probabilities, classes, labels, "all")
    right = sum(
        share * (classes == int(label)).sum() for label, share in metrics.per_class_accuracy.items()
    )
    assert metrics.accuracy == pytest.approx(right / len(classes))
    assert metrics.images == len(classes)


def test_a_temperature_is_told_with_the_calibration_error_there_would_be_without_it() -> None:
    probabilities = table([0.8, 0.2], [0.8, 0.2], [0.3, 0.7])
    classes = truth(0, 1, 1)
    metrics = measure(probabilities, classes, ["cat", "dog"], "three", temperature=2.0)
    # logits twice as far apart: 0.8 / 0.2 becomes 0.64 / 0.04
    undivided = table([16 / 17, 1 / 17], [16 / 17, 1 / 17], [9 / 58, 49 / 58])
    assert metrics.temperature == 2.0
    assert metrics.calibration_error == calibration_error(probabilities, classes)
    assert metrics.calibration_error_before == pytest.approx(calibration_error(undivided, classes))


def test_a_temperature_of_1_is_none_and_there_is_no_error_before() -> None:
    metrics = measure(table([0.8, 0.2]), truth(0), ["cat", "dog"], "one", temperature=1.0)
    assert metrics.temperature is None
    assert metrics.calibration_error_before is None
