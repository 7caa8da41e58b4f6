"""The rows of `benchmarks.faults` in short: what must hold on any machine, however slow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.faults.__main__ import ROWS, run

SABOTAGE = Path(__file__).parent / "sabotage"


@pytest.mark.parametrize("name", ROWS)
def test_it_keeps_working(name: str) -> None:
    for bound in run(ROWS[name], short=True):
        assert bound.holds or not bound.counts, f"{bound.asked}: {bound.measured}"


# --- The rows can fail: each bound is broken on purpose, in the service itself ---


@pytest.mark.parametrize(
    ("name", "sabotage", "asked"),
    [
        ("overload", "no_limits", "… as quick as before"),
        ("leaving", "no_leaving", "at most 10 % of them are computed"),
        ("slow_clients", "no_deadline", "every slow one dropped"),
        ("reloads", "reload_in_place", "not one failure"),
        ("reloads", "leak", "memory of a worker grows"),
        ("rolling", "all_at_once", "not one failure"),
    ],
)
def test_a_service_without_the_limit_does_not_pass(
    name: str, sabotage: str, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Python runs a module of the name sitecustomize at its start, in every worker too.
    paths = [str(SABOTAGE / sabotage), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    (bound,) = [one for one in run(ROWS[name], short=True) if one.asked.startswith(asked)]
    assert not bound.holds, bound.measured
