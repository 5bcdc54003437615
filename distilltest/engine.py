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
from typing import TYPE_CHECKING, Any, Self, TypeVar

from distilltest.config import Config
from distilltest.errors import BudgetSpent, CallError, NotInStore, StoreError
from distilltest.records import CallFailure, Completion, Request
from distilltest.store import Store

if TYPE_CHECKING:
    from distilltest.lane import Lane

T = TypeVar("T")
Answer = Completion | CallFailure
_AT_A_TIME = 25
"""Requests that are handed to the loop in one turn of it."""


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
        self._lanes: dict[str, Lane] = {}
        self._flying: dict[str, asyncio.Task[Answer]] = {}
        self._wanted: dict[str, asyncio.Future[Completion | None]] = {}
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
            self._call_soon(self._task, missing)

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
        arrivals: queue.SimpleQueue[tuple[str, Answer | BaseException | None]] = queue.SimpleQueue()
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
            elif isinstance(answer, BaseException):
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
        stored = None if self._fresh and request.key not in self._done else await self._look_up(request.key)
        if stored is not None:
            self.counts.from_store += request.key not in self._done
            return stored
        if self._offline:
            return _not_in_store(request)
        if request.key in self._failed:
            return self._failed[request.key]
        return await asyncio.shield(self._task(request))

    async def _look_up(self, key: str) -> Completion | None:
        """What the store has under a key; keys that are asked for in one turn of the loop are looked up together."""
        loop = asyncio.get_running_loop()
        if not self._wanted:
            loop.call_soon(self._look_all_up)
        future = self._wanted.get(key)
        if future is None:
            future = self._wanted[key] = loop.create_future()
        return await asyncio.shield(future)

    def _look_all_up(self) -> None:
        wanted, self._wanted = self._wanted, {}
        try:
            found = self._store.completions(list(wanted))
        except StoreError as error:
            for future in wanted.values():
                future.set_exception(error)
            return
        for key, future in wanted.items():
            future.set_result(found.get(key))

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
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="distilltest-engine", daemon=True)
            self._thread.start()
        return self._loop

    def _call_soon(self, function: Callable[[Request], object], requests: Sequence[Request]) -> None:
        """Call on the loop, a few requests at a time: the first ones are on their way while the others are prepared."""
        loop = self._started()

        def call(start: int = 0) -> None:
            for request in requests[start : start + _AT_A_TIME]:
                function(request)
            if start + _AT_A_TIME < len(requests):
                loop.call_soon(call, start + _AT_A_TIME)

        loop.call_soon_threadsafe(call)

    def _task(self, request: Request) -> asyncio.Task[Answer]:
        """The one task of a request."""
        task = self._flying.get(request.key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._fetch(request))
            self._flying[request.key] = task
            task.add_done_callback(lambda _: self._flying.pop(request.key, None))
        return task

    def _watch(self, request: Request, arrivals: queue.SimpleQueue[tuple[str, Any]]) -> None:
        key = request.key
        if key in self._done:
            arrivals.put((key, None))
            return
        if key in self._failed:
            arrivals.put((key, self._failed[key]))
            return

        def arrived(task: asyncio.Task[Answer]) -> None:
            if task.cancelled():
                arrivals.put((key, StoreError("The session was stopped.")))
            else:
                arrivals.put((key, task.exception() or task.result()))

        self._task(request).add_done_callback(arrived)

    async def _fetch(self, request: Request) -> Answer:
        try:
            completion, body, attempts = await self._lane(request.server).chat(request, self._check_budget)
        except CallError as error:
            attempts = int(error.__notes__[-1]) if getattr(error, "__notes__", None) else 0
            return self._failure(request, error.kind, str(error), attempts)
        if attempts > 1:
            completion = replace(completion, attempts=attempts)
        self.counts.sent += 1
        self.counts.usd += self._cost(completion)
        self.counts.prompt_tokens += completion.usage.prompt_tokens
        self.counts.completion_tokens += completion.usage.completion_tokens
        # Nothing is awaited between arrival and this line: a cancelled call has either not arrived or is queued.
        await self._store.save(request, completion, body)
        self._done.add(request.key)
        return completion

    def _failure(self, request: Request, kind: str, message: str, attempts: int) -> CallFailure:
        self.counts.failed += 1
        failure = CallFailure(request.key, request.model, kind, message, attempts)
        self._failed[request.key] = failure
        return failure

    def _lane(self, name: str) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            from distilltest.client import AiohttpChatClient, resolve_base_url
            from distilltest.lane import Lane

            server = self._config.server(name)
            client = AiohttpChatClient(server, resolve_base_url(server, self._config))
            lane = self._lanes[name] = Lane(server, client, self._share)
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
        tasks = list(self._flying.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for lane in self._lanes.values():
            await lane.close()


def _not_in_store(request: Request) -> CallFailure:
    return CallFailure(
        key=request.key,
        model=request.model,
        kind=NotInStore.kind,
        message=f"{request.model}: the store has no completion of this request, and --offline sends none. Run without --offline.",
        attempts=0,
    )
