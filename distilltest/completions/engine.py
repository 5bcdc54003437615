"""The engine: fetches completions from the store or from their servers.

One event loop in its own thread lives as long as the session, so that requests of the next evaluation are fetched while the
current one is graded. :mod:`distilltest.completions.dispatcher` decides, on that loop, what happens to each request.
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
from distilltest.completions.counts import Counts
from distilltest.completions.dispatcher import Answer, Dispatcher
from distilltest.completions.server_queue import ServerQueue
from distilltest.config import Config, cost_of
from distilltest.errors import BudgetSpent
from distilltest.process.collector import collect_rarely
from distilltest.process.gathering import wake
from distilltest.records import Completion, Request
from distilltest.store import Claims, Reader, Store

__all__ = ["Answer", "Counts", "Engine"]

T = TypeVar("T")
_SHARED = "Another process is fetching some of the same completions; this one uses its answers and sends nothing twice."


_OFFLINE = -1
"""The session number with --offline: it owns no completion."""


class CountedClient:
    """A client that counts its HTTP requests."""

    def __init__(self, client: ChatClient, counts: Counts) -> None:
        self._client = client
        self._counts = counts

    async def chat(self, request: Request) -> tuple[Completion, bytes]:
        """One attempt at one completion."""
        self._counts.sent += 1
        return await self._client.chat(request)

    async def close(self) -> None:
        """Close connections."""
        await self._client.close()


class Engine:
    """Fetches completions. Use it from one thread; the calls run in another."""

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
        """Create an engine; it starts on first use.

        Args:
            config: Servers, prices and the budget.
            store: Where completions are stored.
            fresh: Send requests even if an earlier session got an answer.
            offline: Send nothing.
            share: The number of processes that share the servers' limits.
            session: The id that all processes of a run share; None for a new one.
            say: Shows a line to the user.
            client: Makes the client of a server, by name; None for aiohttp.
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
        self._server_queues: dict[str, ServerQueue] = {}
        self._claims = Claims.beside(store.path)
        self._reader: Reader | None = None
        self._dispatcher: Dispatcher | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def prefetch(self, requests: Iterable[Request]) -> None:
        """Start fetching completions that are not stored; returns at once."""
        wanted = list(requests)
        if wanted and not self._offline:
            self._started().call_soon_threadsafe(self._dispatch().ask, wanted)

    def results(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        """Yield (index, answer) for each request: stored answers first, others as they arrive.

        Raises:
            StoreError: An answer could not be stored.
        """
        places: dict[str, list[int]] = {}
        for index, request in enumerate(requests):
            places.setdefault(request.key, []).append(index)
        # Answers that arrive in one turn of the loop are handed over together: waking a thread per answer is slow.
        arrivals: queue.SimpleQueue[list[tuple[str, Answer | Exception]]] = queue.SimpleQueue()
        arrived: list[tuple[str, Answer | Exception]] = []

        def hand_over() -> None:
            arrivals.put(arrived.copy())
            arrived.clear()

        def receive(key: str, answer: Answer | Exception) -> None:
            if not arrived:
                asyncio.get_running_loop().call_soon(hand_over)
            arrived.append((key, answer))

        def ask() -> None:
            dispatcher = self._dispatch()
            for key, indices in places.items():
                dispatcher.ask_one(requests[indices[0]], partial(receive, key))

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
        """Wait for the next item."""
        return arrivals.get()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the engine's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._started())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the engine's loop and wait for it."""
        return self.submit(coroutine).result()

    async def complete(self, request: Request) -> Answer:
        """Get one answer, from code on the engine's loop."""
        landed: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._dispatch().ask_one(request, partial(wake, landed))
        return await landed

    def stop(self) -> None:
        """Cancel calls in flight; answers that arrived are stored."""
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
                server_queue=self._server_queue,
                counts=self.counts,
                session=number,
                fresh=self._fresh,
                offline=self._offline,
                spent=self._cost,
                on_shared=partial(self._say, _SHARED),
            )
        return self._dispatcher

    # on the loop's thread

    def _aiohttp(self, name: str) -> ChatClient:
        server = self._config.server(name)
        return AiohttpChatClient(server, resolve_base_url(server, self._config))

    def _server_queue(self, name: str) -> ServerQueue:
        known = self._server_queues.get(name)
        if known is None:
            server = self._config.server(name)
            client = CountedClient(self._client(name), self.counts)
            known = self._server_queues[name] = ServerQueue(
                server, client, self._share, self._check_budget, self._dispatch()
            )
        return known

    def _cost(self, request: Request, completion: Completion) -> float:
        return cost_of(self._config.prices, request, completion)

    def _check_budget(self) -> None:
        """Stop sending when the budget is spent; calls in flight may exceed it."""
        budget = self._config.budget_usd
        if budget is not None and self.counts.usd >= budget:
            raise BudgetSpent(
                f"The budget of ${budget:.2f} is spent (${self.counts.usd:.4f}). "
                'Raise "budget: {usd: ...}" in distilltest.yaml and run again: only missing completions are requested.'
            )

    async def _close(self) -> None:
        for each in self._server_queues.values():
            await each.close()
        await self._dispatch().close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self._claims.close()
        if self._reader is not None:
            self._reader.close()
