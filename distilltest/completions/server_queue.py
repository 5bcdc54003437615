"""The queue of one server: its client, its limits, retries, and what its failures mean for other calls."""

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
"""Maximum seconds between two attempts, even if the server asks for more."""
FIRST_CONTACT = 2.0
"""Seconds after which a server that was never reached is given up, so that you see the error within 3 s. A server that was
reached before gets all its retries."""
_AT_A_TIME = 3
"""Connections started in one turn of the loop (2 to 5 measured fastest, by 2.5 % over all at once)."""
_MOST_HELD = 256
"""Maximum number of held calls of doubted models; beyond it no more calls are taken."""
_TAKEN = 16
"""Calls taken from the source at once: few, because no other process may send them from then on."""


class Arrived(NamedTuple):
    """A completion as received."""

    completion: Completion
    body: bytes
    """The response's body."""
    attempts: int


class NotArrived(NamedTuple):
    """Why a request got no completion."""

    error: Exception
    """A CallError, or an unexpected exception."""
    attempts: int
    """0 if the request was never sent."""


Callback = Callable[[Arrived | NotArrived], None]


class CallSource(Protocol):
    """Where a server queue gets its requests."""

    def waiting(self, server: str) -> int:
        """The number of requests to a server that are still to be sent."""

    def take(self, server: str, most: int) -> Sequence[tuple[Request, Callback]]:
        """Take up to ``most`` of them, each with its callback; empty if there are none."""


@dataclass(slots=True, eq=False)
class _Call:
    """A request in progress, and its callback."""

    request: Request
    callback: Callback
    attempts: int = 0
    began: float = 0.0
    """The loop's time at the first attempt."""
    failure: CallError | None = None
    """The last attempt's."""


