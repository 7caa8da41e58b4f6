"""What was done to a picture on its way to pixels, step by step, and how long each step took.

Written down only where somebody asks to see it. Knows nothing of pictures.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Step:
    """One step that changed something: its facts, as JSON has them, and its time."""

    name: str
    did: dict[str, Any]
    milliseconds: float


class Steps:
    """The steps as they begin; each lasts until the next begins, or until they are asked for."""

    def __init__(self) -> None:
        self._begun: list[tuple[str, dict[str, Any], float]] = []

    def begin(self, name: str, did: dict[str, Any]) -> None:
        """Write a step down; what it finds out may be added to `did` later."""
        self._begun.append((name, did, time.perf_counter()))

    def end(self) -> list[Step]:
        """All of them, in order; the last has just ended."""
        ends = [began for _, _, began in self._begun[1:]] + [time.perf_counter()]
        return [
            Step(name, did, (end - began) * 1000)
            for (name, did, began), end in zip(self._begun, ends, strict=True)
        ]
