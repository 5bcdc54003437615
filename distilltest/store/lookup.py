"""Looking completions up from an event loop: keys that are asked for in one turn of it go into one query."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from distilltest.errors import StoreError
from distilltest.records import Completion
from distilltest.waiting import wake


class Lookup:
    """Finds completions by key. Used on one event loop."""

    def __init__(self, completions: Callable[[Sequence[str]], Mapping[str, Completion]]) -> None:
        self._completions = completions
        self._wanted: list[tuple[str, asyncio.Future[Completion | None]]] = []

    async def find(self, key: str) -> Completion | None:
        """What the store has under a key.

        Raises:
            StoreError: It cannot be read.
        """
        loop = asyncio.get_running_loop()
        if not self._wanted:
            loop.call_soon(self._find_all)
        found: asyncio.Future[Completion | None] = loop.create_future()
        self._wanted.append((key, found))
        return await found

    def _find_all(self) -> None:
        wanted, self._wanted = self._wanted, []
        try:
            stored = self._completions(list({key for key, _ in wanted}))
        except StoreError as error:
            for _, found in wanted:
                wake(found, error)
            return
        for key, found in wanted:
            wake(found, stored.get(key))
