"""The first Ctrl+C asks a training to finish its epoch and save; the second stops it at once."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Any

STDERR = 2


class Interrupted(KeyboardInterrupt):
    """The first Ctrl+C came in the last epoch: the run is finished, and nothing is to follow."""


class Interrupt:
    """A context in which the first SIGINT sets `asked` and says so on stderr.

    The second raises KeyboardInterrupt where the program is. On leaving, the handler that was there
    is back. Use it in the main thread: Python lets no other handle signals.
    """

    def __init__(self, doing: str = "the epoch") -> None:
        self.doing = doing  # said in the sentence; keep it up to date: "epoch 3"
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> Interrupt:
        self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self.asked:
            signal.default_int_handler(signum, frame)
        self.asked = True
        # The terminal shows ^C where a bar is. `print` must not be called while it is being called.
        newline = "\n" if os.isatty(STDERR) else ""
        sentence = f"{newline}finishing {self.doing}, then saving; Ctrl+C again stops now\n"
        os.write(STDERR, sentence.encode())
