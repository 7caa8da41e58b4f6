"""Loss, accuracy and learning rate of each epoch, and in words what they say of overfitting."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from app.card import Epoch
from training.report.markup import Markup, details, el, percent, section, table
from training.report.plots import FIRST, INK, QUIET, SECOND, plot

# Batches and held-out images are a draw: what is smaller than this is no difference.
LOSS_RISE = 0.05  # of the least validation loss
ACCURACY_FALL = 0.005  # half a percentage point, where only accuracy was validated
LAST = 3  # epochs whose median stands for the end


def curves(history: Sequence[Epoch]) -> Markup:
    """The section: three small figures, one sentence, the numbers as a table."""
    best = best_epoch(history)
    figures = [
        _figure("Loss", history, "loss", best),
        _figure("Accuracy", history, "accuracy", best),
        _learning_rate(history),
    ]
    return section(
        "curves",
        "Training, epoch by epoch",
        el("p", verdict(history)),
        el("div", figures, class_="figures"),
        el(
            "p",
            "Training images are measured while they are trained on, distorted as the recipe says, "
            "as the mean of an epoch: they may look worse than images that were held out.",
            class_="quiet",
        ),
        details("Numbers of each epoch", _numbers(history)),
    )


def best_epoch(history: Sequence[Epoch]) -> int | None:
    """The epoch, from 1, with the least validation loss, or else the highest accuracy.

    None where nothing was held out.
    """
    wrong = _validation(history)
    return None if wrong is None else wrong.index(min(wrong)) + 1


def verdict(history: Sequence[Epoch]) -> str:
    """What the curves say, by one rule, with the epochs that it is read from.

    A run overfits after its best epoch if validation at the end (the median of the last three
    epochs) is worse than at its best by more than LOSS_RISE or ACCURACY_FALL, while training loss
    fell on. A best epoch among these three may not be the best there is.
    """
    wrong, best = _validation(history), best_epoch(history)
    if wrong is None or best is None:
        return "No images were held out, so these curves cannot say whether it overfits."
    if len(history) < 2 * LAST:
        return f"{len(history)} epochs are too few to say whether it overfits."
    if best > len(history) - LAST:
        return f"Validation is best in epoch {best} of {len(history)}: more epochs may help."
    at_best, at_end = wrong[best - 1], median(wrong[-LAST:])
    if history[0].validation_loss is None:
        worse = at_end - at_best > ACCURACY_FALL
    else:
        worse = at_end - at_best > LOSS_RISE * at_best
    fell_on = median(epoch.loss for epoch in history[-LAST:]) < history[best - 1].loss
    if worse and fell_on:
        return f"It overfits after epoch {best}: training loss falls on, validation gets worse."
    if worse:
        return f"It gets worse after epoch {best}, training loss with it: smaller steps may help."
    return f"It does not overfit: after its best epoch, {best}, validation stays level."


def _validation(history: Sequence[Epoch]) -> list[float] | None:
    """Loss, or else the share of wrong answers, of the images held out: less is better."""
    losses = [epoch.validation_loss for epoch in history if epoch.validation_loss is not None]
    if losses and len(losses) == len(history):
        return losses
    shares = [epoch.validation_accuracy for epoch in history]
    known = [1 - share for share in shares if share is not None]
    return known if known and len(known) == len(history) else None


def _figure(name: str, history: Sequence[Epoch], field: str, best: int | None) -> Markup:
    epochs = range(1, len(history) + 1)
    training = [getattr(epoch, field) for epoch in history]
    validation = [getattr(epoch, f"validation_{field}") for epoch in history]
    known = all(value is not None for value in validation)

    def draw(axes: Axes) -> None:
        axes.plot(epochs, training, color=FIRST, label="training")
        if known:
            axes.plot(epochs, validation, color=SECOND, linestyle="--", label="validation")
        if best is not None:
            axes.axvline(best, color=QUIET, linewidth=1, linestyle=":", label=f"best: {best}")
        axes.set(title=name, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if field == "accuracy":
            axes.yaxis.set_major_formatter(PercentFormatter(1))
        elif min(training) > 0 and max(training) > 10 * min(training):
            axes.set_yscale("log")
        axes.legend(labelcolor=INK)

    ends = f"training from {training[0]:.4g} to {training[-1]:.4g}"
    if known:
        ends += f", validation from {validation[0]:.4g} to {validation[-1]:.4g}"
    return plot(f"{name} over {len(history)} epochs: {ends}.", draw)


def _learning_rate(history: Sequence[Epoch]) -> Markup | None:
    rates = [epoch.learning_rate for epoch in history if epoch.learning_rate is not None]
    if len(rates) != len(history):
        return None

    def draw(axes: Axes) -> None:
        axes.plot(range(1, len(rates) + 1), rates, color=FIRST)
        axes.set(title="Learning rate at the end of each epoch", xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))

    return plot(f"Learning rate: at most {max(rates):.3g}, at the end {rates[-1]:.3g}.", draw)


def _numbers(history: Sequence[Epoch]) -> Markup:
    columns = {
        "training loss": "loss",
        "training accuracy": "accuracy",
        "validation loss": "validation_loss",
        "validation accuracy": "validation_accuracy",
        "learning rate": "learning_rate",
    }
    known = {
        head: field
        for head, field in columns.items()
        if any(getattr(epoch, field) is not None for epoch in history)
    }

    def cell(epoch: Epoch, field: str) -> str:
        value = getattr(epoch, field)
        if value is None:
            return "–"
        return percent(value) if field.endswith("accuracy") else f"{value:.4g}"

    rows = [
        [str(number), *(cell(epoch, field) for field in known.values())]
        for number, epoch in enumerate(history, start=1)
    ]
    return table("Loss and accuracy", ["epoch", *known], rows)
