"""A finished run as one HTML file: no script, no other file, light and dark.

Plain values in, text out; what is shown of pictures is asked for one by one. Knows nothing of how
they were classified or where the file goes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.card import Card, Metrics
from app.classifier import Probabilities
from training.report.changed import changed
from training.report.classes import classes
from training.report.confusion import confusion, gallery
from training.report.curves import curves
from training.report.facts import layers, made
from training.report.kernels import Kernels, kernels
from training.report.markup import Markup, el, joined, percent, section
from training.report.pictures import Pictures
from training.report.reliability import reliability

MISTAKES = 24
_PARTS = {
    "headline": "Score",
    "curves": "Curves",
    "confusion": "Confusion",
    "classes": "Classes",
    "mistakes": "Mistakes",
    "reliability": "Calibration",
    "changed": "Changed pictures",
    "kernels": "Kernels",
    "layers": "Layers",
    "made": "Made",
}


def page(
    card: Card,
    probabilities: Probabilities,
    truth: NDArray[np.int64],
    picture: Callable[[int], bytes],
    file_bytes: int,
    names: Sequence[str] | None = None,
    before: Kernels | None = None,
    after: Kernels | None = None,
    split: Mapping[str, Any] | None = None,
) -> str:
    """The report as HTML.

    `card` has metrics, measured from these probabilities N×K and true classes N; its history and
    robustness are shown where it has them. `picture(i)` is the encoded picture i and `names[i]` its
    file; `before` and `after` are the first layer's kernels H×W×C×K. `split` is what is known of
    how the pictures were divided. Raises ValueError if the card lacks metrics.
    """
    if card.metrics is None:
        raise ValueError(f"{card.name}: a report needs a card with metrics; see training.evaluate")
    labels = card.labels
    pictures = Pictures(picture, card.preprocess)
    answer = probabilities.argmax(axis=1)

    def caption(number: int) -> str:
        sure = percent(float(probabilities[number, answer[number]]))
        return sure if names is None else f"{sure} {names[number]}"

    body = joined(
        _headline(card, card.metrics, file_bytes),
        curves(card.history) if card.history else None,
        confusion(probabilities, truth, labels, pictures, caption),
        classes(probabilities, truth, labels),
        _mistakes(probabilities, truth, labels, pictures, caption),
        reliability(probabilities, truth, card.metrics),
        changed(card.robustness),
        kernels(before, after),
        layers(card.layers),
        made(card, split),
    )
    links = [
        el("a", title, href=f"#{name}") for name, title in _PARTS.items() if f'id="{name}"' in body
    ]
    style = (files("training.report") / "page.css").read_text()
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{card.name}: report"),
        Markup(f"<style>{style}</style>"),
        pictures.style(),
    )
    nav = el("nav", links, aria_label="Parts")
    title = el("header", el("h1", card.name), el("p", card.description), nav)
    whole = el("body", title, el("main", body))
    return "<!doctype html>\n" + el("html", head, whole, lang="en")


def _headline(card: Card, metrics: Metrics, file_bytes: int) -> Markup:
    low, high = metrics.accuracy_interval
    right = round(metrics.accuracy * metrics.images)
    before = metrics.calibration_error_before
    error = f"{metrics.calibration_error * 100:.2f}"
    numbers = [
        (
            percent(metrics.accuracy),
            "right",
            f"{right:,} of {metrics.images:,}; 95 % interval {percent(low)} to {percent(high)}",
        ),
        (
            f"{error} points",
            "calibration error",
            "no temperature" if before is None else f"{before * 100:.2f} before its temperature",
        ),
        (f"{sum(layer.parameters for layer in card.layers):,}", "parameters", ""),
        (f"{sum(layer.multiply_adds for layer in card.layers):,}", "multiply-adds", "of one image"),
        (f"{file_bytes / 1e6:.2f} MB", "model file", ""),
    ]
    items = [
        el("div", el("dt", name), el("dd", el("strong", value), el("span", note)))
        for value, name, note in numbers
    ]
    seeds = metrics.seed_accuracies
    spread = "; ".join(f"seed {seed} {percent(share)}" for seed, share in seeds.items())
    return section(
        "headline",
        "How good it is",
        el("dl", items, class_="headline"),
        el("p", f"Measured on {metrics.measured_on}.", class_="quiet"),
        el("p", f"Every seed that was fixed beforehand: {spread}.") if len(seeds) > 1 else None,
    )


def _mistakes(
    probabilities: Probabilities,
    truth: NDArray[np.int64],
    labels: Sequence[str],
    pictures: Pictures,
    caption: Callable[[int], str],
) -> Markup | None:
    """The wrong answers that it was surest of: hard pictures, and labels that are wrong."""
    answer = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(answer != truth)
    if not len(wrong):
        return None
    surest = wrong[np.argsort(-probabilities.max(axis=1)[wrong], kind="stable")][:MISTAKES]

    def said(number: int) -> str:
        return f"{labels[truth[number]]} → {labels[answer[number]]}, {caption(number)}"

    return section(
        "mistakes",
        "Wrong, and sure of it",
        el(
            "p",
            f"The {len(surest)} wrong answers with the highest probability: what it shows → what "
            "was answered. Look here for labels that are wrong.",
        ),
        gallery(surest, "A picture that was misread", pictures, said),
    )
