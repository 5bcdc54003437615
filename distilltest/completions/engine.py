"""The engine: completions for requests, from the store or else from their servers.

One event loop in one thread lives as long as the session, so that the next evaluation's requests are fetched while this
one is graded. What becomes of a request is decided in one place, on that loop: see :mod:`distilltest.completions.dispatcher`.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Self, TypeVar

from distilltest.completions.client import AiohttpChatClient, ChatClient, resolve_base_url
from distilltest.completions.dispatcher import Answer, Counts, Dispatcher
from distilltest.completions.server_queue import ServerQueue
from distilltest.config import Config, cost_of
from distilltest.errors import BudgetSpent
from distilltest.process.collector import collect_rarely
from distilltest.process.gathering import wake
from distilltest.records import Completion, Request
from distilltest.store import Claims, Reader, Store

__all__ = ["Answer", "Counts", "Engine"]

T = TypeVar("T")
_SHARED = "Another process is asking for some of the same completions; its answers are used here too, and not asked for twice."


_OFFLINE = -1
"""The session of who sends nothing: no completion is its own."""


class CountedClient:
    """A client whose calls are counted as its server counts them."""

    def __init__(self, client: ChatClient, counts: Counts) -> None:
        self._client = client
        self._counts = counts

    async def chat(self, request: Request) -> tuple[Completion, bytes]:
        """One attempt at one completion."""
        self._counts.sent += 1
        return await self._client.chat(request)

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()


class Engine:
    """Fetches completions. Used from one thread; the calls run in another."""

    def __init__(
        self,
        config: Config,
        store: Store,
        *,
        fresh: bool = False,
        offline: bool = False,
        share: int = 1,
        session: str | None = None,
        say: Callable[[str], None] = lambda _: None,
        client: Callable[[str], ChatClient] | None = None,
    ) -> None:
        """Make an engine; nothing is started yet.

        Args:
            config: Servers, prices and the budget.
            store: Where answers are kept and found.
            fresh: Ask again, whatever earlier sessions got.
            offline: Send nothing.
            share: How many processes share the servers' limits.
            session: What the processes of one run have in common: its id. A name of its own where it is None.
            say: Shows a line to whoever runs it.
            client: What carries the calls to a server of that name; aiohttp where it is None.
        """
        self._config = config
        self._store = store
        self._fresh = fresh
        self._offline = offline
        self._share = share
        self._session = session or f"{os.getpid()}-{uuid.uuid4().hex}"
        self._say = say
        self._client = client or self._aiohttp
        self.counts = Counts()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._collect_as_before: Callable[[], None] = lambda: None
        self._lanes: dict[str, ServerQueue] = {}
        self._claims = Claims.beside(store.path)
        self._reader: Reader | None = None
        self._dispatcher: Dispatcher | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def prefetch(self, requests: Iterable[Request]) -> None:
        """Begin to fetch what is not stored; returns at once."""
        wanted = list(requests)
        if wanted and not self._offline:
            self._started().call_soon_threadsafe(self._dispatch().ask, wanted)

    def results(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        """An answer for each request, as (its index, the answer): stored ones first, others as they arrive.

        Raises:
            StoreError: An answer arrived and could not be made durable.
        """
        places: dict[str, list[int]] = {}
        for index, request in enumerate(requests):
            places.setdefault(request.key, []).append(index)
        # What arrives in one turn of the loop is handed over at once: to wake a thread for each answer costs both threads time.
        arrivals: queue.SimpleQueue[list[tuple[str, Answer | Exception]]] = queue.SimpleQueue()
        arrived: list[tuple[str, Answer | Exception]] = []

        def hand_over() -> None:
            arrivals.put(arrived.copy())
            arrived.clear()

        def told(key: str, answer: Answer | Exception) -> None:
            if not arrived:
                asyncio.get_running_loop().call_soon(hand_over)
            arrived.append((key, answer))

        def ask() -> None:
            dispatcher = self._dispatch()
            for key, indices in places.items():
                dispatcher.ask_one(requests[indices[0]], partial(told, key))

        if places:
            self._started().call_soon_threadsafe(ask)
        due = len(places)
        while due:
            some = self._next(arrivals)
            due -= len(some)
            for key, answer in some:
                if isinstance(answer, Exception):
                    raise answer
                yield from ((index, answer) for index in places[key])

    def _next(self, arrivals: queue.SimpleQueue[T]) -> T:
        """Wait for what comes next."""
        return arrivals.get()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the engine's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._started())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the engine's loop and wait for it."""
        return self.submit(coroutine).result()

    async def complete(self, request: Request) -> Answer:
        """One answer, for code that runs on the engine's loop."""
        landed: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._dispatch().ask_one(request, partial(wake, landed))
        return await landed

    def stop(self) -> None:
        """Cancel what is in flight; whatever has arrived is kept."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._loop = self._thread = None
        closing: Future[None] = asyncio.run_coroutine_threadsafe(self._close(), loop)
        closing.result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        self._collect_as_before()

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._collect_as_before = collect_rarely()
            self._dispatch()
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="distilltest-engine", daemon=True)
            self._thread.start()
        return self._loop

    def _dispatch(self) -> Dispatcher:
        if self._dispatcher is None:
            number = _OFFLINE if self._offline else self._store.begin_session(self._session, time.time())
            self._reader = self._store.reader(number, only_session=self._fresh)
            self._dispatcher = Dispatcher(
                reading=self._reader,
                saving=self._store,
                claiming=self._claims,
                lane=self._lane,
                counts=self.counts,
                session=number,
                fresh=self._fresh,
                offline=self._offline,
                spent=self._cost,
                shares=partial(self._say, _SHARED),
            )
        return self._dispatcher

    # below: on the loop's thread

    def _aiohttp(self, name: str) -> ChatClient:
        server = self._config.server(name)
        return AiohttpChatClient(server, resolve_base_url(server, self._config))

    def _lane(self, name: str) -> ServerQueue:
        lane = self._lanes.get(name)
        if lane is None:
            server = self._config.server(name)
            client = CountedClient(self._client(name), self.counts)
            lane = self._lanes[name] = ServerQueue(server, client, self._share, self._check_budget, self._dispatch())
        return lane

    def _cost(self, request: Request, completion: Completion) -> float:
        return cost_of(self._config.prices, request, completion)

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
        await self._dispatch().close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self._claims.close()
        if self._reader is not None:
            self._reader.close()
