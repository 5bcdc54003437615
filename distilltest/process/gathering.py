"""Waiting for several coroutines at once, without a task where there is only one; and waking who waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

T = TypeVar("T")


async def together(awaitables: Sequence[Awaitable[T]]) -> list[T]:
    """The results in order; one alone is awaited where it stands, which saves a task and two turns of the loop."""
    if len(awaitables) == 1:
        return [await awaitables[0]]
    return list(await asyncio.gather(*awaitables))


def wake(future: asyncio.Future[T], result: T | Exception) -> None:
    """Give a future its result, or its error, unless who waited was cancelled meanwhile."""
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
