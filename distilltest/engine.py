"""The engine: completions for requests, from the store or else from their servers.

One event loop in one thread lives as long as the session, so that the next evaluation's requests are fetched while this
one is graded. Distinct requests are sent once, and every response is durable before it is handed out.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Self, TypeVar, cast

from distilltest.client import AiohttpChatClient, resolve_base_url
from distilltest.config import Config
from distilltest.errors import BudgetSpent, CallError, NotInStore, StoreError
from distilltest.garbage import collect_rarely
from distilltest.lane import Arrived, Lane, NotArrived
from distilltest.records import CallFailure, Completion, Request
from distilltest.store import Lookup, Store
from distilltest.waiting import wake

T = TypeVar("T")
Answer = Completion | CallFailure
Then = Callable[[Answer | Exception], None]
"""Who is told, on the loop, what came of a request: an answer, or an error that is none of the call's."""


@dataclass
class Counts:
    """What a session did so far."""

    sent: int = 0
    """Requests that went to a server, however many attempts they took."""
    from_store: int = 0
    """Answers that needed no request in this session."""
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


class Engine:
    """Fetches completions. Used from one thread; the calls run in another."""

    def __init__(
        self, config: Config, store: Store, *, fresh: bool = False, offline: bool = False, share: int = 1
    ) -> None:
        self._config = config
        self._store = store
        self._fresh = fresh
        self._offline = offline
        self._share = share
        self.counts = Counts()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._collect_as_before: Callable[[], None] = lambda: None
        self._lanes: dict[str, Lane] = {}
        self._flying: dict[str, list[Then]] = {}
        """Key → who waits for what is queued or in flight."""
        self._lookup = Lookup(store.completions)
        self._done: set[str] = set()
        self._failed: dict[str, CallFailure] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def prefetch(self, requests: Iterable[Request]) -> None:
        """Begin to fetch what is not stored; returns at once."""
        if self._offline:
            return
        wanted = {request.key: request for request in requests if request.key not in self._done}
        stored = {} if self._fresh else self._store.completions(list(wanted))
        missing = [request for key, request in wanted.items() if key not in stored]
        if missing:
            self._call_soon(self._send, missing)

    def results(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        """An answer for each request, as (its index, the answer): stored ones first, others as they arrive.

        Raises:
            StoreError: An answer arrived and could not be made durable.
        """
        places: dict[str, list[int]] = {}
        for index, request in enumerate(requests):
            places.setdefault(request.key, []).append(index)
        known = [key for key in places if not self._fresh or key in self._done]
        stored = self._store.completions(known)
        missing = [requests[indices[0]] for key, indices in places.items() if key not in stored]
        arrivals: queue.SimpleQueue[tuple[str, Answer | Exception | None]] = queue.SimpleQueue()
        if missing and not self._offline:
            self._call_soon(lambda request: self._watch(request, arrivals), missing)
        for key, completion in stored.items():
            yield from self._hand_out(places[key], completion, sent=key in self._done)
        for request in missing if self._offline else ():
            failure = _not_in_store(request)
            self.counts.failed += 1
            for index in places[request.key]:
                yield index, failure
        for _ in () if self._offline else missing:
            key, answer = arrivals.get()
            if answer is None:  # it had arrived for another evaluation before we asked
                answer = self._store.completions([key])[key]
                yield from self._hand_out(places[key], answer, sent=True)
            elif isinstance(answer, Exception):
                raise answer
            else:
                yield from ((index, answer) for index in places[key])

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the engine's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._started())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the engine's loop and wait for it."""
        return self.submit(coroutine).result()

    async def complete(self, request: Request) -> Answer:
        """One answer, for code that runs on the engine's loop."""
        key = request.key
        if key not in self._flying:
            stored = None if self._fresh and key not in self._done else await self._lookup.find(key)
            if stored is None and key in self._done:  # it landed while we looked
                stored = await self._lookup.find(key)
            if stored is not None:
                self.counts.from_store += key not in self._done
                return stored
            if self._offline:
                return _not_in_store(request)
            if key in self._failed:
                return self._failed[key]
        landed: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._send(request, partial(wake, landed))
        return await landed

    def stop(self) -> None:
        """Cancel what is in flight; whatever has arrived is kept."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._loop = self._thread = None
        closing: Future[None] = asyncio.run_coroutine_threadsafe(self._close(), loop)
        closing.result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        self._collect_as_before()

    def _hand_out(self, indices: list[int], completion: Completion, *, sent: bool) -> Iterator[tuple[int, Answer]]:
        if sent:
            completion = replace(completion, from_store=False)
        else:
            self.counts.from_store += 1
        for index in indices:
            yield index, completion

    # below: on the loop's thread

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._collect_as_before = collect_rarely()
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="distilltest-engine", daemon=True)
            self._thread.start()
        return self._loop

    def _call_soon(self, function: Callable[[Request], object], requests: Sequence[Request]) -> None:
        """Call on the loop for each request, in order."""

        def call() -> None:
            for request in requests:
                function(request)

        self._started().call_soon_threadsafe(call)

    def _watch(self, request: Request, arrivals: queue.SimpleQueue[tuple[str, Any]]) -> None:
        key = request.key
        if key in self._done:
            arrivals.put((key, None))
        elif key in self._failed:
            arrivals.put((key, self._failed[key]))
        else:
            self._send(request, lambda answer: arrivals.put((key, answer)))

    def _send(self, request: Request, then: Then | None = None) -> None:
        """Send a request, unless it is under way already."""
        under_way = request.key in self._flying
        told = self._flying.setdefault(request.key, [])
        if then is not None:
            told.append(then)
        if not under_way:
            try:
                self._lane(request.server).send(request, partial(self._arrived, request))
            except Exception as error:  # the way to the server could not be made
                self._tell(request.key, error)

    def _arrived(self, request: Request, answer: Arrived | NotArrived) -> None:
        """Keep what arrived. Nothing is awaited between arrival and this: what has arrived is queued for the store."""
        if not isinstance(answer, NotArrived):
            completion, body, attempts = answer
            if attempts > 1:
                completion = replace(completion, attempts=attempts)
            self.counts.sent += 1
            self.counts.usd += self._cost(completion)
            self.counts.prompt_tokens += completion.usage.prompt_tokens
            self.counts.completion_tokens += completion.usage.completion_tokens
            try:
                self._store.save(request, completion, body).add_done_callback(partial(self._saved, completion))
            except Exception as error:
                self._tell(request.key, error)
        elif isinstance(answer.error, CallError):
            self._tell(request.key, self._failure(request, answer.error, answer.attempts))
        else:
            self._tell(request.key, answer.error)

    def _saved(self, completion: Completion, saved: asyncio.Future[None]) -> None:
        error = saved.exception()
        if error is None:
            self._done.add(completion.key)
        self._tell(completion.key, completion if error is None else cast("Exception", error))

    def _tell(self, key: str, answer: Answer | Exception) -> None:
        for then in self._flying.pop(key, ()):
            then(answer)

    def _failure(self, request: Request, error: CallError, attempts: int) -> CallFailure:
        self.counts.failed += 1
        failure = CallFailure(request.key, request.model, error.kind, str(error), attempts, error.permanent)
        self._failed[request.key] = failure
        return failure

    def _lane(self, name: str) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            server = self._config.server(name)
            client = AiohttpChatClient(server, resolve_base_url(server, self._config))
            lane = self._lanes[name] = Lane(server, client, self._share, self._check_budget)
        return lane

    def _cost(self, completion: Completion) -> float:
        price, usage = self._config.prices.get(completion.model), completion.usage
        if price is None or price.input is None or price.output is None:
            return 0.0
        return (usage.prompt_tokens * price.input + usage.completion_tokens * price.output) / 1e6

    def _check_budget(self) -> None:
        """Send nothing more when the budget is spent; calls in flight may pass it by what they cost."""
        budget = self._config.budget_usd
        if budget is not None and self.counts.usd >= budget:
            raise BudgetSpent(
                f"The budget of ${budget:.2f} is spent (${self.counts.usd:.4f}). "
                'Raise "budget: {usd: ...}" in distilltest.yaml and run again: only what is missing is asked.'
            )

    async def _close(self) -> None:
        for lane in self._lanes.values():
            await lane.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for key in list(self._flying):
            self._tell(key, StoreError("The session was stopped."))


def _not_in_store(request: Request) -> CallFailure:
    return CallFailure(
        key=request.key,
        model=request.model,
        kind=NotInStore.kind,
        message=f"{request.model}: the store has no completion of this request, and --offline sends none. Run without --offline.",
        attempts=0,
    )
