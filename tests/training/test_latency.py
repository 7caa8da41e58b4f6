from __future__ import annotations

from collections.abc import Callable

import pytest

from training.latency import ROUNDS, SECONDS_PER_ROUND, latencies


class Machine:
    """A clock, and runs that take so many seconds of it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.order: list[str] = []

    def clock(self) -> float:
        return self.now

    def run(self, name: str, seconds: float) -> Callable[[], None]:
        def run() -> None:
            self.order.append(name)
            self.now += seconds

        return run


def test_the_quartiles_are_of_one_run_each() -> None:
    machine = Machine()
    (fast,), (slow,) = (
        latencies([machine.run("one", seconds)], machine.clock) for seconds in (0.001, 0.5)
    )
    assert fast == pytest.approx((0.001,) * 3)
    assert slow == pytest.approx((0.5,) * 3)


def test_a_slow_run_is_made_once_a_round_and_a_fast_one_often() -> None:
    machine = Machine()
    latencies([machine.run("slow", 1.0), machine.run("fast", SECONDS_PER_ROUND / 8)], machine.clock)
    assert machine.order.count("slow") == ROUNDS + 1  # once more to warm up
    assert 8 * ROUNDS < machine.order.count("fast") <= 9 * ROUNDS + 1


def test_they_take_turns() -> None:
    machine = Machine()
    latencies([machine.run("a", 1.0), machine.run("b", 1.0)], machine.clock)
    assert machine.order == ["a", "b"] * (ROUNDS + 1)


def test_the_first_run_is_not_counted() -> None:
    machine = Machine()

    def first_is_slow() -> None:
        machine.now += 1.0 if machine.order else 1000.0
        machine.order.append("one")

    (quartiles,) = latencies([first_is_slow], machine.clock)
    assert quartiles == pytest.approx((1.0, 1.0, 1.0))


def test_the_spread_is_that_of_the_middle_half() -> None:
    machine = Machine()

    def sometimes_slow() -> None:
        machine.order.append("one")
        machine.now += (1.0, 2.0, 3.0, 4.0)[len(machine.order) % 4]

    (quartiles,) = latencies([sometimes_slow], machine.clock)
    assert quartiles == pytest.approx((1.25, 2.5, 3.75))
