"""The way to one server: its client, its limits, and what was learned about it."""

from __future__ import annotations

import asyncio
import copy
import random
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

from distilltest.completions.circuit_breaker import CircuitBreaker
from distilltest.completions.client import ChatClient
from distilltest.config import Server
from distilltest.errors import (
    CallError,
    DistilltestError,
    NoConnection,
    NotSent,
    RateLimited,
    ServerUnreachable,
    Unexpected,
)
from distilltest.records import Completion, Request

LONGEST_WAIT = 120.0
"""Seconds that we wait at most between two attempts, whatever the server asks."""
FIRST_CONTACT = 2.0
"""Seconds after which a server that has never been reached is not tried again, so that its failure is reported within 3 s; one
that was reached before gets all its retries."""
_AT_A_TIME = 3
"""Connections that are begun in one turn of the loop (2 to 5 were fastest, a fortieth faster than all at once)."""
_MOST_HELD = 256
"""Calls of doubted models that are held back before no more are taken."""
_TAKEN = 16
"""Calls that are taken from the source at once: a few, since nobody else may send them from then on."""


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


Callback = Callable[[Arrived | NotArrived], None]


class CallSource(Protocol):
    """Where a lane takes its calls from."""

    def waiting(self, server: str) -> int:
        """How many requests to a server are still to be sent."""

    def take(self, server: str, most: int) -> Sequence[tuple[Request, Callback]]:
        """Up to so many of them, with who takes what arrives; none where there are no more."""


@dataclass(slots=True, eq=False)
class _Call:
    """A request on its way, and who is told."""

    request: Request
    then: Callback
    attempts: int = 0
    began: float = 0.0
    """The loop's time at the first attempt."""
    failure: CallError | None = None
    """Of the last attempt."""


