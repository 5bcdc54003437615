"""Waiting for several coroutines, without a task for a single one; and completing a future."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

T = TypeVar("T")


async def together(awaitables: Sequence[Awaitable[T]]) -> list[T]:
    """The results in order. A single coroutine is awaited directly, which saves a task and two turns of the loop."""
    if len(awaitables) == 1:
        return [await awaitables[0]]
    return list(await asyncio.gather(*awaitables))


def wake(future: asyncio.Future[T], result: T | Exception) -> None:
    """Set the result or the error of a future, unless it is done or cancelled."""
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
