from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from app.classifier import Probabilities
from app.preprocess import Preprocess
from tests.conftest import plain
from training.report.confusion import (
    MOST_CLASSES,
    MOST_OF_A_PAIR,
    MOST_PAIRS,
    MOST_PICTURES,
    confusion,
    pictures_of_a_pair,
)
from training.report.pictures import Pictures

pytestmark = pytest.mark.train


def answered(answers: list[int], classes: int, sure: list[float] | None = None) -> Probabilities:
    """Probabilities that answer so, each with 0.9 or as sure as told."""
    shares = np.array(sure or [0.9] * len(answers))
    rows = np.tile(((1 - shares) / (classes - 1))[:, None], (1, classes))
    rows[np.arange(len(answers)), answers] = shares
    return rows.astype(np.float32)


def made(
    probabilities: Probabilities, truth: NDArray[np.int64], labels: list[str] | None = None
) -> str:
    """The section; what is said of a picture is its number."""
    labels = labels or [f"class {index}" for index in range(probabilities.shape[1])]
    pictures = Pictures(lambda number: plain((9, 9, 9)), Preprocess(8, 8))
    return confusion(probabilities, truth, labels, pictures, lambda number: f"no. {number}")


def pictures_behind(html: str, name: str) -> list[int]:
    found = re.search(rf'<section id="{name}".*?</section>', html) or re.search(
        rf'<section [^>]*id="{name}".*?</section>', html
    )
    return [int(one) for one in re.findall(r"no\. (\d+)", found[0])] if found else []


# 0 → 0, 0 → 1 three times, 1 → 1, 2 → 0
TRUTH = np.array([0, 0, 0, 0, 1, 2])
ANSWERS = answered([0, 1, 1, 1, 1, 0], 3, sure=[0.9, 0.5, 0.7, 0.6, 0.9, 0.8])


def test_each_cell_has_its_count_and_each_wrong_one_leads_to_its_pictures() -> None:
    html = made(ANSWERS, TRUTH, ["cat", "dog", "owl"])
    rows = re.findall(r'<tr><th scope="row">(\w+)</th>(.*?)</tr>', html)
    counts = {name: [int(re.sub("<.*?>", "", cell)) for cell in re.findall("<td.*?</td>", cells)]
              for name, cells in rows}  # fmt: skip
    assert counts == {"cat": [1, 3, 0], "dog": [0, 1, 0], "owl": [1, 0, 0]}
    links = re.findall(r'href="#(pair-\d+-\d+)"', html)
    assert links == ["pair-0-1", "pair-2-0"]
    assert pictures_behind(html, "pair-0-1") == [2, 3, 1]  # the surest first
    assert pictures_behind(html, "pair-2-0") == [5]


def test_a_link_says_where_it_leads() -> None:
    html = made(ANSWERS, TRUTH, ["cat", "dog", "owl"])
    assert 'aria-label="3: cat taken for dog, 75.00\u00a0% of the row"' in html


def test_colour_is_the_share_of_the_row_and_its_root_where_it_is_wrong() -> None:
    html = made(ANSWERS, TRUTH, ["cat", "dog", "owl"])
    assert re.findall(r'class="(right|wrong)" style="--part:([\d.]+)"', html) == [
        ("right", "0.250"),
        ("wrong", "0.866"),
        ("right", "1.000"),
        ("wrong", "1.000"),
    ]


def test_without_a_wrong_answer_there_is_one_sentence() -> None:
    html = made(answered([0, 1], 2), np.array([0, 1]))
    assert "No answer is wrong." in html
    assert "<table" not in html


@pytest.mark.parametrize(("classes", "matrix"), [(MOST_CLASSES, True), (MOST_CLASSES + 1, False)])
def test_many_classes_are_not_drawn_as_a_matrix(classes: int, matrix: bool) -> None:
    truth = np.arange(classes)
    html = made(answered([(one + 1) % classes for one in range(classes)], classes), truth)
    assert ('class="matrix' in html) == matrix
    assert html.count('class="pair"') == min(classes, MOST_PAIRS)


def test_of_a_thousand_classes_the_most_frequent_confusions_are_shown() -> None:
    classes = 1000
    wrong = [7] * 3 + [8] * 2 + list(range(100, 200))  # each taken for the next
    html = made(answered([one + 1 for one in wrong], classes), np.array(wrong))
    links = re.findall(r'href="#(pair-\d+-\d+)"', html)
    assert links[:2] == ["pair-7-8", "pair-8-9"]
    assert len(links) == MOST_PAIRS == html.count('class="pair"')
    assert pictures_behind(html, "pair-8-9") == [3, 4]


def test_of_many_pictures_the_surest_are_shown_and_all_are_counted() -> None:
    n = MOST_OF_A_PAIR + 5
    sure = [0.6 + 0.01 * one for one in range(n)]
    html = made(answered([1] * n, 2, sure), np.zeros(n, int))
    assert pictures_behind(html, "pair-0-1") == list(range(n - 1, 4, -1))
    assert f"class 0 taken for class 1: {n}, the {MOST_OF_A_PAIR} surest of them here" in html


@pytest.mark.parametrize(
    ("counts", "most"),
    [
        ([], MOST_OF_A_PAIR),
        ([10_000], MOST_OF_A_PAIR),
        ([100] * (MOST_PICTURES // MOST_OF_A_PAIR), MOST_OF_A_PAIR),
        ([100] * (MOST_PICTURES // MOST_OF_A_PAIR + 1), MOST_OF_A_PAIR - 1),
        ([1] * MOST_PICTURES, MOST_OF_A_PAIR),
        ([5] * MOST_PICTURES, 1),
        ([1] * (2 * MOST_PICTURES), 1),  # every number leads to a picture, whatever it takes
    ],
)
def test_all_pictures_together_are_bounded(counts: list[int], most: int) -> None:
    assert pictures_of_a_pair(counts) == most


def test_labels_are_text_whatever_is_in_them() -> None:
    html = made(ANSWERS, TRUTH, ["<script>", '" onclick="x', "&amp;"])
    assert "<script>" not in html
    assert '" onclick="' not in html
    assert "&amp;amp;" in html
