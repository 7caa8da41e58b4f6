from __future__ import annotations

import asyncio

import pytest

from app.watch import repeating


def test_a_round_comes_again_until_the_end_and_a_fault_is_not_the_last(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rounds = 0
    enough = asyncio.Event()

    async def one() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise OSError("the folder is gone for a moment")
        enough.set()

    async def run() -> int:
        async with repeating(0.01, one):
            await asyncio.wait_for(enough.wait(), 10)
        return rounds

    assert asyncio.run(run()) == rounds  # none after the end
    assert len(caplog.records) == 1


def test_one_that_takes_long_does_not_keep_the_others() -> None:
    ran = asyncio.Event()

    async def slow() -> None:
        await asyncio.sleep(60)

    async def quick() -> None:
        ran.set()

    async def run() -> None:
        async with repeating(0.01, slow, quick):
            await asyncio.wait_for(ran.wait(), 10)

    asyncio.run(run())
