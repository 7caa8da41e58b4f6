from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

from tests.training.test_batches import STILL, batches_of, data_of, numbered
from training.batches import Batch, Batches
from training.epoch import Means, learn

pytestmark = pytest.mark.train


def network(learning_rate: float = 0.0) -> keras.Model:
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
    )
    model.compile(
        keras.optimizers.SGD(learning_rate), "categorical_crossentropy", metrics=["accuracy"]
    )
    return model


class Watched(Batches):
    """Notes which batches it made."""

    def __init__(self, *facts: object) -> None:
        super().__init__(*facts)  # type: ignore[arg-type]
        self.made: list[int] = []

    def __getitem__(self, index: int) -> Batch:
        self.made.append(index)
        return super().__getitem__(index)


def nothing(done: int, means: Means) -> None: ...


def test_the_means_are_those_of_all_images_though_the_last_batch_is_smaller() -> None:
    model, batches = network(), batches_of(20)
    means = learn(model, batches, nothing)
    everything = tuple(
        np.concatenate(part) for part in zip(*(batches[i] for i in range(3)), strict=True)
    )
    expected = model.test_on_batch(*everything, return_dict=True)
    assert means == pytest.approx({name: float(value) for name, value in expected.items()})


def test_it_learns_from_each_batch_once_as_if_they_were_given_one_by_one() -> None:
    learnt, given = network(0.01), network(0.01)
    batches = batches_of(20)
    learn(learnt, batches, nothing)
    for index in range(len(batches)):
        given.train_on_batch(*batches[index])
    for one, other in zip(learnt.get_weights(), given.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(learnt.get_weights()[0], network().get_weights()[0])


def test_weights_of_classes_count_in_the_loss() -> None:
    data = data_of(numbered(80), np.array([0] * 70 + list(range(10))))
    plain, balanced = (
        learn(network(), Batches(replace(STILL, balanced=weigh), data, np.arange(80), 5), nothing)
        for weigh in (False, True)
    )
    assert balanced["loss"] != pytest.approx(plain["loss"])
    assert balanced["accuracy"] == plain["accuracy"]


def test_each_step_is_told_with_the_means_so_far() -> None:
    told: list[tuple[int, float]] = []
    means = learn(
        network(), batches_of(20), lambda done, so_far: told.append((done, so_far["loss"]))
    )
    assert [done for done, _ in told] == [1, 2, 3]
    assert told[-1][1] == means["loss"] != told[0][1]


def test_no_more_than_the_next_batch_is_made_ahead() -> None:
    batches = Watched(STILL, data_of(numbered(80)), np.arange(80), 5)
    ahead: list[int] = []
    learn(network(), batches, lambda done, _: ahead.append(len(batches.made) - done))
    assert batches.made == list(range(10))
    assert max(ahead) <= 1


def test_a_batch_that_cannot_be_made_ends_it_with_the_reason() -> None:
    class Broken(Watched):
        def __getitem__(self, index: int) -> Batch:
            if index == 2:
                raise OSError("the disk is gone")
            return super().__getitem__(index)

    told: list[int] = []
    batches = Broken(STILL, data_of(numbered(80)), np.arange(80), 5)
    with pytest.raises(OSError, match="the disk is gone"):
        learn(network(), batches, lambda done, _: told.append(done))
    assert told == [1, 2]
