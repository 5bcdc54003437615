"""Writing completions from a thread of its own: whatever has arrived meanwhile goes into one durable commit.

Two things make this fast beside a busy event loop. A commit wakes the loop once, however many answers it made durable;
and rows go in by statements of many rows, because SQLite lets go of Python's lock, and asks for it again, at every step.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from distilltest.errors import StoreError
from distilltest.store.connection import connect, explain
from distilltest.store.place import Place

COLUMNS = ("key", "server", "model", "trial", "metadata", "request", "answer", "response", "created", "server_id")
Row = tuple[Any, ...]
_SIZES = (256, 64, 16, 4, 1)
"""Rows of one statement: few sizes, so that SQLite prepares each once."""
_GATHER = 0.002
"""Seconds for which a commit waits for company: a fifth less processor time a call, and no answer later in a run (measured)."""
_COURTESY = 0.1
"""Where commits are slow, the share of a commit's time for which the next one waits: another process that polls for its turn
to write would otherwise hardly ever find the store free."""


def insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Write rows into ``completion`` in one durable transaction.

    Raises:
        sqlite3.Error: Nothing was written.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        start = 0
        for size in _SIZES:
            while len(rows) - start >= size:
                connection.execute(_statement(size), tuple(chain.from_iterable(rows[start : start + size])))
                start += size
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statement(rows: int) -> str:
    marks = f"({', '.join('?' * len(COLUMNS))})"
    return f"INSERT OR REPLACE INTO completion ({', '.join(COLUMNS)}) VALUES {', '.join([marks] * rows)}"  # noqa: S608


class CompletionWriter:
    """A queue of completions, and the thread that commits them."""

    def __init__(self, path: Path, place: Place) -> None:
        self._path = path
        self._place = place
        self._queue: queue.SimpleQueue[tuple[Row, asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def write(self, row: Row) -> asyncio.Future[None]:
        """Queue one row, from a running event loop; the future is done when it is durable, or has the StoreError.

        A row that was queued is written, even if nobody waits for it any longer.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="distilltest-store", daemon=True)
            self._thread.start()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put((row, future))
        return future

    def close(self) -> None:
        """Commit what is queued, then end."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        connection: sqlite3.Connection | None = None
        ended = False
        took = 0.0
        while not ended:
            first = self._queue.get()
            ended = first is None
            batch = [first] if first is not None else []
            if not ended:
                time.sleep(max(_GATHER, _COURTESY * took))
            while not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    ended = True
                else:
                    batch.append(following)
            if not batch:
                continue
            failure: StoreError | None = None
            began = time.perf_counter()
            try:
                self._place.check()  # before connecting, too, which would make a new file
                connection = connection or connect(self._path)
                insert(connection, [row for row, _ in batch])
            except StoreError as error:
                failure = error
            except sqlite3.Error as error:
                failure = explain(self._path, error)
            took = time.perf_counter() - began
            _tell([future for _, future in batch], failure)
        if connection is not None:
            connection.close()


def _tell(futures: list[asyncio.Future[None]], failure: StoreError | None) -> None:
    """Wake each event loop once for all of its futures."""
    for loop in {future.get_loop() for future in futures}:
        own = [future for future in futures if future.get_loop() is loop]
        try:
            loop.call_soon_threadsafe(_resolve, own, failure)
        except RuntimeError:  # the loop has ended: nobody waits, and the rows are safe
            continue


def _resolve(futures: Iterable[asyncio.Future[None]], failure: StoreError | None) -> None:
    for future in futures:
        if future.done():
            continue
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(failure)
