"""Networks side by side: what they cost and what they are worth, in several formats."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from math import inf
from typing import Literal

from training.candidate import Candidate
from training.latency import latencies
from training.markdown import table
from training.table import aligned

Format = Literal["table", "json", "csv", "markdown"]
Order = Literal["parameters", "multiply-adds", "validation", "test", "seconds", "size", "latency"]


@dataclass(frozen=True)
class Compared:
    """One network; None is what was not measured or is not known."""

    name: str
    parameters: int | None
    multiply_adds: int | None
    validation_accuracy: float | None
    test_accuracy: float | None
    seconds_per_epoch: float | None
    file_bytes: int
    latency_milliseconds: float  # of one image on one thread: the median
    latency_milliseconds_quarter: float  # a quarter of the runs was as fast
    latency_milliseconds_three_quarters: float


ORDERS: dict[Order, Callable[[Compared], float]] = {
    "parameters": lambda row: _known_first(row.parameters),
    "multiply-adds": lambda row: _known_first(row.multiply_adds),
    "validation": lambda row: -_known_last(row.validation_accuracy),  # the best first
    "test": lambda row: -_known_last(row.test_accuracy),
    "seconds": lambda row: _known_first(row.seconds_per_epoch),
    "size": lambda row: row.file_bytes,
    "latency": lambda row: row.latency_milliseconds,
}


def compare(candidates: Sequence[Candidate], order: Order | None = None) -> list[Compared]:
    """A row for each, as given or in `order`. Takes a fifth of a second each, for the latency."""
    timed = latencies([one.run_one_image for one in candidates])
    rows = []
    for one, (quarter, half, three_quarters) in zip(candidates, timed, strict=True):
        known = bool(one.layers)
        rows.append(
            Compared(
                name=one.name,
                parameters=sum(layer.parameters for layer in one.layers) if known else None,
                multiply_adds=sum(layer.multiply_adds for layer in one.layers) if known else None,
                validation_accuracy=one.validation_accuracy,
                test_accuracy=one.test_accuracy,
                seconds_per_epoch=one.seconds_per_epoch,
                file_bytes=len(one.content),
                latency_milliseconds=half * 1000,
                latency_milliseconds_quarter=quarter * 1000,
                latency_milliseconds_three_quarters=three_quarters * 1000,
            )
        )
    return rows if order is None else sorted(rows, key=ORDERS[order])


def as_table(rows: Sequence[Compared]) -> str:
    """Aligned columns for people."""
    return "\n".join(aligned(_HEADER, [_cells(row) for row in rows]))


def as_markdown(rows: Sequence[Compared]) -> str:
    """The same table, for a page."""
    return table(_HEADER, [_cells(row) for row in rows], numbers=range(1, len(_HEADER)))


def as_json(rows: Sequence[Compared]) -> str:
    """A list of objects, for programs."""
    return json.dumps([asdict(row) for row in rows], indent=1)


def as_csv(rows: Sequence[Compared]) -> str:
    """A header and a line for each, for spreadsheets; what is not known is empty."""
    file = io.StringIO()
    writer = csv.DictWriter(file, [field.name for field in fields(Compared)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return file.getvalue().rstrip("\n")


FORMATS: dict[Format, Callable[[Sequence[Compared]], str]] = {
    "table": as_table,
    "json": as_json,
    "csv": as_csv,
    "markdown": as_markdown,
}

_HEADER = (
    "network",
    "parameters",
    "multiply-adds",
    "validation",
    "test",
    "s/epoch",
    "file kB",
    "latency ms",
)


def _cells(row: Compared) -> list[str]:
    quarter, three_quarters = (
        row.latency_milliseconds_quarter,
        row.latency_milliseconds_three_quarters,
    )
    return [
        row.name,
        _known(row.parameters, ","),
        _known(row.multiply_adds, ","),
        _known(row.validation_accuracy, ".2%"),
        _known(row.test_accuracy, ".2%"),
        _known(row.seconds_per_epoch, ".1f"),
        f"{row.file_bytes / 1000:,.0f}",
        f"{row.latency_milliseconds:.3g} ({quarter:.3g}–{three_quarters:.3g})",
    ]


def _known_first(number: float | None) -> float:
    return inf if number is None else number


def _known_last(number: float | None) -> float:
    return -inf if number is None else number


def _known(number: float | None, form: str) -> str:
    return "–" if number is None else format(number, form)
