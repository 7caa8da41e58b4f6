"""How good each class is: precision, recall and how many pictures there were."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_fscore_support

from app.classifier import Probabilities
from training.report.markup import Markup, details, percent, section, table

IN_SIGHT = 20  # classes, the worst first; the others on request


def classes(
    probabilities: Probabilities, truth: NDArray[np.int64], labels: Sequence[str]
) -> Markup:
    """The section: a row for each class, the lowest F1 first; a class without pictures has none."""
    answer = probabilities.argmax(axis=1)
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, answer, labels=range(len(labels)), zero_division=np.nan
    )
    order = np.argsort(np.nan_to_num(f1, nan=2.0), kind="stable")
    rows = [
        [labels[k], _share(precision[k]), _share(recall[k]), _share(f1[k]), f"{support[k]:,}"]
        for k in order
    ]
    head = ["class", "precision", "recall", "F1", "pictures"]
    caption = (
        "Precision: of those answered so, how many are. Recall: of those that are, how many were"
    )
    more = rows[IN_SIGHT:]
    return section(
        "classes",
        "Class by class",
        table(caption, head, rows[:IN_SIGHT]),
        details(f"The other {len(more):,} classes", table("The other classes", head, more))
        if more
        else None,
    )


def _share(value: float) -> str:
    return "–" if np.isnan(value) else percent(value)