class ServerQueue:
    """All calls to one server: first come, first served, with one limit for all its models and judges.

    A call is taken from the source just before it is sent. A worker task exists only per call in flight, and continues with the
    next call when its own is answered.
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
        """Create the queue; it does not connect yet.

        Args:
            server: The server.
            client: Sends the calls.
            share: The number of processes that share the server's limits.
            check: Called before each attempt; raises a CallError if nothing may be sent.
            source: Where requests come from.
            chance: A number in [0, 1), which spreads the retries of calls that failed together.
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
        """Model → calls held while the model is doubted."""
        self._heard = float("-inf")
        """The loop's time of the last response, with any status."""
        self._batch = max(1, min(_TAKEN, self._limit // 4))
        self._queue: deque[_Call] = deque()
        """Calls to send: new ones and retries that are due."""
        self._waiting: dict[_Call, asyncio.TimerHandle] = {}
        """Calls that wait for their next attempt."""
        self._workers: set[asyncio.Task[None]] = set()
        self._growing = False

    def send(self, request: Request, callback: Callback) -> None:
        """Queue a request that does not come from the source. Call it on the loop.

        Args:
            request: The request.
            callback: Called once on the loop, with the completion, or with the error if all retries failed or the server or model
                is closed. If it raises for a completion, it is called again with that exception as the error. Not called if the
                queue is closed first.
        """
        self._queue.append(_Call(request, callback))
        self.wake()

    def wake(self) -> None:
        """Start workers for new requests, up to the limit."""
        if not self._growing and len(self._workers) < self._limit:
            self._growing = True
            asyncio.get_running_loop().call_soon(self._grow)

    async def close(self) -> None:
        """Drop queued calls, cancel calls in flight, and close connections."""
        self._limit = 0  # waiting retries start no worker
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
        """Add a few workers per turn, so that the first calls are sent before the last connections are made."""
        loop = asyncio.get_running_loop()
        waiting = len(self._queue) + (self._source.waiting(self._server.name) if self._source else 0)
        for _ in range(min(_AT_A_TIME, waiting, self._limit - len(self._workers))):
            self._workers.add(loop.create_task(self._work()))
        self._growing = waiting > _AT_A_TIME and len(self._workers) < self._limit
        if self._growing:
            loop.call_soon(self._grow)

    async def _work(self) -> None:
        """Send one call after the other until none is left."""
        try:
            while self._queue or self._take():
                await self._make(self._queue.popleft())
        finally:  # in the turn in which nothing was left, so that the next request starts a new worker
            self._workers.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    def _take(self) -> bool:
        """Take a few calls from the source; False if there were none or too many calls of doubted models are held."""
        if self._source is not None and sum(map(len, self._held.values())) < _MOST_HELD:
            self._queue += [_Call(*each) for each in self._source.take(self._server.name, self._batch)]
        return bool(self._queue)

    async def _make(self, call: _Call) -> None:
        breaker = self._models[call.request.model]
        try:
            if not self._worth_sending(call, breaker):  # before it uses a turn of the rate limit
                return
            await self._wait_for_turn()
            if not self._worth_sending(call, breaker):
                return
        except CallError as error:
            self._report(call, NotArrived(error, call.attempts))
            return
        if not call.attempts:
            call.began = asyncio.get_running_loop().time()
        call.attempts += 1
        breaker.in_flight += 1
        try:
            try:
                completion, body = await self._client.chat(call.request)
            finally:
                breaker.in_flight -= 1
        except CallError as failure:
            self._failed(call, breaker, failure)
        except Exception as error:  # a bug: report it, and let the worker go on
            self._report(call, NotArrived(_unexpected(call.request, error), call.attempts))
        else:
            breaker.succeeded()
            self._heard = asyncio.get_running_loop().time()
            self._report(call, Arrived(completion, body, call.attempts))
        if breaker.doubted is not None or self._held:
            self._settle(call.request.model, breaker)

    def _report(self, call: _Call, answer: Arrived | NotArrived) -> None:
        """Call the callback. If it raises, report that as this call's failure; the worker goes on."""
        try:
            call.callback(answer)
        except Exception as error:
            try:
                call.callback(NotArrived(_unexpected(call.request, error), call.attempts))
            except Exception as further:
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "distilltest: the callback of a failed call raised", "exception": further}
                )

    async def _wait_for_turn(self) -> None:
        """Wait for requests_per_minute, and for a pause that the server asked for."""
        now = asyncio.get_running_loop().time()
        start = max(now, self._next_start)
        if self._pace:
            self._next_start = start + self._pace
        if start > now:
            await asyncio.sleep(start - now)

    def _failed(self, call: _Call, breaker: CircuitBreaker, failure: CallError) -> None:
        call.failure = failure
        if not isinstance(failure, ServerUnreachable):
            self._heard = asyncio.get_running_loop().time()
        delay = self._delay(failure, call.attempts)
        if failure.retried and call.attempts <= self._server.max_retries and not self._given_up(call, failure, delay):
            self._waiting[call] = asyncio.get_running_loop().call_later(delay, self._again, call)
            return
        self._learn(call, breaker, failure)
        self._report(call, NotArrived(failure, call.attempts))

    def _given_up(self, call: _Call, failure: CallError, delay: float) -> bool:
        """Whether the server was never reached, and the next attempt would be too late."""
        waited = asyncio.get_running_loop().time() - call.began + delay
        return isinstance(failure, NoConnection) and failure.first_contact and waited > FIRST_CONTACT

    def _again(self, call: _Call) -> None:
        """Retry a call before all others: it has waited longest."""
        self._waiting.pop(call, None)
        self._queue.appendleft(call)
        self.wake()

    def _delay(self, failure: CallError, attempt: int) -> float:
        """Seconds until the next attempt."""
        if failure.retry_after is None:
            return min(8.0, 0.5 * 2.0 ** (attempt - 1)) * (0.75 + 0.25 * self._chance())
        delay = min(failure.retry_after, LONGEST_WAIT)
        if isinstance(failure, RateLimited):
            # The rate limit applies to the whole server, not to this call alone.
            self._next_start = max(self._next_start, asyncio.get_running_loop().time() + delay)
        return delay

    def _learn(self, call: _Call, breaker: CircuitBreaker, failure: CallError) -> None:
        """Apply one call's failure to the other calls of its model or server."""
        breaker.failed(failure)
        # If the server answered other calls meanwhile, a refused connection does not close it.
        if failure.closes == "server" and not (isinstance(failure, NoConnection) and self._heard > call.began):
            self._closed = failure
        if self._closed is not None or breaker.closed is not None:
            self._try_now()

    def _settle(self, model: str, breaker: CircuitBreaker) -> None:
        """Close a doubted model once no call in flight can restore it. When it is closed or restored, release its held calls."""
        if breaker.may_recover:
            return
        if breaker.doubted is not None:
            breaker.conclude(f"{model} on server {self._server.name!r}")
            self._try_now()
        self._queue.extendleft(reversed(self._held.pop(model, [])))
        self.wake()

    def _try_now(self) -> None:
        """Send waiting retries of a closed server or model to their callbacks at once."""
        for call, handle in list(self._waiting.items()):
            if self._closed is not None or self._models[call.request.model].closed is not None:
                handle.cancel()
                self._again(call)

    def _worth_sending(self, call: _Call, breaker: CircuitBreaker) -> bool:
        """Whether to send a call now. Calls of a doubted model are held until those in flight return.

        Raises:
            CallError: Nothing may be sent, or an earlier call showed that this one would fail.
        """
        known = self._closed or breaker.closed
        if known is not None:
            raise call.failure if call.failure is not None and isinstance(known, NotSent) else copy.copy(known)
        self._check()
        if breaker.may_recover:
            self._held.setdefault(call.request.model, []).append(call)
            return False
        return True


def _unexpected(request: Request, error: Exception) -> Exception:
    """The error to report for an exception that is not a CallError; our own errors (say, a full store) are passed on."""
    if isinstance(error, DistilltestError):
        return error
    wrapped = Unexpected(
        f"{request.model}: {type(error).__name__}: {error}. This is a bug in distilltest, not in the model. Please report it. "
        "Run again to repeat this request."
    )
    wrapped.__cause__ = error
    return wrapped
