from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from functools import partial

import pytest

from app.errors import Overloaded
from app.jobs import NICENESS, Jobs


def run(scenario: Callable[[Jobs], Coroutine[None, None, None]]) -> None:
    """With a queue in which two may wait."""
    jobs = Jobs(2)
    asyncio.run(scenario(jobs))
    jobs.close()


def test_work_is_done_in_order_one_thing_at_a_time() -> None:
    async def scenario(jobs: Jobs) -> None:
        done: list[int] = []

        def work(number: int) -> int:
            done.append(number)
            return number

        answers = await asyncio.gather(*(jobs.submit(partial(work, one)) for one in range(3)))
        assert answers == done == [0, 1, 2]

    run(scenario)


def test_a_thing_under_way_and_as_many_as_may_wait_are_taken_one_more_is_not() -> None:
    async def scenario(jobs: Jobs) -> None:
        go = threading.Event()
        taken = [jobs.submit(go.wait) for _ in range(3)]
        with pytest.raises(Overloaded, match="2 requests may wait") as refused:
            jobs.submit(go.wait)
        assert refused.value.limit == "inside"
        with pytest.raises(Overloaded):
            jobs.check_room()
        go.set()
        assert await asyncio.gather(*taken) == [True] * 3
        jobs.check_room()
        assert await jobs.submit(go.wait)

    run(scenario)


def test_what_was_cancelled_before_it_began_is_not_done() -> None:
    async def scenario(jobs: Jobs) -> None:
        go, done = threading.Event(), list[str]()
        first = jobs.submit(go.wait)
        left = jobs.submit(lambda: done.append("left"))
        stays = jobs.submit(lambda: done.append("stays"))
        left.cancel()
        go.set()
        await asyncio.gather(first, stays)
        assert done == ["stays"]
        jobs.check_room()

    run(scenario)


def test_an_error_is_that_of_its_own_work_alone() -> None:
    async def scenario(jobs: Jobs) -> None:
        failed, fine = jobs.submit(lambda: 1 / 0), jobs.submit(lambda: 1)
        with pytest.raises(ZeroDivisionError):
            await failed
        assert await fine == 1

    run(scenario)


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has a niceness on Linux alone")
def test_the_thread_is_nice_and_the_others_stay_as_they_are() -> None:
    async def scenario(jobs: Jobs) -> None:
        before = os.getpriority(os.PRIO_PROCESS, 0)
        nice = await jobs.submit(lambda: os.getpriority(os.PRIO_PROCESS, 0))
        assert nice == max(NICENESS, before)
        assert os.getpriority(os.PRIO_PROCESS, 0) == before

    run(scenario)


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has a niceness on Linux alone")
def test_in_a_process_that_is_nicer_still_the_thread_is_as_nice_as_that() -> None:
    """In a process of its own: who is no administrator cannot take niceness back."""
    script = """
import asyncio, os
from app.jobs import Jobs
async def main():
    jobs = Jobs(1)
    print(await jobs.submit(lambda: os.getpriority(os.PRIO_PROCESS, 0)))
    jobs.close()
asyncio.run(main())
"""
    command = ["nice", "-n", "15", sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 15


def test_closing_does_what_waits_and_ends_the_thread() -> None:
    async def scenario() -> None:
        jobs = Jobs(8)
        answers = [jobs.submit(threading.current_thread) for _ in range(3)]
        await asyncio.to_thread(jobs.close)
        (thread,) = {*await asyncio.gather(*answers)}
        assert not thread.is_alive()
        jobs.close()

    asyncio.run(scenario())


def test_a_queue_that_nobody_used_has_no_thread() -> None:
    before = threading.active_count()
    jobs = Jobs(8)
    assert threading.active_count() == before
    jobs.close()
