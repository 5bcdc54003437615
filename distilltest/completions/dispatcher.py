"""Decides what happens to each request: use the stored answer, wait for another process, send it, or report its failure.

Everything that needs completions asks here (prefetching, evaluations, judges, collecting), so that a request is sent only once,
however often it is asked and even if several processes share a store::

    asked → looked up in the store → backlog → claimed, looked up again → sent → committed → reported
                    ↓                             ↓                         ↓
                 reported               another process has it       reported: it failed
                                        → parked until it is stored, fails, or that process ends

Runs on one event loop and never blocks it for long: it reads the store by key, and a separate thread writes.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from distilltest.completions.counts import Counts
from distilltest.completions.protocols import Claiming, Reading, Saving, Sending
from distilltest.completions.server_queue import Arrived, Callback, NotArrived
from distilltest.errors import CallError, NotInStore, StoreError
from distilltest.records import CallFailure, Completion, Request
from distilltest.store import SavedCompletion

Answer = Completion | CallFailure
Receiver = Callable[[Answer | Exception], None]
"""Called on the loop with the result of a request: an answer, or an error unrelated to the call."""
_AT_A_TIME = 500
"""Keys looked up in one turn of the loop."""
_OFFLINE = "{}: the store has no completion of this request, and --offline sends none. Run without --offline."
_POLL_INTERVAL = 0.05
"""Seconds between two checks of requests that other processes hold."""


@dataclass
class _Parked:
    """A request that another process has claimed."""

    request: Request
    since: float
    """Unix time."""


@dataclass
class Dispatcher:
    """Decides what happens to each request."""

    reading: Reading
    saving: Saving
    claiming: Claiming
    server_queue: Callable[[str], Sending]
    """The queue of a server, by its name. May raise if there is no such server."""
    counts: Counts
    session: int
    """The session's number in the store; all workers of a run share it."""
    fresh: bool = False
    offline: bool = False
    spent: Callable[[Request, Completion], float] = lambda _request, _completion: 0.0
    """The cost of an answer, in USD."""
    on_shared: Callable[[], None] = lambda: None
    """Called once, when this process first waits for an answer of another one."""
    clock: Callable[[], float] = time.time
    """Unix time."""
    broken: StoreError | None = None
    """Why nothing more is sent: an answer could not be stored."""
    _receivers: dict[str, list[Receiver]] = field(default_factory=dict)
    """Key → callbacks of a pending request."""
    _failed: dict[str, CallFailure] = field(default_factory=dict)
    """Key → final failure in this session; later requests for the key get the same one."""
    _new: deque[Request] = field(default_factory=deque)
    """Requests to look up."""
    _lookup_due: bool = False
    _backlog: dict[str, deque[Request]] = field(default_factory=dict)
    """Server → requests to send."""
    _parked: dict[str, _Parked] = field(default_factory=dict)
    """By key."""
    _polling: asyncio.TimerHandle | None = None
    _committing: set[asyncio.Future[Any]] = field(default_factory=set)

    def ask(self, requests: Iterable[Request], receiver: Receiver | None = None) -> None:
        """Request completions, in order; ``receiver`` is called once for each.

        Without ``receiver``, they are only prefetched.
        """
        for request in requests:
            self.ask_one(request, receiver)

    def ask_one(self, request: Request, receiver: Receiver | None = None) -> None:
        """Request one completion."""
        key = request.key
        waiting = self._receivers.get(key)
        if waiting is not None:
            if receiver is not None:
                waiting.append(receiver)
        elif key in self._failed:
            if receiver is not None:
                receiver(self._failed[key])
        else:
            self._receivers[key] = [] if receiver is None else [receiver]
            self._new.append(request)
            self._look_up_soon()

    # lookup

    def _look_up_soon(self) -> None:
        if not self._lookup_due:
            self._lookup_due = True
            asyncio.get_running_loop().call_soon(self._look_up)

    def _look_up(self) -> None:
        """Look up new requests; those without a stored answer go into the backlog of their server."""
        some = [self._new.popleft() for _ in range(min(_AT_A_TIME, len(self._new)))]
        self._lookup_due = False
        if self._new:
            self._look_up_soon()
        with self._reporting_errors(some):
            ahead = [request.key for request in some if not self._receivers[request.key]]
            landed = self.reading.find(request.key for request in some if self._receivers[request.key])
            known = self.reading.known(ahead) if ahead else set[str]()
            missing = list[Request]()
            for request in some:
                if request.key in known:
                    del self._receivers[request.key]
                elif request.key in landed:
                    self._land(landed[request.key])
                else:
                    missing.append(request)
            self._enqueue(missing)

    def _land(self, completion: Completion) -> None:
        self.counts.from_store += completion.from_store
        self._report(completion.key, completion)

    def _enqueue(self, requests: Sequence[Request], *, first: bool = False) -> None:
        if self.offline:
            for request in requests:
                self._fail(request, NotInStore(_OFFLINE.format(request.model)), 0)
            return
        for request in requests:
            backlog = self._backlog.setdefault(request.server, deque())
            (backlog.appendleft if first else backlog.append)(request)
        for server in {request.server for request in requests}:
            with self._reporting_errors([request for request in requests if request.server == server]):
                self.server_queue(server).wake()

    # sending: called by server queues

    def waiting(self, server: str) -> int:
        """The number of requests in the backlog of a server."""
        return len(self._backlog.get(server, ()))

    def take(self, server: str, most: int) -> list[tuple[Request, Callback]]:
        """Take requests to a server, with their callbacks. Each is claimed until its answer is committed."""
        backlog = self._backlog.get(server, deque[Request]())
        while backlog:
            some = [backlog.popleft() for _ in range(min(most, len(backlog)))]
            mine = list[Request]()
            with self._reporting_errors(some):
                if self.broken is not None:
                    raise self.broken
                mine = self._claim(some)
            if mine:
                return [(request, partial(self._arrived, request)) for request in mine]
        return []

    def _claim(self, requests: Sequence[Request]) -> list[Request]:
        """Claim requests, then look them up again: in this order no answer is missed."""
        claimed = self.claiming.take(request.key for request in requests)
        for request in requests:
            if request.key not in claimed:
                self._park(request)
        landed = self.reading.find(claimed)
        failures = self.reading.failures(claimed - landed.keys())
        mine = list[Request]()
        for request in requests:
            key = request.key
            if key in landed:
                self._land(landed[key])
            elif key in failures and failures[key][1] == self.session:  # another worker of this run tried
                self._record_failure(failures[key][0])
            elif key in claimed:
                mine.append(request)
        self.claiming.give_back(claimed - {request.key for request in mine})
        return mine

    def _arrived(self, request: Request, arrived: Arrived | NotArrived) -> None:
        """Store the result. Nothing is awaited between arrival and this, so every answer that arrived is queued for the store."""
        with self._reporting_errors([request], claimed=True):
            self.counts.retried += max(0, arrived.attempts - 1)
            if isinstance(arrived, NotArrived):
                if not isinstance(arrived.error, CallError):
                    raise arrived.error
                failure = self._fail(request, arrived.error, arrived.attempts)
                if not arrived.attempts:
                    self.claiming.give_back([request.key])
                    return
                self._commit(
                    self.saving.save_failure(failure, self.session, self.clock()),
                    partial(self._failure_saved, request.key),
                )
                return
            completion, body, attempts = arrived
            if attempts > 1:
                completion = replace(completion, attempts=attempts)
            self.counts.new += 1
            self.counts.usd += self.spent(request, completion)
            self.counts.prompt_tokens += completion.usage.prompt_tokens
            self.counts.completion_tokens += completion.usage.completion_tokens
            saved = self.saving.save(request, completion, body, session=self.session, fresh=self.fresh)
            self._commit(saved, partial(self._saved, request, completion))

    def _commit(self, future: asyncio.Future[Any], done: Callable[[asyncio.Future[Any]], None]) -> None:
        self._committing.add(future)
        future.add_done_callback(self._committing.discard)
        future.add_done_callback(lambda ended: None if ended.cancelled() else done(ended))

    def _saved(self, request: Request, completion: Completion, future: asyncio.Future[SavedCompletion]) -> None:
        with self._reporting_errors([request], claimed=True):
            error = future.exception()
            if error is not None:
                if isinstance(error, StoreError):
                    self.broken = error  # pay for no more answers that cannot be stored
                raise error
            saved = future.result()
            if saved.mine:
                self._report(request.key, replace(completion, id=saved.id))
            else:  # another answer was committed first: all use that one
                self._land(self.reading.find([request.key])[request.key])
            self.claiming.give_back([request.key])

    def _failure_saved(self, key: str, _: asyncio.Future[None]) -> None:
        self.claiming.give_back([key])

    # requests that other processes hold

    def _park(self, request: Request) -> None:
        if not self._parked:
            self.on_shared()
        self._parked[request.key] = _Parked(request, self.clock())
        self._poll_later()

    def _poll_later(self) -> None:
        if self._polling is None:
            self._polling = asyncio.get_running_loop().call_later(_POLL_INTERVAL, self._poll)

    def _poll(self) -> None:
        """Check the requests that another process has claimed."""
        self._polling = None
        some = dict(list(self._parked.items())[:_AT_A_TIME])
        for key in some:
            del self._parked[key]
        with self._reporting_errors([parked.request for parked in some.values()]):
            landed = self.reading.find(some)
            failures = self.reading.failures(some.keys() - landed.keys())
            failed = {
                key: failure
                for key, (failure, session, at) in failures.items()
                if session == self.session or at >= some[key].since  # not a failure of an earlier run
            }
            free = self.claiming.take(some.keys() - landed.keys() - failed.keys())
            again = list[Request]()
            for key, parked in some.items():
                if key in landed:
                    self.counts.shared += 1
                    self._report(key, landed[key])
                elif key in failed:
                    self._record_failure(failed[key])
                elif key in free:  # the other process has ended
                    again.append(parked.request)
                else:
                    self._parked[key] = parked
            self._enqueue(again[::-1], first=True)
        if self._parked:
            self._poll_later()

    # reporting results

    def _fail(self, request: Request, error: CallError, attempts: int) -> CallFailure:
        failure = CallFailure(request.key, request.model, error.kind, str(error), attempts, error.permanent)
        self._record_failure(failure)
        return failure

    def _record_failure(self, failure: CallFailure) -> None:
        self.counts.failed += 1
        self._failed[failure.key] = failure
        self._report(failure.key, failure)

    def _report(self, key: str, answer: Answer | Exception) -> None:
        for receiver in self._receivers.pop(key, ()):
            receiver(answer)

    @contextmanager
    def _reporting_errors(self, requests: Sequence[Request], *, claimed: bool = False) -> Iterator[None]:
        """Report an exception inside the block to the callbacks of these requests; other requests go on."""
        try:
            yield
        except Exception as error:
            if claimed:
                self.claiming.give_back([request.key for request in requests])
            for request in requests:
                self._report(request.key, error)

    # closing

    async def close(self) -> None:
        """Wait until every received answer is durable, then report an error for each pending request."""
        if self._polling is not None:
            self._polling.cancel()
        if self._committing:
            await asyncio.wait(self._committing)
        await asyncio.sleep(0)  # lets their callbacks run
        for key in list(self._receivers):
            self._report(key, StoreError("The session was stopped."))
        self._backlog.clear()
        self._parked.clear()
        self._new.clear()
