from __future__ import annotations

import re

import numpy as np
import pytest

from training.report.classes import IN_SIGHT, classes

pytestmark = pytest.mark.train


def rows(html: str) -> list[list[str]]:
    found = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', html)
    return [[name, *re.findall(r">([^<>]+)</td>", cells)] for name, cells in found]


def test_precision_recall_and_f1_are_what_one_counts_by_hand() -> None:
    """Of the pictures answered cat 2 of 3 are; of the cats 2 of 4 were found."""
    truth = np.array([0, 0, 0, 0, 1])
    answers = np.eye(2, dtype=np.float32)[[0, 0, 1, 1, 0]]
    found = rows(classes(answers, truth, ["cat", "dog"]))
    assert [[cell.replace("\u00a0%", "") for cell in row] for row in found] == [
        ["dog", "0.00", "0.00", "0.00", "1"],
        ["cat", "66.67", "50.00", "57.14", "4"],
    ]


def test_a_class_that_was_neither_shown_nor_answered_has_no_figures_and_comes_last() -> None:
    found = rows(classes(np.eye(3, dtype=np.float32)[[1, 0]], np.array([1, 1]), ["a", "b", "c"]))
    assert [row[0] for row in found] == ["a", "b", "c"]
    assert found[-1] == ["c", "–", "–", "–", "0"]


@pytest.mark.parametrize(("count", "lid"), [(IN_SIGHT, False), (IN_SIGHT + 1, True)])
def test_of_many_classes_the_best_lie_under_a_lid(count: int, lid: bool) -> None:
    labels = [f"class {index}" for index in range(count)]
    html = classes(np.eye(count, dtype=np.float32), np.arange(count), labels)
    assert ("<details>" in html) == lid
    assert len(rows(html)) == count
