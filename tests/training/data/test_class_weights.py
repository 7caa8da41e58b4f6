from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.class_weights import class_weights


def truth(*counts: int) -> np.ndarray:
    return np.repeat(np.arange(len(counts)), counts)


def test_weights_are_balanced() -> None:
    weights = class_weights(truth(30, 10), 2)
    assert weights is not None
    assert weights.dtype == np.float32
    assert weights.tolist() == pytest.approx([40 / 60, 40 / 20])


@given(st.lists(st.integers(1, 500), min_size=2, max_size=8))
def test_every_class_counts_the_same_and_a_picture_1_in_the_mean(counts: list[int]) -> None:
    weights = class_weights(truth(*counts), len(counts))
    if weights is None:
        assert max(counts) <= 1.5 * min(counts)
        return
    totals = weights * counts
    assert np.allclose(totals, totals[0], rtol=1e-5)
    assert weights[truth(*counts)].mean() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize(("counts", "needed"), [((15, 10), False), ((16, 10), True)])
def test_classes_that_are_nearly_even_need_none(counts: tuple[int, ...], needed: bool) -> None:
    assert (class_weights(truth(*counts), len(counts)) is not None) == needed


@pytest.mark.parametrize("classes", [3, 1])
def test_a_class_without_a_picture_is_refused(classes: int) -> None:
    with pytest.raises(ValueError, match="pictures of each of"):
        class_weights(truth(2, 2), classes)
