"""Progress on a terminal: a bar that fills within each epoch; finished epochs stay above it.

    epoch 3/10 ━━━━━━━━━━━━━━━━ 422/422 0:00:07  loss 0.0812 acc 0.9750 │ val 0.0523 0.9840 ▲ best

On a narrow terminal the bar is shorter, and then the line is cut: it never wraps. Colours are left
out where NO_COLOR is set.
"""

from __future__ import annotations

import atexit
import time
from dataclasses import dataclass, field
from math import inf

from rich.console import Console
from rich.live import Live
from rich.text import Text

from training.progress import Clock, Course, Progress, Row, duration, measured

WIDTH = 16  # of the bar, in characters; less where the line would not fit
REDRAWS_PER_SECOND = 8


@dataclass
class Part:
    """What one bar stands for: an epoch or a stage."""

    label: str
    total: int
    began: float
    done: int = 0
    values: Row = field(default_factory=dict)

    @property
    def share(self) -> float:
        return min(1.0, self.done / self.total) if self.total else 0.0


class Bar(Progress):
    """Draws on stderr, or on a console that is given."""

    def __init__(self, console: Console | None = None, clock: Clock = time.monotonic) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._clock = clock
        self._live: Live | None = None
        self._course: Course | None = None
        self._part: Part | None = None
        self._steps_per_epoch = 0

    def begin(
        self,
        title: str,
        epochs: int,
        steps_per_epoch: int,
        finished_epochs: int = 0,
        best_accuracy: float = -inf,
    ) -> None:
        self._course = Course(title, epochs, finished_epochs, best_accuracy, self._clock)
        self._steps_per_epoch = steps_per_epoch
        self._show(self._epoch_part(finished_epochs + 1), Text(title, style="bold"))

    def stage(self, title: str, total: int) -> None:
        self._course = None
        self._show(Part(title, total, self._clock()))

    def step(self, done: int, values: Row | None = None) -> None:
        if self._part is None:
            return
        self._part.done, self._part.values = done, values or {}
        if self._course is None and done >= self._part.total:
            self._show(None, self._line(self._part))

    def epoch(self, number: int, row: Row) -> None:
        assert self._course is not None
        assert self._part is not None
        self._part.done, self._part.values = self._part.total, row
        is_best = self._course.finish(number, row)
        finished = self._line(self._part, is_best)
        more = number < self._course.epochs
        self._show(self._epoch_part(number + 1) if more else None, finished)

    def end(self, reason: str = "") -> None:
        self._part = None
        if self._live is not None:
            self._live.stop()
            self._live = None
        if reason:
            self._console.print(reason, markup=False)

    def _show(self, part: Part | None, above: Text | None = None) -> None:
        """Draw a bar for `part` from now on; `above` it stays for good."""
        self._part = part
        if self._live is None:
            self._live = Live(
                console=self._console,
                get_renderable=self._now,
                refresh_per_second=REDRAWS_PER_SECOND,
                transient=True,
                redirect_stdout=False,  # what is written there is data
            )
            self._live.start()
            atexit.register(self._live.stop)  # whatever ends the command, the cursor comes back
        self._live.refresh()  # else the old bar would be drawn once more, under `above`
        if above is not None:
            self._console.print(above, no_wrap=True, overflow="crop", crop=True)

    def _now(self) -> Text:
        part = self._part  # once: another thread asks, while this one goes on
        return Text("") if part is None else self._line(part)

    def _epoch_part(self, number: int) -> Part:
        assert self._course is not None
        epochs = str(self._course.epochs)
        label = f"epoch {number:{len(epochs)}}/{epochs}"
        return Part(label, self._steps_per_epoch, self._clock())

    def _line(self, part: Part, is_best: bool = False) -> Text:
        full, empty, split, best = "#-|^" if self._console.options.ascii_only else "━─│▲"
        elapsed = self._clock() - part.began
        behind = Text(f" {part.done}/{part.total} {_clock_face(elapsed)}")
        if part.values:
            behind.append(f"  {measured(part.values, f' {split} ')}")
        if is_best:
            behind.append(f" {best} best", style="green")
        left = self._seconds_left(part, elapsed)
        if left is not None:
            behind.append(f"  {duration(left)} left", style="bright_black")
        line = Text(f"{part.label} ", no_wrap=True, overflow="crop")
        room = self._console.width - line.cell_len - behind.cell_len
        width = max(0, min(WIDTH, room))
        filled = round(width * part.share)
        line.append(full * filled, style="green" if part.share == 1 else "cyan")
        line.append(empty * (width - filled), style="bright_black")
        return line.append_text(behind)

    def _seconds_left(self, part: Part, elapsed: float) -> float | None:
        if part.share in (0, 1):
            return None
        if self._course is not None:
            return self._course.seconds_left(part.share)
        return elapsed / part.share * (1 - part.share)


def _clock_face(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
