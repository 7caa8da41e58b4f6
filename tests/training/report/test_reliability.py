from __future__ import annotations

import re

import numpy as np
import pytest

from training.evaluate import measure
from training.report.reliability import reliability

pytestmark = pytest.mark.train

LABELS = ["cat", "dog"]


def made(confidences: list[float], truth: list[int], temperature: float = 1.0) -> str:
    probabilities = np.array([[one, 1 - one] for one in confidences], np.float32)
    classes = np.array(truth)
    metrics = measure(probabilities, classes, LABELS, "these", temperature=temperature)
    return reliability(probabilities, classes, metrics)


def rows(html: str) -> list[list[str]]:
    found = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', html)
    return [[name, *re.findall(r">([^<>]+)</td>", cells)] for name, cells in found]


def test_each_bin_with_pictures_has_its_row() -> None:
    found = rows(made([0.55, 0.59, 0.59, 0.95, 1.0], [0, 0, 1, 0, 0]))
    assert [row[:4] for row in found] == [
        ["53% to 60%", "3", "57.67\u00a0%", "66.67\u00a0%"],
        ["93% to 100%", "2", "97.50\u00a0%", "100.00\u00a0%"],
    ]


def test_a_few_pictures_have_a_wide_interval() -> None:
    (row,) = rows(made([0.95, 0.95], [0, 0]))
    assert row[4].startswith("34.24")


def test_the_error_is_said_in_words_with_the_temperature_and_what_it_was_before() -> None:
    without = made([0.8, 0.8], [0, 1])
    assert "lie 30.00 percentage points apart" in without
    assert "divided by no temperature" in without
    tempered = made([0.8, 0.8], [0, 1], temperature=2.0)
    assert "a temperature of 2.000" in tempered
    assert "without it they would lie 44.12 apart" in tempered  # 16/17 − 1/2


def test_one_picture_can_be_drawn() -> None:
    assert made([0.9], [1]).count("<svg") == 2
