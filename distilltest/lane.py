"""The way to one server: its client, its limits, and what was learned about it."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, cast

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
_AT_A_TIME = 3
"""Connections that are begun in one turn of the loop (2 to 5 were fastest, a fortieth faster than all at once)."""
_RETRIED = (BadAnswer, RateLimited, ServerFailed, ServerUnreachable)


class Arrived(NamedTuple):
    """A completion as it came."""

    completion: Completion
    body: bytes
    """The response's body."""
    attempts: int


class NotArrived(NamedTuple):
    """Why a request got no completion."""

    error: Exception
    """A CallError, or what should not have happened."""
    attempts: int
    """0 where it was never sent."""


Then = Callable[[Arrived | NotArrived], None]


@dataclass(slots=True)
class _Call:
    """A request on its way, and who is told."""

    request: Request
    then: Then
    attempts: int = 0


class Lane:
    """All calls to one server: one queue, first come first served, and one pool for all its models and judges.

    A call that waits is an entry of the queue and costs next to nothing; only the calls in flight have a task, which goes on
    with the next call when its own has come back.
    """

    def __init__(
        self,
        server: Server,
        client: ChatClient,
        share: int,
        check: Callable[[], None],
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Make the way; nothing is connected yet.

        Args:
            server: Where to.
            client: What carries the calls.
            share: How many processes share the server's limits.
            check: Called before each attempt; raises a CallError where nothing may be sent.
            chance: A number in [0, 1), so that calls that failed together are not tried again together.
        """
        self._server = server
        self._client = client
        self._check = check
        self._chance = chance
        self._limit = max(1, server.max_concurrency // share)
        self._pace = 60.0 * share / server.requests_per_minute if server.requests_per_minute else 0.0
        self._next_start = 0.0
        self._closed: dict[str | None, CallError] = {}
        self._queue: deque[_Call] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._growing = False

    def send(self, request: Request, then: Then) -> None:
        """Queue a request, on the loop.

        Args:
            request: What to ask.
            then: Called once on the loop: with what arrived, or with the error where nothing did after all retries or an earlier
                call showed that nothing can. Not called where the lane is closed before.
        """
        self._queue.append(_Call(request, then))
        self._work_on()

    async def close(self) -> None:
        """Drop what is queued, break off what is in flight, and let go of connections."""
        self._limit = 0  # what waits to be tried again finds no worker
        self._queue.clear()
        workers = list(self._workers)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        await self._client.close()

    def _work_on(self) -> None:
        """Have what is queued begun with, unless as many calls as may be are in flight."""
        if not self._growing and len(self._workers) < self._limit:
            self._growing = True
            asyncio.get_running_loop().call_soon(self._grow)

    def _grow(self) -> None:
        """Add a few workers a turn: the first calls are on their way before the last ones' connections are made."""
        loop = asyncio.get_running_loop()
        for _ in range(min(_AT_A_TIME, len(self._queue), self._limit - len(self._workers))):
            self._workers.add(loop.create_task(self._work()))
        self._growing = bool(self._queue) and len(self._workers) < self._limit
        if self._growing:
            loop.call_soon(self._grow)

    async def _work(self) -> None:
        """Make one call after the other, as long as there are any."""
        try:
            while self._queue:
                await self._make(self._queue.popleft())
        finally:  # in the same turn in which the queue was found empty: what is queued next finds its worker
            self._workers.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _make(self, call: _Call) -> None:
        try:
            self._raise_unless_worth_sending(call.request)  # before a turn is taken that somebody else could use
            await self._wait_for_turn()
            self._raise_unless_worth_sending(call.request)
        except CallError as error:
            call.then(NotArrived(error, call.attempts))
            return
        call.attempts += 1
        try:
            completion, body = await self._client.chat(call.request)
        except CallError as failure:
            self._failed(call, failure)
        except Exception as error:  # a bug: whoever asked is told, and the worker goes on
            call.then(NotArrived(error, call.attempts))
        else:
            call.then(Arrived(completion, body, call.attempts))

    async def _wait_for_turn(self) -> None:
        """Keep the pace of requests_per_minute, and a pause that the server asked for."""
        now = asyncio.get_running_loop().time()
        start = max(now, self._next_start)
        if self._pace:
            self._next_start = start + self._pace
        if start > now:
            await asyncio.sleep(start - now)

    def _failed(self, call: _Call, failure: CallError) -> None:
        if not isinstance(failure, _RETRIED) or call.attempts > self._server.max_retries:
            self._learn(call.request, failure)
            call.then(NotArrived(failure, call.attempts))
            return
        asyncio.get_running_loop().call_later(self._patience(failure, call.attempts), self._again, call)

    def _again(self, call: _Call) -> None:
        """Before all others: who asked first has waited longest."""
        self._queue.appendleft(call)
        self._work_on()

    def _patience(self, failure: CallError, attempt: int) -> float:
        """Seconds until the next attempt."""
        if failure.retry_after is None:
            return min(8.0, 0.5 * 2.0 ** (attempt - 1)) * (0.75 + 0.25 * self._chance())
        delay = min(failure.retry_after, LONGEST_WAIT)
        if isinstance(failure, RateLimited):
            # The whole server asked for patience, not this one call.
            self._next_start = max(self._next_start, asyncio.get_running_loop().time() + delay)
        return delay

    def _learn(self, request: Request, failure: CallError) -> None:
        """What one call proved, a thousand others need not try: no key, no model, no server."""
        if isinstance(failure, ModelNotFound):
            self._closed[request.model] = failure
        elif isinstance(failure, AuthenticationFailed) or (
            isinstance(failure, ServerUnreachable) and "no answer within" not in str(failure)
        ):
            self._closed[None] = failure

    def _raise_unless_worth_sending(self, request: Request) -> None:
        known = self._closed.get(None) or self._closed.get(request.model)
        if known is not None:
            raise type(known)(str(known), status=known.status)
        self._check()
