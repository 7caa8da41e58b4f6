from __future__ import annotations

import pytest

from training.report.markup import details, el, joined, percent, scrolling, section, table

HOSTILE = "<script>alert('1')</script>\"&"
HARMLESS = "&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;&quot;&amp;"

pytestmark = pytest.mark.train


def test_text_is_escaped_and_elements_are_not() -> None:
    assert el("p", HOSTILE, el("b", HOSTILE)) == f"<p>{HARMLESS}<b>{HARMLESS}</b></p>"


def test_attributes_are_escaped_and_take_the_names_of_html() -> None:
    assert el("p", class_="quiet", aria_label=HOSTILE) == (
        f'<p class="quiet" aria-label="{HARMLESS}"></p>'
    )


def test_what_is_none_is_left_out() -> None:
    assert el("p", None, "a", [None, "b"], title=None) == "<p>ab</p>"


def test_children_may_be_nested_as_deep_as_they_come() -> None:
    assert joined(["a", ["<", (el("br2"),)]], (one for one in "bc")) == "a&lt;<br2></br2>bc"


def test_an_element_that_has_no_end_gets_none() -> None:
    assert el("meta", charset="utf-8") == '<meta charset="utf-8">'


@pytest.mark.parametrize(
    "made",
    [
        section("here", HOSTILE, HOSTILE),
        table(HOSTILE, [HOSTILE, HOSTILE], [[HOSTILE, HOSTILE]]),
        details(HOSTILE, HOSTILE),
        scrolling(HOSTILE, HOSTILE),
    ],
)
def test_no_part_of_the_page_lets_markup_through(made: str) -> None:
    assert "<script>" not in made
    assert HARMLESS in made


def test_a_row_is_named_by_its_first_cell() -> None:
    made = table("Ages", ["who", "years"], [["Ann", "7"]])
    assert '<th scope="row">Ann</th><td class="number">7</td>' in made
    assert '<th scope="col">who</th><th scope="col" class="number">years</th>' in made


@pytest.mark.parametrize(
    ("share", "digits", "text"), [(0.99444, 2, "99.44"), (1, 1, "100.0"), (0, 0, "0")]
)
def test_percent_is_rounded_and_keeps_its_sign_on_its_line(
    share: float, digits: int, text: str
) -> None:
    assert percent(share, digits) == f"{text}\N{NO-BREAK SPACE}%"
