"""How sure it says it is, and how often it is right: the reliability diagram."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve

from app.card import Metrics
from app.classifier import Probabilities
from training.evaluate import CALIBRATION_BINS, wilson
from training.report.markup import Markup, details, el, percent, section, table
from training.report.plots import FIRST, LINE, QUIET, plot


def reliability(probabilities: Probabilities, truth: NDArray[np.int64], metrics: Metrics) -> Markup:
    """The section: accuracy over confidence in 15 bins, how full they are, the error in words."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == truth
    # Only bins with pictures in them, from unsure to sure.
    share, mean = calibration_curve(right, np.minimum(confidence, 1), n_bins=CALIBRATION_BINS)
    counts = np.histogram(np.minimum(confidence, 1), CALIBRATION_BINS, (0, 1))[0]
    full = np.flatnonzero(counts)
    counts = counts[full]
    hits = np.rint(share * counts).astype(int)
    intervals = [wilson(int(one), int(n)) for one, n in zip(hits, counts, strict=True)]

    def diagram(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=":")
        low, high = np.array(intervals).T
        spread = [share - np.minimum(low, share), np.maximum(high, share) - share]
        axes.errorbar(mean, share, yerr=spread, fmt="o-", color=FIRST, markersize=4, elinewidth=1)
        axes.set(title="Right, and how sure it was", xlim=(0, 1.02), ylim=(0, 1.02))
        axes.set(xlabel="probability of the answer")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1))

    def fullness(axes: Axes) -> None:
        width = 1 / CALIBRATION_BINS
        axes.bar((full + 0.5) * width, counts, 0.9 * width, color=FIRST, edgecolor=LINE, log=True)
        axes.set(title="Pictures in each bin", xlim=(0, 1.02), xlabel="probability of the answer")
        axes.xaxis.set_major_formatter(PercentFormatter(1))

    rows = [
        [
            f"{bin / CALIBRATION_BINS:.0%} to {(bin + 1) / CALIBRATION_BINS:.0%}",
            f"{count:,}",
            percent(sure),
            percent(often),
            f"{percent(low)} to {percent(high)}",
        ]
        for bin, count, sure, often, (low, high) in zip(
            full, counts, mean, share, intervals, strict=True
        )
    ]
    head = ["probability of the answer", "pictures", "mean", "right", "95 % interval"]
    alt = f"Share of right answers over their probability in {len(full)} bins that have pictures."
    return section(
        "reliability",
        "How sure it is",
        el("p", _in_words(metrics)),
        el(
            "div",
            plot(alt, diagram, "On the dotted line it is right as often as it says."),
            plot("How many pictures lie in each bin.", fullness, "The scale is logarithmic."),
            class_="figures",
        ),
        details("Numbers of each bin", table("Bins with pictures in them", head, rows)),
    )


def _in_words(metrics: Metrics) -> str:
    said = (
        "How sure it says it is and how often it is right lie "
        f"{metrics.calibration_error * 100:.2f} percentage points apart on average (expected "
        f"calibration error, {CALIBRATION_BINS} bins). "
    )
    if metrics.temperature is None or metrics.calibration_error_before is None:
        return said + "Its logits are divided by no temperature."
    return said + (
        f"Its logits are divided by a temperature of {metrics.temperature:.3f}, fitted on images "
        f"held out; without it they would lie {metrics.calibration_error_before * 100:.2f} apart."
    )
