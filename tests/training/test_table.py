from __future__ import annotations

from training.table import aligned

HEADER = ("name", "number", "text")
ROWS = [("a", "1,000", "x"), ("longer", "7", "")]


def test_columns_are_as_wide_as_their_widest_cell_and_numbers_end_at_the_right() -> None:
    assert aligned(HEADER, ROWS, left={0, 2}) == [
        "name    number  text",
        "a        1,000  x",
        "longer       7",
    ]


def test_a_table_without_rows_is_its_header() -> None:
    assert aligned(HEADER, []) == ["name  number  text"]
