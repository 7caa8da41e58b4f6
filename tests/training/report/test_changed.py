from __future__ import annotations

import pytest

from app.card import Robustness
from training.report.changed import changed

pytestmark = pytest.mark.train


def measured(
    change: str, unit: str, *strengths_and_accuracies: tuple[float, float]
) -> list[Robustness]:
    return [
        Robustness(change=change, strength=strength, unit=unit, accuracy=accuracy, images=50)
        for strength, accuracy in strengths_and_accuracies
    ]


TURNS = measured("rotation", "degrees", (0, 0.9), (10, 0.8), (45, 0.5))
NEGATIVE = measured("inversion", "", (0, 0.9), (1, 0.25))


def test_a_change_of_several_strengths_is_a_curve_and_all_are_in_the_table() -> None:
    html = changed([*TURNS, *NEGATIVE]) or ""
    assert html.count("<svg") == 1
    assert (
        'aria-label="Accuracy under rotation: 90.0\u00a0% untouched, '
        '50.0\u00a0% at 45 degrees."' in html
    )
    assert '>inversion</th><td class="number"></td><td class="number">25.0\u00a0%</td>' in html
    assert html.count("90.0\u00a0%</td>") == 1  # untouched is said once
    assert "The same 50 pictures" in html


def test_where_nothing_was_measured_there_is_no_section() -> None:
    assert changed([]) is None
