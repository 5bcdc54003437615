"""The way to one server: its client, its limits, and what was learned about it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from distilltest.client import ChatClient
from distilltest.config import Server
from distilltest.errors import (
    AuthenticationFailed,
    BadAnswer,
    CallError,
    ModelNotFound,
    RateLimited,
    ServerFailed,
    ServerUnreachable,
)
from distilltest.records import Completion, Request

LONGEST_WAIT = 120.0
"""Seconds that we wait at most between two attempts, whatever the server asks."""
_RETRIED = (BadAnswer, RateLimited, ServerFailed, ServerUnreachable)


class Lane:
    """All calls to one server: one pool for all its models and judges."""

    def __init__(
        self, server: Server, client: ChatClient, share: int, chance: Callable[[], float] = random.random
    ) -> None:
        self._server = server
        self._client = client
        self._slots = asyncio.Semaphore(max(1, server.max_concurrency // share))
        self._chance = chance
        self._pace = 60.0 * share / server.requests_per_minute if server.requests_per_minute else 0.0
        self._next_start = 0.0
        self._closed: dict[str | None, CallError] = {}
        self.retries = 0

    async def chat(self, request: Request, check: Callable[[], None]) -> tuple[Completion, bytes, int]:
        """A completion, the response's body and the number of attempts.

        Args:
            request: What to ask.
            check: Called before each attempt, when its turn has come; raises a CallError where nothing may be sent.

        Raises:
            CallError: There is none after all retries, or an earlier call showed that there cannot be one.
        """
        attempt = 0
        while True:
            attempt += 1
            async with self._slots:
                await self._wait_for_turn()
                self._raise_if_closed(request)
                check()
                try:
                    completion, body = await self._client.chat(request)
                except CallError as error:
                    failure = error
                else:
                    return completion, body, attempt
            if not isinstance(failure, _RETRIED) or attempt > self._server.max_retries:
                self._learn(request, failure)
                failure.add_note(str(attempt))
                raise failure
            self.retries += 1
            await self._back_off(failure, attempt)

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()

    async def _wait_for_turn(self) -> None:
        """Keep the pace of requests_per_minute, and a pause that the server asked for."""
        now = asyncio.get_running_loop().time()
        start = max(now, self._next_start)
        if self._pace:
            self._next_start = start + self._pace
        if start > now:
            await asyncio.sleep(start - now)

    async def _back_off(self, failure: CallError, attempt: int) -> None:
        delay = min(8.0, 0.5 * 2.0 ** (attempt - 1)) * (0.75 + 0.25 * self._chance())
        if failure.retry_after is not None:
            delay = min(failure.retry_after, LONGEST_WAIT)
            if isinstance(failure, RateLimited):
                # The whole server asked for patience, not this one call.
                self._next_start = max(self._next_start, asyncio.get_running_loop().time() + delay)
        await asyncio.sleep(delay)

    def _learn(self, request: Request, failure: CallError) -> None:
        """What one call proved, a thousand others need not try: no key, no model, no server."""
        if isinstance(failure, ModelNotFound):
            self._closed[request.model] = failure
        elif isinstance(failure, AuthenticationFailed) or (
            isinstance(failure, ServerUnreachable) and "no answer within" not in str(failure)
        ):
            self._closed[None] = failure

    def _raise_if_closed(self, request: Request) -> None:
        known = self._closed.get(None) or self._closed.get(request.model)
        if known is not None:
            raise type(known)(str(known), status=known.status)
