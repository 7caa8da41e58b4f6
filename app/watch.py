"""Work that comes again and again beside the requests; a round that fails is logged, not the last.

Knows nothing of what the work is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

logger = logging.getLogger("convolu")


@asynccontextmanager
async def repeating(seconds: float, *rounds: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run each of `rounds` every so many seconds for as long as the context lasts."""
    tasks = [asyncio.create_task(_repeat(seconds, one)) for one in rounds]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(seconds: float, one: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await one()
        except Exception:
            logger.exception("a round of %s failed", one)
