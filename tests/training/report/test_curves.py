from __future__ import annotations

import re

import pytest

from app.card import Epoch
from training.report.curves import best_epoch, curves, verdict

pytestmark = pytest.mark.train


def history(
    training: list[float],
    loss: list[float] | None = None,
    accuracy: list[float] | None = None,
) -> list[Epoch]:
    """Epochs with this training loss, and this validation loss or accuracy."""
    return [
        Epoch(
            loss=one,
            accuracy=0.9,
            validation_loss=loss[index] if loss else None,
            validation_accuracy=accuracy[index] if accuracy else None,
        )
        for index, one in enumerate(training)
    ]


FALLING = [1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02]


@pytest.mark.parametrize(
    ("epochs", "said"),
    [
        # the best is 1.0 in epoch 4; the median of the last three decides
        (
            history(FALLING, loss=[2, 1.5, 1.2, 1.0, 1.1, 1.1, 1.1, 1.2, 1.2, 1.2]),
            "It overfits after epoch 4",
        ),
        (
            history(FALLING, loss=[2, 1.5, 1.2, 1.0, 1.1, 1.1, 1.1, 1.0499, 1.04, 1.2]),
            "It does not overfit: after its best epoch, 4",
        ),
        (
            history(FALLING, loss=[2, 1.5, 1.2, 1.0, 1.1, 1.1, 1.1, 1.0501, 1.06, 1.0]),
            "It overfits after epoch 4",
        ),
        (history(FALLING, loss=FALLING), "Validation is best in epoch 10 of 10"),
        # training loss rises too: that is no overfitting
        (
            history([1, 0.8, 0.6, 0.5, 0.6, 0.7, 0.9, 0.9, 0.9, 0.9],
                    loss=[2, 1.5, 1.2, 1.0, 1.1, 1.2, 1.3, 1.5, 1.5, 1.5]),
            "It gets worse after epoch 4, training loss with it",
        ),
        # accuracy alone: more than half a point below the best
        (
            history(FALLING, accuracy=[0.5, 0.7, 0.9, 0.96, 0.95, 0.95, 0.95, 0.954, 0.954, 0.954]),
            "It overfits after epoch 4",
        ),
        (
            history(FALLING, accuracy=[0.5, 0.7, 0.9, 0.96, 0.95, 0.95, 0.95, 0.956, 0.956, 0.956]),
            "It does not overfit: after its best epoch, 4",
        ),
        (history(FALLING), "No images were held out"),
        (history(FALLING[:5], loss=FALLING[:5]), "5 epochs are too few"),
        (history(FALLING[:6], loss=FALLING[:6]), "Validation is best in epoch 6 of 6"),
    ],
)  # fmt: skip
def test_the_curves_are_put_into_words(epochs: list[Epoch], said: str) -> None:
    assert verdict(epochs).startswith(said)


def test_loss_decides_where_there_is_loss_and_accuracy() -> None:
    both = history(FALLING[:3], loss=[1.0, 0.5, 0.7], accuracy=[0.7, 0.8, 0.9])
    assert best_epoch(both) == 2
    assert best_epoch(history(FALLING[:3], accuracy=[0.7, 0.8, 0.9])) == 3


def test_of_equals_the_first_epoch_is_the_best() -> None:
    assert best_epoch(history(FALLING[:3], loss=[0.5, 0.4, 0.4])) == 2


def test_validation_that_was_only_measured_at_times_decides_nothing() -> None:
    epochs = history(FALLING[:2]) + history(FALLING[:1], loss=[0.1])
    assert best_epoch(epochs) is None


def test_every_epoch_is_in_the_table_with_what_is_known_of_it() -> None:
    made = curves(history([0.5, 0.25], loss=[0.75, 0.625]))
    rows = re.findall(r'<th scope="row">(\d)</th>(.*?)</tr>', made)
    assert [number for number, _ in rows] == ["1", "2"]
    assert re.findall(r">([^<>]+)</td>", rows[1][1]) == ["0.25", "90.00\u00a0%", "0.625"]
    assert "learning rate" not in made


def test_the_best_epoch_is_marked_in_the_figure() -> None:
    assert "best: 2" in curves(history([0.5, 0.3, 0.2], loss=[0.75, 0.6, 0.7]))


def test_the_learning_rate_has_a_figure_where_it_is_known() -> None:
    epochs = [Epoch(loss=1, accuracy=0.5, learning_rate=rate) for rate in (0.002, 0.001)]
    assert 'aria-label="Learning rate: at most 0.002, at the end 0.001."' in curves(epochs)


def test_a_loss_of_0_can_be_drawn() -> None:
    assert "<svg" in curves(history([0.5, 0.0]))