class ServerQueue:
    """All calls to one server: one source, first come first served, and one pool for all its models and judges.

    Calls are taken from the source just before they are sent; only the calls in flight have a task, which goes on
    with the next call when its own has come back.
    """

    def __init__(
        self,
        server: Server,
        client: ChatClient,
        share: int,
        check: Callable[[], None],
        source: CallSource | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Make the way; nothing is connected yet.

        Args:
            server: Where to.
            client: What carries the calls.
            share: How many processes share the server's limits.
            check: Called before each attempt; raises a CallError where nothing may be sent.
            source: Where calls come from.
            chance: A number in [0, 1), so that calls that failed together are not tried again together.
        """
        self._server = server
        self._client = client
        self._check = check
        self._source = source
        self._chance = chance
        self._limit = max(1, server.max_concurrency // share)
        self._pace = 60.0 * share / server.requests_per_minute if server.requests_per_minute else 0.0
        self._next_start = 0.0
        self._closed: CallError | None = None
        self._models: defaultdict[str, CircuitBreaker] = defaultdict(CircuitBreaker)
        self._held: dict[str, list[_Call]] = {}
        """Model → calls that wait for those in flight, because it is doubted."""
        self._heard = float("-inf")
        """The loop's time of the last response, whatever it said."""
        self._batch = max(1, min(_TAKEN, self._limit // 4))
        self._queue: deque[_Call] = deque()
        """What was taken and not sent, and what is tried again."""
        self._waiting: dict[_Call, asyncio.TimerHandle] = {}
        """What is tried again later."""
        self._workers: set[asyncio.Task[None]] = set()
        self._growing = False

    def send(self, request: Request, then: Callback) -> None:
        """Queue a request that comes from elsewhere than the source, on the loop.

        Args:
            request: What to ask.
            then: Called once on the loop: with what arrived, or with the error where nothing did after all retries or an earlier
                call showed that nothing can. Not called where the lane is closed before. Where it raises on what arrived, it is
                called again, with that as the error.
        """
        self._queue.append(_Call(request, then))
        self.wake()

    def wake(self) -> None:
        """There is something to take: have it begun with, unless as many calls as may be are in flight."""
        if not self._growing and len(self._workers) < self._limit:
            self._growing = True
            asyncio.get_running_loop().call_soon(self._grow)

    async def close(self) -> None:
        """Drop what is queued, break off what is in flight, and let go of connections."""
        self._limit = 0  # what waits to be tried again finds no worker
        self._queue.clear()
        for handle in self._waiting.values():
            handle.cancel()
        self._waiting.clear()
        workers = list(self._workers)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        await self._client.close()

    def _grow(self) -> None:
        """Add a few workers a turn: the first calls are on their way before the last ones' connections are made."""
        loop = asyncio.get_running_loop()
        waiting = len(self._queue) + (self._source.waiting(self._server.name) if self._source else 0)
        for _ in range(min(_AT_A_TIME, waiting, self._limit - len(self._workers))):
            self._workers.add(loop.create_task(self._work()))
        self._growing = waiting > _AT_A_TIME and len(self._workers) < self._limit
        if self._growing:
            loop.call_soon(self._grow)

    async def _work(self) -> None:
        """Make one call after the other, as long as there are any."""
        try:
            while self._queue or self._take():
                await self._make(self._queue.popleft())
        finally:  # in the same turn in which there was nothing to take: what comes next finds its worker
            self._workers.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    def _take(self) -> bool:
        """Take a few calls from the source; whether there were any. Not while many of a doubted model are held back already."""
        if self._source is not None and sum(map(len, self._held.values())) < _MOST_HELD:
            self._queue += [_Call(*each) for each in self._source.take(self._server.name, self._batch)]
        return bool(self._queue)

    async def _make(self, call: _Call) -> None:
        standing = self._models[call.request.model]
        try:
            if not self._worth_sending(call, standing):  # before a turn is taken that somebody else could use
                return
            await self._wait_for_turn()
            if not self._worth_sending(call, standing):
                return
        except CallError as error:
            self._tell(call, NotArrived(error, call.attempts))
            return
        if not call.attempts:
            call.began = asyncio.get_running_loop().time()
        call.attempts += 1
        standing.in_flight += 1
        try:
            try:
                completion, body = await self._client.chat(call.request)
            finally:
                standing.in_flight -= 1
        except CallError as failure:
            self._failed(call, standing, failure)
        except Exception as error:  # a bug: whoever asked is told, and the worker goes on
            self._tell(call, NotArrived(_unexpected(call.request, error), call.attempts))
        else:
            standing.succeeded()
            self._heard = asyncio.get_running_loop().time()
            self._tell(call, Arrived(completion, body, call.attempts))
        if standing.doubted is not None or self._held:
            self._settle(call.request.model, standing)

    def _tell(self, call: _Call, answer: Arrived | NotArrived) -> None:
        """Tell who asked. An exception there is this call's failure: the worker goes on with the next one."""
        try:
            call.then(answer)
        except Exception as error:
            try:
                call.then(NotArrived(_unexpected(call.request, error), call.attempts))
            except Exception as further:
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "distilltest: nobody could be told of a failed call", "exception": further}
                )

    async def _wait_for_turn(self) -> None:
        """Keep the pace of requests_per_minute, and a pause that the server asked for."""
        now = asyncio.get_running_loop().time()
        start = max(now, self._next_start)
        if self._pace:
            self._next_start = start + self._pace
        if start > now:
            await asyncio.sleep(start - now)

    def _failed(self, call: _Call, standing: CircuitBreaker, failure: CallError) -> None:
        call.failure = failure
        if not isinstance(failure, ServerUnreachable):
            self._heard = asyncio.get_running_loop().time()
        delay = self._patience(failure, call.attempts)
        if failure.retried and call.attempts <= self._server.max_retries and not self._given_up(call, failure, delay):
            self._waiting[call] = asyncio.get_running_loop().call_later(delay, self._again, call)
            return
        self._learn(call, standing, failure)
        self._tell(call, NotArrived(failure, call.attempts))

    def _given_up(self, call: _Call, failure: CallError, delay: float) -> bool:
        """Whether the server has never been reached and would not be tried again in time."""
        waited = asyncio.get_running_loop().time() - call.began + delay
        return isinstance(failure, NoConnection) and failure.first_contact and waited > FIRST_CONTACT

    def _again(self, call: _Call) -> None:
        """Before all others: who asked first has waited longest."""
        self._waiting.pop(call, None)
        self._queue.appendleft(call)
        self.wake()

    def _patience(self, failure: CallError, attempt: int) -> float:
        """Seconds until the next attempt."""
        if failure.retry_after is None:
            return min(8.0, 0.5 * 2.0 ** (attempt - 1)) * (0.75 + 0.25 * self._chance())
        delay = min(failure.retry_after, LONGEST_WAIT)
        if isinstance(failure, RateLimited):
            # The whole server asked for patience, not this one call.
            self._next_start = max(self._next_start, asyncio.get_running_loop().time() + delay)
        return delay

    def _learn(self, call: _Call, standing: CircuitBreaker, failure: CallError) -> None:
        """What one call proved, a thousand others need not try."""
        standing.failed(failure)
        # A server that answers others while this call finds no connection is there.
        if failure.closes == "server" and not (isinstance(failure, NoConnection) and self._heard > call.began):
            self._closed = failure
        if self._closed is not None or standing.closed is not None:
            self._try_now()

    def _settle(self, model: str, standing: CircuitBreaker) -> None:
        """Once no call in flight can restore a doubted model, close it. Then, or when it is restored, what was held goes on."""
        if standing.may_recover:
            return
        if standing.doubted is not None:
            standing.conclude(f"{model} on server {self._server.name!r}")
            self._try_now()
        self._queue.extendleft(reversed(self._held.pop(model, [])))
        self.wake()

    def _try_now(self) -> None:
        """After something was closed: nothing that it concerns waits for its next attempt."""
        for call, handle in list(self._waiting.items()):
            if self._closed is not None or self._models[call.request.model].closed is not None:
                handle.cancel()
                self._again(call)

    def _worth_sending(self, call: _Call, standing: CircuitBreaker) -> bool:
        """Whether to send a call now; a doubted model's calls are held until those in flight have come back.

        Raises:
            CallError: Nothing may be sent, or an earlier call showed that it would fail.
        """
        known = self._closed or standing.closed
        if known is not None:
            raise call.failure if call.failure is not None and isinstance(known, NotSent) else copy.copy(known)
        self._check()
        if standing.may_recover:
            self._held.setdefault(call.request.model, []).append(call)
            return False
        return True


def _unexpected(request: Request, error: Exception) -> Exception:
    """What is told of an exception that is not a call's: errors of ours stay what they are (a store that is full, say)."""
    if isinstance(error, DistilltestError):
        return error
    told = Unexpected(
        f"{request.model}: {type(error).__name__}: {error}. This is a fault of distilltest, not of the model: please report it. "
        "Run again to ask for this answer once more."
    )
    told.__cause__ = error
    return told
