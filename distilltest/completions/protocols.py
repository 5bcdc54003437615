"""What the dispatcher needs from the store, from the claims and from the server queues."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

from distilltest.records import CallFailure, Completion, Request
from distilltest.store import SavedCompletion


class Reading(Protocol):
    """Reads stored completions: :class:`distilltest.store.Reader`."""

    def find(self, keys: Iterable[str]) -> dict[str, Completion]:
        """The stored completions, by key."""

    def known(self, keys: Iterable[str]) -> set[str]:
        """The keys for which ``find`` returns a completion."""

    def failures(self, keys: Iterable[str]) -> dict[str, tuple[CallFailure, int, float]]:
        """Final failures by key: the failure, its session, and its time (Unix)."""


class Saving(Protocol):
    """Makes answers durable: :class:`distilltest.store.Store`."""

    def save(
        self, request: Request, completion: Completion, response: bytes, *, session: int, fresh: bool
    ) -> asyncio.Future[SavedCompletion]:
        """Save a completion."""

    def save_failure(self, failure: CallFailure, session: int, at: float) -> asyncio.Future[None]:
        """Save a final failure, for other processes to see."""


class Claiming(Protocol):
    """Records which process is fetching which request: :class:`distilltest.store.claims.Claims`."""

    def take(self, keys: Iterable[str]) -> set[str]:
        """Claim the keys that no other process holds; return them."""

    def give_back(self, keys: Iterable[str]) -> None:
        """Release the keys."""


class Sending(Protocol):
    """Sends requests to one server: :class:`distilltest.completions.server_queue.ServerQueue`."""

    def wake(self) -> None:
        """Announce that there are requests to take."""
