"""Features → classes: logistic regression, its strength chosen by cross-validation.

Knows nothing of networks or pictures. What belongs to one picture stays on one side of a split.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

# 1 / penalty on squared weights, of features that vary by 1; scikit-learn calls it C.
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
FOLDS = 5
CHUNK = 64  # features whose deviation is computed at once: NumPy copies what it is computed of


@dataclass(frozen=True)
class Head:
    """softmax(features · kernel + bias); kernel is features×classes."""

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    strength: float  # that was chosen

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features N×D → probabilities N×K."""
        logits = features @ self.kernel + self.bias
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True), np.float32)


def fit_head(
    features: NDArray[np.float32],
    truth: NDArray[np.int64],
    weights: NDArray[np.float32] | None,
    pictures: NDArray[np.int64],
    seed: int,
) -> Head:
    """Features N×views×D and classes N, each class at least once → the head.

    Of `STRENGTHS` it takes the one with the least loss on pictures that it was not fitted to.
    `weights` says for each class how much its pictures count; `pictures` N gives each image the
    number of its picture: equal images share one.
    """
    first = np.sort(np.unique(pictures, return_index=True)[1])
    classes = int(truth.max()) + 1
    folds = min(FOLDS, int(np.bincount(truth[first], minlength=classes).min()))
    if folds < 2:  # a class of one picture: nothing to choose by
        return _fit(features, truth, STRENGTHS[len(STRENGTHS) // 2], weights)
    losses = np.zeros(len(STRENGTHS))
    splits = StratifiedKFold(folds, shuffle=True, random_state=seed).split(first, truth[first])
    for parts in splits:
        kept, left_out = (np.isin(pictures, pictures[first[part]]) for part in parts)
        for index, strength in enumerate(STRENGTHS):
            head = _fit(features[kept], truth[kept], strength, weights)
            losses[index] += log_loss(truth[left_out], head(features[left_out, 0]))
    return _fit(features, truth, STRENGTHS[int(losses.argmin())], weights)


def _fit(
    features: NDArray[np.float32],
    truth: NDArray[np.int64],
    strength: float,
    weights: NDArray[np.float32] | None,
) -> Head:
    """Every view is an example; what makes the features vary by 1 is folded into the kernel."""
    n, views, width = features.shape
    rows = features.reshape(n * views, width).astype(np.float64)  # the one copy there is
    mean = rows.mean(axis=0)
    rows -= mean
    deviation = np.concatenate(
        [rows[:, start : start + CHUNK].std(axis=0) for start in range(0, width, CHUNK)]
    )
    deviation[deviation == 0] = 1  # a feature that says nothing
    rows /= deviation
    fitted = LogisticRegression(
        C=strength / views,
        class_weight=None if weights is None else dict(enumerate(weights.tolist())),
        max_iter=1000,
    ).fit(rows, truth.repeat(views))
    coefficients, intercept = fitted.coef_, fitted.intercept_  # K×D and K; of two classes one
    if len(coefficients) == 1:
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercept = np.concatenate([-intercept, intercept]) / 2
    kernel = coefficients.T / deviation[:, None]
    bias = intercept - mean @ kernel
    return Head(kernel.astype(np.float32), bias.astype(np.float32), strength)
