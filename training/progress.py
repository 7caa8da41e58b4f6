"""What is seen of a training while it runs: a bar, plain lines, JSON lines or nothing.

Bars and plain lines are talk and go to stderr; JSON lines are data and go to stdout. Knows nothing
of Keras: whoever works says how far it is.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from math import inf, isfinite
from typing import Literal, TextIO

Mode = Literal["auto", "bar", "lines", "json", "none"]
Row = Mapping[str, float]  # what was measured: loss, accuracy, validation_accuracy …
Clock = Callable[[], float]  # seconds

_HELD_OUT = "validation_"  # what begins so was measured on images left out


class Progress:
    """What is told while work goes on; this one says nothing, the others something.

    Call `end` whatever happens: it puts a terminal in order.
    """

    def begin(
        self,
        title: str,
        epochs: int,
        steps_per_epoch: int,
        finished_epochs: int = 0,
        best_accuracy: float = -inf,
    ) -> None:
        """A training begins, or goes on after `finished_epochs`; `step` and `epoch` follow.

        `best_accuracy` is the best of the finished epochs on held-out images.
        """

    def stage(self, title: str, total: int) -> None:
        """Other long work begins, such as the decoding of `total` pictures; `step` follows."""

    def step(self, done: int, values: Row | None = None) -> None:
        """So many steps of the epoch, or things of the stage, are done."""

    def epoch(self, number: int, row: Row) -> None:
        """An epoch is finished; the first is 1."""

    def end(self, reason: str = "") -> None:
        """Nothing more comes; `reason` is a sentence for people, if there is something to say."""


def progress(mode: Mode = "auto") -> Progress:
    """The progress of a mode; `auto` is a bar on a terminal and lines elsewhere."""
    if mode == "auto":
        has_bar = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        mode = "bar" if has_bar else "lines"
    if mode == "bar":
        from training.progress_bar import Bar

        return Bar()
    if mode == "lines":
        return Lines(sys.stderr)
    return JsonLines(sys.stdout) if mode == "json" else Progress()


class Course:
    """How far a training is, how long it will take yet, and which of its epochs was the best."""

    def __init__(
        self, title: str, epochs: int, finished_epochs: int, best_accuracy: float, clock: Clock
    ) -> None:
        self.title, self.epochs, self.finished = title, epochs, finished_epochs
        self._began_at, self._began, self._clock = finished_epochs, clock(), clock
        self._best = best_accuracy

    def seconds_left(self, share_of_epoch: float = 0.0) -> float | None:
        """None as long as there is nothing to judge by."""
        done = self.finished + share_of_epoch - self._began_at
        if done <= 0:
            return None
        return (self._clock() - self._began) / done * (self.epochs - self._began_at - done)

    def finish(self, number: int, row: Row) -> bool:
        """Note an epoch; True if no epoch before it was as good on the held-out images."""
        self.finished = number
        accuracy = held_out(row).get("accuracy", -inf)
        is_best = accuracy > self._best
        self._best = max(self._best, accuracy)
        return is_best


class Lines(Progress):
    """One plain line per epoch, two per stage, without control characters."""

    def __init__(self, out: TextIO, clock: Clock = time.monotonic) -> None:
        self._out, self._clock = out, clock
        self._course: Course | None = None
        self._stage: tuple[str, int, float] | None = None

    def begin(
        self,
        title: str,
        epochs: int,
        steps_per_epoch: int,
        finished_epochs: int = 0,
        best_accuracy: float = -inf,
    ) -> None:
        self._course = Course(title, epochs, finished_epochs, best_accuracy, self._clock)
        self._say(f"{title}: {epochs} epochs of {steps_per_epoch:,} steps")

    def stage(self, title: str, total: int) -> None:
        self._stage = (title, total, self._clock())
        self._say(f"{title}: {total:,}")

    def step(self, done: int, values: Row | None = None) -> None:
        if self._stage and done >= self._stage[1]:
            title, total, began = self._stage
            self._stage = None
            self._say(f"{title}: {total:,} in {duration(self._clock() - began)}")

    def epoch(self, number: int, row: Row) -> None:
        assert self._course is not None
        best = " best" if self._course.finish(number, row) else ""
        left = duration(self._course.seconds_left() or 0.0)
        self._say(
            f"{self._course.title}  epoch {number}/{self._course.epochs}  "
            f"{measured(row, ', ')}{best}  {left} left"
        )

    def end(self, reason: str = "") -> None:
        if reason:
            self._say(reason)

    def _say(self, line: str) -> None:
        print(line, file=self._out, flush=True)


class JsonLines(Progress):
    """One JSON object per line: `begin`, `stage`, `epoch`, `end`. What is no number is null."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def begin(
        self,
        title: str,
        epochs: int,
        steps_per_epoch: int,
        finished_epochs: int = 0,
        best_accuracy: float = -inf,
    ) -> None:
        self._write(
            "begin",
            title=title,
            epochs=epochs,
            steps_per_epoch=steps_per_epoch,
            finished_epochs=finished_epochs,
        )

    def stage(self, title: str, total: int) -> None:
        self._write("stage", title=title, total=total)

    def epoch(self, number: int, row: Row) -> None:
        numbers = {name: value if isfinite(value) else None for name, value in row.items()}
        self._write("epoch", **numbers | {"epoch": number})

    def end(self, reason: str = "") -> None:
        self._write("end", reason=reason)

    def _write(self, event: str, **facts: object) -> None:
        print(json.dumps({"event": event} | facts), file=self._out, flush=True)


def held_out(row: Row) -> Row:
    """What a row says of held-out images: `validation_accuracy` as `accuracy`."""
    return {
        name.removeprefix(_HELD_OUT): value
        for name, value in row.items()
        if name.startswith(_HELD_OUT)
    }


def measured(row: Row, before_held_out: str) -> str:
    """`loss 0.0812 acc 0.9750, val 0.0523 0.9840`: of held-out images, loss before accuracy."""
    short = {"loss": "loss", "accuracy": "acc"}
    seen = [f"{text} {row[name]:.4f}" for name, text in short.items() if name in row]
    judged = [f"{held_out(row)[name]:.4f}" for name in short if name in held_out(row)]
    parts = [" ".join(seen), " ".join(["val", *judged]) if judged else ""]
    return before_held_out.join(part for part in parts if part)


def duration(seconds: float) -> str:
    """`4 min 02 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
