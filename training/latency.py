"""How long one image takes through a model file's graph, on one thread of ONNX Runtime."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import quantiles

ROUNDS = 40
SECONDS_PER_ROUND = 0.005  # at least one image, however long it takes

Quartiles = tuple[float, float, float]  # seconds: a quarter is faster, half, three quarters


def latencies(
    runs: Sequence[Callable[[], object]], clock: Callable[[], float] = time.perf_counter
) -> list[Quartiles]:
    """Quartiles of the time of each of `runs`, one image each.

    They take turns, so that a machine that is busy for a while is busy for all of them.
    """
    times: list[list[float]] = [[] for _ in runs]
    for run in runs:
        run()  # the first one allocates
    for _ in range(ROUNDS):
        for run, taken in zip(runs, times, strict=True):
            until = clock() + SECONDS_PER_ROUND
            while True:
                start = clock()
                run()
                end = clock()
                taken.append(end - start)
                if end >= until:
                    break
    return [_quartiles(taken) for taken in times]


def _quartiles(times: Sequence[float]) -> Quartiles:
    quarter, half, three_quarters = quantiles(times, n=4)
    return quarter, half, three_quarters
