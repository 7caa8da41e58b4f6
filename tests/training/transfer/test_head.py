from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from training.data import class_weights
from training.transfer.head import STRENGTHS, Head, fit_head

pytestmark = pytest.mark.train


def clouds(
    counts: list[int], spread: float, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Two views of each picture, near a centre of its class; one feature is always 5."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(counts)), counts)
    centres = 10 * np.eye(len(counts), 6)[truth]
    features = centres[:, None] + rng.normal(0, spread, (len(truth), 2, 6))
    features[..., -1] = 5
    return features.astype(np.float32), truth


def each(truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """Every image is of a picture of its own."""
    return np.arange(len(truth))


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_classes_that_lie_apart_are_told_apart(classes: int) -> None:
    features, truth = clouds([30] * classes, spread=1)
    head = fit_head(features, truth, None, each(truth), 0)
    assert head.kernel.shape == (6, classes)
    assert head.kernel.dtype == head.bias.dtype == np.float32
    unseen, theirs = clouds([50] * classes, spread=1, seed=1)
    probabilities = head(unseen[:, 1])
    assert (probabilities.argmax(axis=1) == theirs).mean() > 0.99
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_two_classes_get_the_probabilities_of_a_logistic_curve() -> None:
    """softmax(−z/2, z/2) is the logistic function of z, which scikit-learn gives of two classes."""
    from sklearn.linear_model import LogisticRegression

    features, truth = clouds([20, 20], spread=8)
    head = fit_head(features, truth, None, each(truth), 0)
    rows = features.reshape(80, 6).astype(np.float64)
    deviation = np.where(rows.std(axis=0) > 0, rows.std(axis=0), 1)
    scaled = (rows - rows.mean(axis=0)) / deviation
    theirs = LogisticRegression(C=head.strength / 2).fit(scaled, truth.repeat(2))
    np.testing.assert_allclose(
        head(features.reshape(80, 6)), theirs.predict_proba(scaled), atol=1e-3
    )


def test_pictures_that_tell_little_get_a_head_that_claims_little() -> None:
    clear, truth = clouds([40, 40], spread=1)
    noise = np.random.default_rng(0).normal(size=clear.shape).astype(np.float32)
    little, much = (fit_head(one, truth, None, each(truth), 0) for one in (noise, clear))
    assert little.strength < much.strength


def test_views_of_one_picture_are_never_on_both_sides_of_a_split() -> None:
    """Without a rule behind the classes, only another view of a picture could give it away."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(60, 1, 200)).astype(np.float32).repeat(2, axis=1)
    head = fit_head(points, rng.permutation(60) % 2, None, np.arange(60), 0)
    assert head.strength <= STRENGTHS[1]


def test_equal_pictures_are_never_on_both_sides_of_a_split() -> None:
    """Likewise: only the other of two equal pictures could give one away."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(60, 1, 200)).astype(np.float32)
    twice, truth = np.tile(points, (2, 1, 1)), np.tile(rng.permutation(60) % 2, 2)
    strengths = [
        fit_head(twice, truth, None, pictures, 0).strength
        for pictures in (np.tile(np.arange(60), 2), np.arange(120))
    ]
    assert strengths[0] <= STRENGTHS[1] < strengths[1]


def test_a_class_of_copies_of_another_ones_pictures_is_no_error() -> None:
    features, truth = clouds([30, 30, 4], spread=0.5)
    pictures = np.where(truth == 2, 30 + each(truth) - 60, each(truth))
    assert fit_head(features, truth, None, pictures, 0).kernel.shape == (6, 3)


def test_a_class_whose_pictures_are_all_equal_is_learnt_too() -> None:
    features, truth = clouds([4, 30], spread=0.5)
    head = fit_head(features, truth, class_weights(truth, 2), np.maximum(each(truth), 3), 0)
    assert (head(features[:, 0]).argmax(axis=1) == truth).all()


def test_a_weight_gives_a_rare_class_its_due() -> None:
    features, truth = clouds([190, 10], spread=12)
    unseen, theirs = clouds([200, 200], spread=12, seed=1)

    def found(weights: NDArray[np.float32] | None) -> float:
        answers = fit_head(features, truth, weights, each(truth), 0)(unseen[:, 0]).argmax(axis=1)
        return float((answers[theirs == 1] == 1).mean())

    assert found(np.array([0.5, 10], np.float32)) > 0.5 > found(None)


@pytest.mark.parametrize("counts", [[1, 1], [1, 30], [2, 2], [3, 30]])
def test_classes_of_few_pictures_are_learnt_too(counts: list[int]) -> None:
    features, truth = clouds(counts, spread=0.5)
    head = fit_head(features, truth, class_weights(truth, 2), each(truth), 0)
    assert (head(features[:, 0]).argmax(axis=1) == truth).all()


def test_the_same_seed_gives_the_same_head() -> None:
    features, truth = clouds([20, 30], spread=5)
    one, other = (fit_head(features, truth, None, each(truth), 3) for _ in range(2))
    assert one.kernel.tobytes() == other.kernel.tobytes()
    assert (one.bias.tobytes(), one.strength) == (other.bias.tobytes(), other.strength)


def test_logits_of_any_size_give_probabilities() -> None:
    head = Head(np.array([[1000, -1000]], np.float32), np.zeros(2, np.float32), 1)
    assert head(np.array([[1], [-1]], np.float32)).tolist() == [[1, 0], [0, 1]]
