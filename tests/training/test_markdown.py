from __future__ import annotations

import pytest

from training.markdown import listed, plain, table


def test_a_table_has_a_head_a_rule_and_a_line_for_each_row() -> None:
    assert table(("a", "b"), [("1", "2"), ("3", "4")]).splitlines() == [
        "| a | b |",
        "| --- | --- |",
        "| 1 | 2 |",
        "| 3 | 4 |",
    ]


@pytest.mark.parametrize(
    ("values", "text"), [([0.0], "0"), ((1, 2), "(1, 2)"), ([127.5, "x"], "(127.5, x)")]
)
def test_values_are_listed_and_one_stands_alone(values: list[object], text: str) -> None:
    assert listed(values) == text


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("golden retriever", "golden retriever"),
        ("a|b", r"a\|b"),
        ("<b>*x*_y_</b>", r"\<b\>\*x\*\_y\_\</b\>"),
        ("[x](http://y) `z`", r"\[x\](http://y) \`z\`"),
        ("two\nlines\r# and a heading", r"two lines \# and a heading"),
        ("back\\slash &amp; ~~x~~", r"back\\slash \&amp; \~\~x\~\~"),
    ],
)
def test_text_from_elsewhere_is_no_markup(text: str, safe: str) -> None:
    assert plain(text) == safe


def test_columns_of_numbers_end_at_the_right() -> None:
    assert table(("name", "number", "text"), [("a", "1,000", "x")], numbers={1}) == (
        "| name | number | text |\n| --- | ---: | --- |\n| a | 1,000 | x |"
    )
