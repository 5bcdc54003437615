"""The one place that decides what becomes of a request: it has landed, has failed, is under way somewhere, or must be sent.

Everybody who wants a completion asks here (fetching ahead, evaluations, judges, collecting), so that a request is sent once
however many ask, and also where several processes share a store::

    asked → looked up in the store → backlog → claimed, looked up again → sent → committed → told
                    ↓                             ↓                         ↓
                  told                  another process has it       told: it failed
                                        → parked until it lands, fails or ends

Used on one event loop only. Nothing here waits: the store is read by keys, and written by a thread of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Protocol

from distilltest.completions.server_queue import Arrived, Callback, NotArrived
from distilltest.errors import CallError, NotInStore, StoreError
from distilltest.records import CallFailure, Completion, Request
from distilltest.store import SavedCompletion

Answer = Completion | CallFailure
Told = Callable[[Answer | Exception], None]
"""Who is told, on the loop, what came of a request: an answer, or an error unrelated to the call."""
_AT_A_TIME = 500
"""Keys that are looked up in one turn of the loop."""
_OFFLINE = "{}: the store has no completion of this request, and --offline sends none. Run without --offline."
_PATIENCE = 0.05
"""Seconds between two looks at what another process is asking for."""


@dataclass
class Counts:
    """What a session did so far."""

    sent: int = 0
    """HTTP requests that went to a server, each attempt counted: what the server itself counts."""
    retried: int = 0
    """Those of them that repeated a request whose earlier attempt had failed."""
    new: int = 0
    """Completions that were sent for and arrived."""
    from_store: int = 0
    """Answers that had been stored before this session; one that is used twice counts twice."""
    shared: int = 0
    """Requests whose answer another process fetched while this one waited for it."""
    failed: int = 0
    """Requests that got no completion."""
    usd: float = 0.0
    """Spent, as far as prices are known."""
    prompt_tokens: int = 0
    """Of the completions that were sent for."""
    completion_tokens: int = 0
    """Of the completions that were sent for."""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


class Reading(Protocol):
    """What has been stored: see :class:`distilltest.store.Reader`."""

    def find(self, keys: Iterable[str]) -> dict[str, Completion]:
        """Those of the completions that there are, by key."""

    def known(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys under which ``find`` would find something."""

    def failures(self, keys: Iterable[str]) -> dict[str, tuple[CallFailure, int, float]]:
        """How requests failed finally: the failure, the session in which it did, and when (Unix time)."""


class Saving(Protocol):
    """Where answers are made durable: see :class:`distilltest.store.Store`."""

    def save(
        self, request: Request, completion: Completion, response: bytes, *, session: int, anew: bool
    ) -> asyncio.Future[SavedCompletion]:
        """Keep a completion."""

    def save_failure(self, failure: CallFailure, session: int, at: float) -> asyncio.Future[None]:
        """Remember for others that a request failed finally."""


class Claiming(Protocol):
    """Which process is asking for what: see :class:`distilltest.store.claims.Claims`."""

    def take(self, keys: Iterable[str]) -> set[str]:
        """Claim what no other process has claimed; those of the keys that are ours now."""

    def give_back(self, keys: Iterable[str]) -> None:
        """Let others have them."""


class Sending(Protocol):
    """The way to one server: see :class:`distilltest.completions.server_queue.ServerQueue`."""

    def wake(self) -> None:
        """There is something to take."""


@dataclass
class _Parked:
    """A request that another process is asking for."""

    request: Request
    since: float
    """Unix time."""


