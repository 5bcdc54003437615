"""The engine in virtual time: one event loop whose clock jumps to the next event, and a server in memory.

The engine, its dispatcher and lanes, the store's SQL and the claims are the real ones. Replaced are the thread of the engine, the
thread of the writer and the network, so that every interleaving of events can be chosen and repeated.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from distilltest.completions.engine import Engine
from distilltest.config import Config, Server
from distilltest.data.responses import completion_of
from distilltest.errors import PromptTooLong, ServerFailed, StoreError
from distilltest.records import CallFailure, Request
from distilltest.store import Store
from distilltest.store.inserting import insert, insert_failures
from distilltest.store.rows import FailureRow, row_of

URL = "http://virtual/v1"
COMMIT = 0.003
"""Seconds from an answer's arrival to its commit."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that never waits: if nothing is due, its clock jumps to the next event."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        real = self._selector.select

        def select(timeout=None):
            if timeout is None:
                raise RuntimeError("everybody waits and nothing will ever happen")
            self.now += max(0.0, timeout)
            return real(0)

        self._selector.select = select

    def time(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Advance the clock by this many seconds."""
        self.run_until_complete(asyncio.sleep(seconds))

    def run_until(self, done) -> None:
        """Advance the clock until a condition holds."""

        async def wait() -> None:
            while not done():
                assert self._ready or self._scheduled, "it never happens"
                await asyncio.sleep(0 if self._ready else self._scheduled[0].when() - self.now)
                assert self.now < 1e5, "it never happens"

        self.run_until_complete(wait())


@dataclass
class VirtualServer:
    """Answers every call with another text or fails, as the request's text says, and checks the engine's promises."""

    loop: VirtualLoop
    stored: sqlite3.Connection
    """A separate connection, to see what is committed."""
    received: Counter[str] = field(default_factory=Counter)
    """Engine → calls."""
    in_flight: set[str] = field(default_factory=set)
    """Keys."""
    failed: set[tuple[str, str]] = field(default_factory=set)
    """(session, key) pairs with a final failure."""
    broken: list[str] = field(default_factory=list)
    """Broken promises."""

    async def answer(self, engine: VirtualEngine, request: Request):
        key = request.key
        self.received[engine.name] += 1
        number = self.received.total()
        query = "SELECT session.name FROM completion LEFT JOIN session ON session.id = session WHERE key = ?"
        landed = {name for (name,) in self.stored.execute(query, (bytes.fromhex(key),))}
        if key in self.in_flight:
            self.broken.append(f"{text_of(request)} was sent while it was in flight")
        if engine.session in landed or (landed and not engine.fresh):
            self.broken.append(f"{text_of(request)} was sent although it had landed")
        if (engine.session, key) in self.failed:
            self.broken.append(f"{text_of(request)} was sent although it had failed")
        if engine.offline:
            self.broken.append(f"{text_of(request)} was sent offline")
        self.in_flight.add(key)
        try:
            kind, _, latency = text_of(request).partition(" ")
            await asyncio.sleep(float(latency.split()[0]))
        finally:
            self.in_flight.discard(key)
        if kind == "rejected":
            raise PromptTooLong("too long")
        if kind == "busy" or (kind == "shaky" and number % 2):
            raise ServerFailed("busy")
        message = {"role": "assistant", "content": f"answer {number}"}
        content = {"id": f"c{number}", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
        return completion_of(request, content, latency=0.1, created=1.0), orjson.dumps(content)


def text_of(request: Request) -> str:
    return str(request.messages[0]["content"])


def request_for(text: str) -> Request:
    return Request("s", URL, "m", ({"role": "user", "content": text},))


class Client:
    """The client of one engine."""

    def __init__(self, server: VirtualServer, engine: VirtualEngine) -> None:
        self.server, self.engine = server, engine

    async def chat(self, request):
        return await self.server.answer(self.engine, request)

    async def close(self) -> None:
        pass


class VirtualStore(Store):
    """A store that commits on the loop, some time after each arrival."""

    loop: VirtualLoop

    def _later(self, commit) -> asyncio.Future:
        future = self.loop.create_future()

        def run() -> None:
            if not future.done():  # else its process was killed
                try:
                    future.set_result(commit())
                except sqlite3.Error as error:
                    future.set_exception(StoreError(str(error)))

        self.loop.call_later(COMMIT, run)
        return future

    def save(self, request, completion, response, *, session=0, fresh=False):
        row = row_of(request, completion, response, session)
        return self._later(lambda: insert(self._connection, [row], {}, [fresh])[0])

    def save_failure(self, failure: CallFailure, session: int, at: float):
        f = failure
        row = FailureRow(bytes.fromhex(f.key), session, at, f.model, f.kind, f.message, f.attempts, f.permanent)
        return self._later(lambda: insert_failures(self._connection, [row]))


_EMPTY = list[bytes]()
"""The file of a new store: creating one takes longer than most examples."""


def open_store(path: Path, loop: VirtualLoop) -> VirtualStore:
    if not path.exists():
        if not _EMPTY:
            Store.open(path).close()
            _EMPTY.append(path.read_bytes())
        path.write_bytes(_EMPTY[0])
    store = VirtualStore.open(path)
    store.loop = loop
    store._connection.execute("PRAGMA synchronous = OFF")
    return store


class VirtualEngine(Engine):
    """An engine on the virtual loop, in the test's own thread."""

    def __init__(
        self, name: str, server: VirtualServer, path: Path, session: str, *, most: int, fresh=False, offline=False
    ):
        self.name, self.session, self.fresh, self.offline = name, session, fresh, offline
        self.server = server
        self.loop = server.loop
        self.store = open_store(path, self.loop)
        config = Config(path.parent, None, {"s": Server("s", URL, max_concurrency=most, max_retries=2)}, {})
        self.shared = 0
        super().__init__(
            config,
            self.store,
            fresh=fresh,
            offline=offline,
            session=session,
            client=lambda _: Client(server, self),
            say=lambda _: setattr(self, "shared", self.shared + 1),
        )

    def _started(self):
        if self._loop is None:
            self._dispatch().clock = lambda: time.time() + self.loop.time()
            self._loop = self.loop
        return self._loop

    def _next(self, arrivals):
        self.loop.run_until(lambda: not arrivals.empty())
        return arrivals.get_nowait()

    def stop(self) -> None:
        if self._loop is not None:
            self._loop = None
            self.loop.run_until_complete(self._close())
        self.store.close()

    async def _close(self):
        for each in self._server_queues.values():
            await each.close()
        await self._dispatch().close()
        self._claims.close()
        self._reader.close()

    def kill(self) -> None:
        """Simulate kill -9: calls are cut off, uncommitted rows are lost, claims are released."""

        async def end() -> None:
            dispatcher = self._dispatch()
            for future in list(dispatcher._committing):
                future.cancel()
            dispatcher._receivers.clear()
            for each in self._server_queues.values():
                await each.close()
            dispatcher._committing.clear()
            await dispatcher.close()

        if self._loop is not None:
            self._loop = None
            self.loop.run_until_complete(end())
            self._claims.close()
            self._reader.close()
        self.store.close()
