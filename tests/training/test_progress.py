from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from math import nan
from pathlib import Path

import pytest

from training.progress import JsonLines, Lines, Progress, duration, measured

ROOT = Path(__file__).parents[2]
JUDGED = {"epoch": 1.0, "seconds": 9.0, "loss": 0.5, "accuracy": 0.75}

# Two epochs of a training, after a stage, in a process of its own.
TRAINING = """
from training.progress import progress
shown = progress({mode!r})
shown.stage("decoding", 3)
shown.step(3)
shown.begin("a net", 2, 4)
shown.step(1, {{"loss": 1.0}})
shown.epoch(1, {{"loss": 0.5, "accuracy": 0.75, "validation_accuracy": 0.5}})
shown.epoch(2, {{"loss": 0.25, "accuracy": 0.875, "validation_accuracy": 0.25}})
shown.end("finished")
"""
LINES = """\
decoding: 3
decoding: 3 in 0 s
a net: 2 epochs of 4 steps
a net  epoch 1/2  loss 0.5000 acc 0.7500, val 0.5000 best  0 s left
a net  epoch 2/2  loss 0.2500 acc 0.8750, val 0.2500  0 s left
finished
"""


class Clock:
    """Seconds that go by when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def run(mode: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The training with pipes where a terminal might be."""
    return subprocess.run(
        [sys.executable, "-c", TRAINING.format(mode=mode)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


@pytest.mark.parametrize("mode", ["auto", "lines"])
def test_without_a_terminal_there_are_plain_lines_on_stderr(mode: str) -> None:
    done = run(mode)
    assert done.stdout == ""
    assert done.stderr == LINES
    assert done.stderr.replace("\n", "").isprintable()
    assert done.stderr.isascii()


def test_json_lines_are_data_on_stdout() -> None:
    done = run("json")
    assert done.stderr == ""
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"event": "stage", "title": "decoding", "total": 3},
        {
            "event": "begin",
            "title": "a net",
            "epochs": 2,
            "steps_per_epoch": 4,
            "finished_epochs": 0,
        },
        {
            "event": "epoch",
            "epoch": 1,
            "loss": 0.5,
            "accuracy": 0.75,
            "validation_accuracy": 0.5,
        },
        {
            "event": "epoch",
            "epoch": 2,
            "loss": 0.25,
            "accuracy": 0.875,
            "validation_accuracy": 0.25,
        },
        {"event": "end", "reason": "finished"},
    ]


def test_none_says_nothing() -> None:
    done = run("none")
    assert (done.stdout, done.stderr) == ("", "")


def test_a_line_tells_how_long_the_other_epochs_will_take() -> None:
    out, clock = io.StringIO(), Clock()
    lines = Lines(out, clock)
    lines.begin("name", 5, 100)
    for epoch in range(1, 6):
        clock.now += 60.4
        lines.epoch(epoch, {"epoch": epoch, "seconds": clock.now, "loss": 1 / epoch})
    assert out.getvalue().splitlines() == [
        "name: 5 epochs of 100 steps",
        "name  epoch 1/5  loss 1.0000  4 min 02 s left",
        "name  epoch 2/5  loss 0.5000  3 min 01 s left",
        "name  epoch 3/5  loss 0.3333  2 min 01 s left",
        "name  epoch 4/5  loss 0.2500  1 min 00 s left",
        "name  epoch 5/5  loss 0.2000  0 s left",
    ]


def test_a_training_that_goes_on_is_timed_by_its_own_epochs_alone() -> None:
    out, clock = io.StringIO(), Clock()
    lines = Lines(out, clock)
    lines.begin("name", 10, 100, finished_epochs=8)
    clock.now += 30
    lines.epoch(9, JUDGED)
    assert out.getvalue().splitlines()[-1].endswith("  30 s left")


def test_a_stage_tells_how_long_it_took() -> None:
    out, clock = io.StringIO(), Clock()
    lines = Lines(out, clock)
    lines.stage("decoding cats-dogs", 4000)
    lines.step(3999)
    assert out.getvalue() == "decoding cats-dogs: 4,000\n"
    clock.now += 75
    lines.step(4000)
    assert out.getvalue().splitlines()[1:] == ["decoding cats-dogs: 4,000 in 1 min 15 s"]


def test_what_was_best_before_a_stop_is_not_forgotten() -> None:
    out = io.StringIO()
    lines = Lines(out)
    lines.begin("a net", 3, 1, finished_epochs=1, best_accuracy=0.9)
    for number, accuracy in ((2, 0.5), (3, 0.95)):
        lines.epoch(number, {"validation_accuracy": accuracy})
    assert [" best " in line for line in out.getvalue().splitlines()[1:]] == [False, True]


def test_best_is_an_epoch_that_is_better_than_all_before_it() -> None:
    out = io.StringIO()
    lines = Lines(out)
    lines.begin("name", 5, 100)
    for epoch, accuracy in enumerate([0.5, 0.4, 0.5, 0.6, nan], start=1):
        lines.epoch(epoch, JUDGED | {"validation_accuracy": accuracy})
    bests = [" best " in line for line in out.getvalue().splitlines()[1:]]
    assert bests == [True, False, False, True, False]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"loss": 0.5}, "loss 0.5000"),
        (JUDGED, "loss 0.5000 acc 0.7500"),
        (JUDGED | {"validation_accuracy": 0.25}, "loss 0.5000 acc 0.7500, val 0.2500"),
        (
            JUDGED | {"validation_accuracy": 0.25, "validation_loss": 2},
            "loss 0.5000 acc 0.7500, val 2.0000 0.2500",
        ),
        ({"validation_loss": 2}, "val 2.0000"),
        ({"loss": nan}, "loss nan"),
        ({}, ""),
    ],
)
def test_of_what_was_measured_the_loss_comes_before_the_accuracy(
    row: dict[str, float], text: str
) -> None:
    assert measured(row, ", ") == text


def test_a_number_that_is_none_is_null_in_json() -> None:
    out = io.StringIO()
    JsonLines(out).epoch(7, JUDGED | {"loss": nan, "accuracy": float("inf")})
    assert json.loads(out.getvalue(), parse_constant=pytest.fail) == {
        "event": "epoch",
        "epoch": 7,
        "seconds": 9.0,
        "loss": None,
        "accuracy": None,
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (3599, "59 min 59 s"), (3600, "1 h 00 min")],
)
def test_a_duration_is_said_in_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_progress_that_says_nothing_takes_every_call(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = Progress()
    shown.stage("decoding", 2)
    shown.step(1)
    shown.begin("name", 1, 1)
    shown.epoch(1, JUDGED)
    shown.end("finished")
    assert capsys.readouterr() == ("", "")
