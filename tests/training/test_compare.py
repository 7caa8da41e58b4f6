from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest

from app.card import Layer
from training.candidate import Candidate
from training.compare import FORMATS, ORDERS, Compared, compare

A = Compared(
    name="a",
    parameters=693_962,
    multiply_adds=888_192,
    validation_accuracy=0.98765,
    test_accuracy=None,
    seconds_per_epoch=12.34,
    file_bytes=1_392_700,
    latency_milliseconds=0.04114,
    latency_milliseconds_quarter=0.03981,
    latency_milliseconds_three_quarters=1.5,
)
B = Compared(
    name="b|c",
    parameters=None,
    multiply_adds=None,
    validation_accuracy=None,
    test_accuracy=0.5,
    seconds_per_epoch=None,
    file_bytes=51,
    latency_milliseconds=123.4,
    latency_milliseconds_quarter=120.0,
    latency_milliseconds_three_quarters=125.0,
)

LAYER = Layer(name="x", type="Dense", tensor="x", output_shape=[2], parameters=3, multiply_adds=5)


def candidate(name: str, layers: list[Layer], **measured: Any) -> Candidate:
    return Candidate(name, layers, b"12345", lambda: sum(range(1000)), **measured)


def test_the_table_is_aligned_and_what_is_not_known_is_a_dash() -> None:
    header, a, b = FORMATS["table"]([A, B]).splitlines()
    assert len(header) == len(a) == len(b)
    assert re.split(" {2,}", header) == [
        "network",
        "parameters",
        "multiply-adds",
        "validation",
        "test",
        "s/epoch",
        "file kB",
        "latency ms",
    ]
    assert re.split(" {2,}", a) == [
        "a",
        "693,962",
        "888,192",
        "98.77%",
        "–",
        "12.3",
        "1,393",
        "0.0411 (0.0398–1.5)",
    ]
    assert re.split(" {2,}", b) == ["b|c", "–", "–", "–", "50.00%", "–", "0", "123 (120–125)"]


def test_markdown_has_the_same_cells() -> None:
    header, rule, a, _ = FORMATS["markdown"]([A, B]).splitlines()
    assert header.startswith("| network | parameters | multiply-adds | validation | test |")
    assert rule == "| --- |" + " ---: |" * 7
    assert a == "| a | 693,962 | 888,192 | 98.77% | – | 12.3 | 1,393 | 0.0411 (0.0398–1.5) |"


def test_json_and_csv_have_the_numbers_as_they_are() -> None:
    first, second = json.loads(FORMATS["json"]([A, B]))
    assert Compared(**first) == A
    assert Compared(**second) == B
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"]([A, B]))))
    assert [row["name"] for row in rows] == ["a", "b|c"]
    assert float(rows[0]["latency_milliseconds"]) == A.latency_milliseconds
    assert rows[1]["parameters"] == ""


def test_a_row_has_the_sums_of_the_layers_and_what_was_measured() -> None:
    (row,) = compare([candidate("one", [LAYER, LAYER], test_accuracy=0.75, seconds_per_epoch=2.0)])
    assert (row.name, row.parameters, row.multiply_adds, row.file_bytes) == ("one", 6, 10, 5)
    assert (row.validation_accuracy, row.test_accuracy, row.seconds_per_epoch) == (None, 0.75, 2.0)
    assert (
        0
        < row.latency_milliseconds_quarter
        <= row.latency_milliseconds
        <= row.latency_milliseconds_three_quarters
    )


def test_of_a_file_without_a_layer_table_parameters_are_not_known() -> None:
    (row,) = compare([candidate("one", [])])
    assert (row.parameters, row.multiply_adds) == (None, None)


@pytest.mark.parametrize(
    ("order", "names"),
    [
        (None, ["poor", "unknown", "good"]),
        ("validation", ["good", "poor", "unknown"]),
        ("test", ["poor", "good", "unknown"]),
        ("seconds", ["good", "poor", "unknown"]),
        ("parameters", ["good", "poor", "unknown"]),
        ("multiply-adds", ["good", "poor", "unknown"]),
    ],
)
def test_rows_come_as_given_or_the_best_first_and_the_unknown_last(
    order: Any, names: list[str]
) -> None:
    def layer(size: int) -> list[Layer]:
        return [LAYER.model_copy(update={"parameters": size, "multiply_adds": size})]

    rows = compare(
        [
            candidate(
                *("poor", layer(9)),
                validation_accuracy=0.1,
                test_accuracy=0.9,
                seconds_per_epoch=9.0,
            ),
            candidate("unknown", []),
            candidate(
                *("good", layer(1)),
                validation_accuracy=0.5,
                test_accuracy=0.5,
                seconds_per_epoch=1.0,
            ),
        ],
        order,
    )
    assert [row.name for row in rows] == names


def test_small_files_and_fast_networks_come_first() -> None:
    assert sorted([A, B], key=ORDERS["size"]) == [B, A]
    assert sorted([B, A], key=ORDERS["latency"]) == [A, B]