@dataclass
class Dispatcher:
    """Decides of each request what becomes of it."""

    reading: Reading
    saving: Saving
    claiming: Claiming
    lane: Callable[[str], Sending]
    """The way to a server, by its name. May raise where there is none."""
    counts: Counts
    session: int
    """The number of the store's session; workers of one run share it."""
    fresh: bool = False
    offline: bool = False
    spent: Callable[[Request, Completion], float] = lambda _request, _completion: 0.0
    """What an answer cost, in USD."""
    shares: Callable[[], None] = lambda: None
    """Called once when this process first waits for another one's answer."""
    clock: Callable[[], float] = time.time
    """The Unix time."""
    broken: StoreError | None = None
    """Why nothing more may be sent: an answer could not be made durable."""
    _told: dict[str, list[Told]] = field(default_factory=dict)
    """Key → who waits for what was asked and has not been told yet."""
    _failed: dict[str, CallFailure] = field(default_factory=dict)
    """What failed finally in this session; whoever asks again is told the same."""
    _new: deque[Request] = field(default_factory=deque)
    """What is still to be looked up."""
    _looking: bool = False
    _backlog: dict[str, deque[Request]] = field(default_factory=dict)
    """Server → what is to be sent."""
    _parked: dict[str, _Parked] = field(default_factory=dict)
    """By key."""
    _polling: asyncio.TimerHandle | None = None
    _committing: set[asyncio.Future[Any]] = field(default_factory=set)

    def ask(self, requests: Iterable[Request], told: Told | None = None) -> None:
        """Have requests answered, in order; ``told`` is called once for each.

        Without ``told``, they are fetched ahead: nobody is told.
        """
        for request in requests:
            self.ask_one(request, told)

    def ask_one(self, request: Request, told: Told | None = None) -> None:
        """The same for one request."""
        key = request.key
        waiting = self._told.get(key)
        if waiting is not None:
            if told is not None:
                waiting.append(told)
        elif key in self._failed:
            if told is not None:
                told(self._failed[key])
        else:
            self._told[key] = [] if told is None else [told]
            self._new.append(request)
            self._look_soon()

    # looking up

    def _look_soon(self) -> None:
        if not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        """Look up what was asked since: what is not stored goes into the backlog of its server."""
        some = [self._new.popleft() for _ in range(min(_AT_A_TIME, len(self._new)))]
        self._looking = False
        if self._new:
            self._look_soon()
        with self._telling(some):
            ahead = [request.key for request in some if not self._told[request.key]]
            landed = self.reading.find(request.key for request in some if self._told[request.key])
            known = self.reading.known(ahead) if ahead else set[str]()
            missing = list[Request]()
            for request in some:
                if request.key in known:
                    del self._told[request.key]
                elif request.key in landed:
                    self._land(landed[request.key])
                else:
                    missing.append(request)
            self._enqueue(missing)

    def _land(self, completion: Completion) -> None:
        self.counts.from_store += completion.from_store
        self._tell(completion.key, completion)

    def _enqueue(self, requests: Sequence[Request], *, first: bool = False) -> None:
        if self.offline:
            for request in requests:
                self._fail(request, NotInStore(_OFFLINE.format(request.model)), 0)
            return
        for request in requests:
            backlog = self._backlog.setdefault(request.server, deque())
            (backlog.appendleft if first else backlog.append)(request)
        for server in {request.server for request in requests}:
            with self._telling([request for request in requests if request.server == server]):
                self.lane(server).wake()

    # sending: called by lanes

    def waiting(self, server: str) -> int:
        """How many requests to a server are still to be sent."""
        return len(self._backlog.get(server, ()))

    def take(self, server: str, most: int) -> list[tuple[Request, Callback]]:
        """Requests to a server that nobody else sends, claimed until their answer is committed, with who takes what arrives."""
        backlog = self._backlog.get(server, deque[Request]())
        while backlog:
            some = [backlog.popleft() for _ in range(min(most, len(backlog)))]
            mine = list[Request]()
            with self._telling(some):
                if self.broken is not None:
                    raise self.broken
                mine = self._claim(some)
            if mine:
                return [(request, partial(self._arrived, request)) for request in mine]
        return []

    def _claim(self, requests: Sequence[Request]) -> list[Request]:
        """Claim, then look whether it has landed or failed in the meantime: in this order nothing falls between."""
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
            elif key in failures and failures[key][1] == self.session:  # another worker of this run has tried
                self._failed_elsewhere(failures[key][0])
            elif key in claimed:
                mine.append(request)
        self.claiming.give_back(claimed - {request.key for request in mine})
        return mine

    def _arrived(self, request: Request, arrived: Arrived | NotArrived) -> None:
        """Keep what arrived. Nothing is awaited between arrival and this: what has arrived is queued for the store."""
        with self._telling([request], claimed=True):
            self.counts.retried += max(0, arrived.attempts - 1)
            if isinstance(arrived, NotArrived):
                if not isinstance(arrived.error, CallError):
                    raise arrived.error
                failure = self._fail(request, arrived.error, arrived.attempts)
                if not arrived.attempts:
                    self.claiming.give_back([request.key])
                    return
                self._commit(
                    self.saving.save_failure(failure, self.session, self.clock()), partial(self._noted, request.key)
                )
                return
            completion, body, attempts = arrived
            if attempts > 1:
                completion = replace(completion, attempts=attempts)
            self.counts.new += 1
            self.counts.usd += self.spent(request, completion)
            self.counts.prompt_tokens += completion.usage.prompt_tokens
            self.counts.completion_tokens += completion.usage.completion_tokens
            saved = self.saving.save(request, completion, body, session=self.session, anew=self.fresh)
            self._commit(saved, partial(self._saved, request, completion))

    def _commit(self, future: asyncio.Future[Any], done: Callable[[asyncio.Future[Any]], None]) -> None:
        self._committing.add(future)
        future.add_done_callback(self._committing.discard)
        future.add_done_callback(lambda ended: None if ended.cancelled() else done(ended))

    def _saved(self, request: Request, completion: Completion, future: asyncio.Future[SavedCompletion]) -> None:
        with self._telling([request], claimed=True):
            error = future.exception()
            if error is not None:
                if isinstance(error, StoreError):
                    self.broken = error  # what cannot be kept must not be paid for
                raise error
            saved = future.result()
            if saved.mine:
                self._tell(request.key, replace(completion, id=saved.id))
            else:  # the first committed answer is everybody's
                self._land(self.reading.find([request.key])[request.key])
            self.claiming.give_back([request.key])

    def _noted(self, key: str, _: asyncio.Future[None]) -> None:
        self.claiming.give_back([key])

    # what other processes ask for

    def _park(self, request: Request) -> None:
        if not self._parked:
            self.shares()
        self._parked[request.key] = _Parked(request, self.clock())
        self._poll_later()

    def _poll_later(self) -> None:
        if self._polling is None:
            self._polling = asyncio.get_running_loop().call_later(_PATIENCE, self._poll)

    def _poll(self) -> None:
        """Look what has become of requests that another process claimed."""
        self._polling = None
        some = dict(list(self._parked.items())[:_AT_A_TIME])
        for key in some:
            del self._parked[key]
        with self._telling([parked.request for parked in some.values()]):
            landed = self.reading.find(some)
            failures = self.reading.failures(some.keys() - landed.keys())
            failed = {
                key: failure
                for key, (failure, session, at) in failures.items()
                if session == self.session or at >= some[key].since  # not what some run met hours ago
            }
            free = self.claiming.take(some.keys() - landed.keys() - failed.keys())
            again = list[Request]()
            for key, parked in some.items():
                if key in landed:
                    self.counts.shared += 1
                    self._tell(key, landed[key])
                elif key in failed:
                    self._failed_elsewhere(failed[key])
                elif key in free:  # its process has ended
                    again.append(parked.request)
                else:
                    self._parked[key] = parked
            self._enqueue(again[::-1], first=True)
        if self._parked:
            self._poll_later()

    # telling

    def _fail(self, request: Request, error: CallError, attempts: int) -> CallFailure:
        failure = CallFailure(request.key, request.model, error.kind, str(error), attempts, error.permanent)
        self._failed_elsewhere(failure)
        return failure

    def _failed_elsewhere(self, failure: CallFailure) -> None:
        self.counts.failed += 1
        self._failed[failure.key] = failure
        self._tell(failure.key, failure)

    def _tell(self, key: str, answer: Answer | Exception) -> None:
        for told in self._told.pop(key, ()):
            told(answer)

    @contextmanager
    def _telling(self, requests: Sequence[Request], *, claimed: bool = False) -> Iterator[None]:
        """Whatever goes wrong inside, whoever asked for these requests is told, and the others go on."""
        try:
            yield
        except Exception as error:
            if claimed:
                self.claiming.give_back([request.key for request in requests])
            for request in requests:
                self._tell(request.key, error)

    # the end

    async def close(self) -> None:
        """Wait until what arrived is durable, and tell everybody who still waits that nothing comes any more."""
        if self._polling is not None:
            self._polling.cancel()
        if self._committing:
            await asyncio.wait(self._committing)
        await asyncio.sleep(0)  # the callbacks of those
        for key in list(self._told):
            self._tell(key, StoreError("The session was stopped."))
        self._backlog.clear()
        self._parked.clear()
        self._new.clear()
