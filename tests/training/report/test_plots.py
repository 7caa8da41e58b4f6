from __future__ import annotations

import re

import pytest
from matplotlib.axes import Axes

from training.report.plots import FIRST, QUIET, SECOND, plot

pytestmark = pytest.mark.train


def line(axes: Axes) -> None:
    axes.plot([0, 1, 2], [1, 3, 2], "o-", color=FIRST, label="a < b")
    axes.plot([0, 1, 2], [2, 2, 2], color=SECOND)
    axes.axvline(1, color=QUIET)
    axes.legend()


def test_the_drawing_takes_the_colours_of_the_page() -> None:
    made = plot("A line", line)
    assert {"var(--first)", "var(--second)", "var(--quiet)", "var(--ink)"} <= set(
        re.findall(r"var\(--\w+\)", made)
    )
    assert "#0102" not in made


def test_a_drawing_brings_no_style_and_no_ids_that_nobody_refers_to() -> None:
    made = plot("A line", line)
    assert "<style" not in made
    ids = re.findall(r' id="([^"]+)"', made)
    referred = re.findall(r'(?:url\(#|href="#)([^)"]+)', made)
    assert set(ids) == set(referred) != set()


def test_two_drawings_share_no_id() -> None:
    one, other = plot("One", line), plot("Other", line)
    assert not set(re.findall(r' id="([^"]+)"', one)) & set(re.findall(r' id="([^"]+)"', other))


def test_the_same_drawing_is_the_same_text() -> None:
    assert plot("A line", line) == plot("A line", line)


def test_text_stays_text_and_is_escaped() -> None:
    assert "a &lt; b" in plot("A line", line)


def test_it_is_named_by_what_it_shows() -> None:
    made = plot('Up & "down"', line, "A caption")
    assert 'role="img"' in made
    assert 'aria-label="Up &amp; &quot;down&quot;"' in made
    assert made.endswith("<figcaption>A caption</figcaption></figure>")
