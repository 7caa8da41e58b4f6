"""How good it still is on pictures that were turned, moved, noisy or negative."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from app.card import Robustness
from training.report.markup import Markup, el, percent, section, table
from training.report.plots import FIRST, plot


def changed(measured: Sequence[Robustness]) -> Markup | None:
    """The section: a curve for each change of several strengths, and all as a table."""
    if not measured:
        return None
    groups = [list(rows) for _, rows in groupby(measured, key=lambda one: one.change)]
    rows = [["none", "", percent(measured[0].accuracy, 1)]] + [
        [one.change, f"{one.strength:g} {one.unit}" if one.unit else "", percent(one.accuracy, 1)]
        for one in measured
        if one.strength
    ]
    return section(
        "changed",
        "Pictures that are changed",
        el(
            "p",
            f"The same {measured[0].images:,} pictures, each changed, encoded as PNG, classified "
            "as the service does it. What comes in from outside is the median of the border.",
        ),
        el("div", [_curve(group) for group in groups if len(group) > 2], class_="figures"),
        table("Right answers at each strength", ["change", "strength", "right"], rows),
    )


def _curve(group: Sequence[Robustness]) -> Markup:
    strengths, shares = [one.strength for one in group], [one.accuracy for one in group]
    name, unit = group[0].change, group[0].unit

    def draw(axes: Axes) -> None:
        axes.plot(strengths, shares, "o-", color=FIRST, markersize=4)
        axes.set(title=name.capitalize(), xlabel=unit, ylim=(0, 1.03))
        axes.yaxis.set_major_formatter(PercentFormatter(1))

    first, last = percent(shares[0], 1), percent(shares[-1], 1)
    alt = f"Accuracy under {name}: {first} untouched, {last} at {strengths[-1]:g} {unit}."
    return plot(alt, draw)
