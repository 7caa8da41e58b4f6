from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from training.mix import cutmix, mixup

N = 16
TARGETS = np.eye(N, dtype=np.float32)  # each picture is a class of its own
BATCH = np.arange(N, dtype=np.float32)[:, None, None, None] * np.ones((1, 12, 20, 3), np.float32)
both = pytest.mark.parametrize("mix", [mixup, cutmix])
Mix = Callable[..., tuple[NDArray[np.float32], NDArray[np.float32]]]


def mixed(mix: Mix, seed: int) -> tuple[Any, Any]:
    return mix(BATCH, TARGETS, 1.0, np.random.default_rng(seed))


@both
def test_what_a_picture_is_of_is_what_its_targets_say(mix: Mix) -> None:
    for seed in range(50):
        batch, targets = mixed(mix, seed)
        shown = batch.mean(axis=(1, 2, 3))  # a picture is as bright as its class is high
        assert shown == pytest.approx(targets @ np.arange(N), abs=1e-4)


@both
def test_targets_sum_to_1_and_all_of_a_batch_share_alike(mix: Mix) -> None:
    for seed in range(20):
        batch, targets = mixed(mix, seed)
        assert (batch.dtype, targets.dtype) == (np.float32, np.float32)
        assert targets.sum(axis=1) == pytest.approx(1)
        kept = targets[np.arange(N), np.arange(N)]
        assert len(np.unique(np.round(kept[kept < 1], 5))) <= 1


@both
def test_shares_are_spread_over_the_whole_range(mix: Mix) -> None:
    shares = []
    for seed in range(300):
        kept = np.diag(mixed(mix, seed)[1])
        shares += [float(kept.min())]
    assert min(shares) < 0.2
    assert max(shares) > 0.9


@both
def test_the_batch_given_is_left_alone_and_the_seed_decides(mix: Mix) -> None:
    before = BATCH.copy()
    first, again, other = mixed(mix, 1)[0], mixed(mix, 1)[0], mixed(mix, 2)[0]
    assert np.array_equal(BATCH, before)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_cutmix_puts_one_rectangle_of_one_other_picture_into_each() -> None:
    for seed in range(30):
        batch, _ = mixed(cutmix, seed)
        for number, picture in enumerate(batch):
            rows, columns = np.nonzero(picture[..., 0] != number)
            if len(rows) == 0:
                continue
            inside = picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            assert inside.size == 3 * len(rows)
            assert len(np.unique(inside)) == 1
