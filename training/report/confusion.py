"""Which classes are taken for which: a matrix, or beyond 40 classes the worst pairs; with pictures.

Each number leads to the pictures behind it, which CSS shows when they are the page's target: no
script is needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from app.classifier import Probabilities
from training.report.markup import Markup, el, percent, scrolling, section, table
from training.report.pictures import Pictures

MOST_CLASSES = 40  # in a matrix that can be read
MOST_PAIRS = 50  # where there are more classes
MOST_OF_A_PAIR = 25  # pictures
MOST_PICTURES = 1_200  # of all pairs; at 96 pixels 1.3 KB each
_SHORT = 4  # letters that fit above a column

Pair = tuple[int, int]  # true class, answer


def confusion(
    probabilities: Probabilities,
    truth: NDArray[np.int64],
    labels: Sequence[str],
    pictures: Pictures,
    caption: Callable[[int], str],
) -> Markup:
    """The section. `caption(i)` is what is said of picture i."""
    answer = probabilities.argmax(axis=1)
    counts = confusion_matrix(truth, answer, labels=range(len(labels)))  # K×K, true by answer
    pairs = sorted(
        ((int(a), int(b)) for a, b in np.argwhere(counts) if a != b),
        key=lambda pair: -counts[pair],
    )
    if not pairs:
        return section("confusion", "Confusion", el("p", "No answer is wrong."))
    if len(labels) <= MOST_CLASSES:
        shown, overview = pairs, _matrix(counts, labels)
    else:
        shown = pairs[:MOST_PAIRS]
        overview = _worst(counts, labels, shown)
    most = pictures_of_a_pair([int(counts[pair]) for pair in shown])
    galleries = [
        _gallery(pair, np.flatnonzero((truth == pair[0]) & (answer == pair[1])), most, labels,
                 probabilities, pictures, caption)
        for pair in shown
    ]  # fmt: skip
    return section(
        "confusion",
        "Confusion",
        el("p", "Choose a number to see the pictures behind it.", class_="quiet screen"),
        overview,
        galleries,
    )


def pictures_of_a_pair(counts: Iterable[int]) -> int:
    """How many pictures each pair may show so that together they stay within MOST_PICTURES."""
    counts = list(counts)
    return next(
        most
        for most in range(MOST_OF_A_PAIR, 0, -1)
        if most == 1 or sum(min(count, most) for count in counts) <= MOST_PICTURES
    )


def _matrix(counts: NDArray[np.int64], labels: Sequence[str]) -> Markup:
    """Colour is the share of a row: straight on the diagonal, as its square root elsewhere."""
    heads = [el("th", el("span", label), scope="col") for label in labels]
    rows = [
        el(
            "tr",
            el("th", label, scope="row"),
            [_cell(counts, true, answer, labels) for answer in range(len(labels))],
        )
        for true, label in enumerate(labels)
    ]
    caption = "Rows are what a picture shows, columns what was answered"
    whole = el(
        "table",
        el("caption", caption),
        el("thead", el("tr", el("td", class_="corner"), heads)),
        el("tbody", rows),
        class_="matrix long" if max(map(len, labels)) > _SHORT else "matrix",
    )
    return scrolling("Confusion matrix", whole)


def _cell(counts: NDArray[np.int64], true: int, answer: int, labels: Sequence[str]) -> Markup:
    count = int(counts[true, answer])
    if not count:
        return el("td", "0", class_="none")
    share = count / int(counts[true].sum())
    if true == answer:
        return el("td", f"{count:,}", class_="right", style=f"--part:{share:.3f}")
    name = f"{count}: {labels[true]} taken for {labels[answer]}, {percent(share)} of the row"
    link = el("a", f"{count:,}", href=f"#pair-{true}-{answer}", aria_label=name, title=name)
    return el("td", link, class_="wrong", style=f"--part:{math.sqrt(share):.3f}")


def _worst(counts: NDArray[np.int64], labels: Sequence[str], pairs: Sequence[Pair]) -> Markup:
    rows = [
        [
            labels[true],
            labels[answer],
            el("a", f"{counts[true, answer]:,}", href=f"#pair-{true}-{answer}"),
            percent(counts[true, answer] / counts[true].sum(), 1),
        ]
        for true, answer in pairs
    ]
    caption = f"The {len(pairs)} most frequent confusions of {len(labels):,} classes"
    return table(caption, ["what it shows", "answered", "pictures", "share of the class"], rows)


def _gallery(
    pair: Pair,
    numbers: NDArray[np.int64],
    most: int,
    labels: Sequence[str],
    probabilities: Probabilities,
    pictures: Pictures,
    caption: Callable[[int], str],
) -> Markup:
    """Of one pair, the surest answers first."""
    true, answer = pair
    title = f"{labels[true]} taken for {labels[answer]}"
    surest = numbers[np.argsort(-probabilities[numbers, answer], kind="stable")][:most]
    shown = "" if len(surest) == len(numbers) else f", the {len(surest)} surest of them here"
    name = f"pair-{true}-{answer}"
    return el(
        "section",
        el("h3", f"{title}: {len(numbers):,}{shown}", id=f"{name}-title"),
        gallery(surest, f"Shows {labels[true]}, answered {labels[answer]}", pictures, caption),
        el("p", el("a", "Back to all confusions", href="#confusion")),
        id=name,
        class_="pair",
        tabindex=-1,
        aria_labelledby=f"{name}-title",
    )


def gallery(
    numbers: Iterable[int], alt: str, pictures: Pictures, caption: Callable[[int], str]
) -> Markup:
    """Pictures with what is said of each."""
    items = [
        el("li", pictures.show(int(one), alt), el("span", caption(int(one)))) for one in numbers
    ]
    return el("ul", items, class_="gallery")
