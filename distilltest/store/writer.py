"""Writes completions in a separate thread: all rows that arrive during one durable commit go into the next.

A row that arrives while the thread is idle is committed at once, so ``kill -9`` loses at most the rows that arrived during a
commit or just before it. Collecting rows for 2 ms saved no processor time and made that window longer (measured).

Two things keep this fast beside a busy event loop: a commit wakes the loop once for all its rows, and rows are inserted many
per statement, because SQLite releases and reacquires the GIL at every step.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from distilltest.errors import StoreError
from distilltest.store.connection import connect, explain
from distilltest.store.inserting import SavedCompletion, insert, insert_failures
from distilltest.store.rows import FailureRow, NewRow
from distilltest.store.store_file import StoreFile

_SLOW = 0.05
_COURTESY = 0.1
"""If a commit takes longer than ``_SLOW`` seconds, the next one waits for this share of its time, so that another process that
polls for the write lock can get it."""


class _Write(NamedTuple):
    row: NewRow | FailureRow
    fresh: bool
    saved: asyncio.Future[Any]


class CompletionWriter:
    """A queue of rows, and the thread that commits them."""

    def __init__(self, path: Path, place: StoreFile) -> None:
        self._path = path
        self._place = place
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def write(self, row: NewRow, *, fresh: bool = False) -> asyncio.Future[SavedCompletion]:
        """Queue one row, from a running event loop. The future is done when the row is durable, or has a StoreError.

        A queued row is written even if the future is cancelled.

        Args:
            row: The row.
            fresh: Keep it beside answers of earlier sessions (``--fresh``).
        """
        return self._put(row, fresh)

    def _put(self, row: NewRow | FailureRow, fresh: bool) -> asyncio.Future[Any]:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="distilltest-store", daemon=True)
            self._thread.start()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.put(_Write(row, fresh, future))
        return future

    def write_failure(self, row: FailureRow) -> asyncio.Future[None]:
        """Queue a failure, from a running event loop. The future is done when it is written, or has a StoreError."""
        return self._put(row, False)

    def close(self) -> None:
        """Commit all queued rows, then stop the thread."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        connection: sqlite3.Connection | None = None
        origins = dict[tuple[str, str], int]()
        ended = False
        took = 0.0
        while not ended:
            first = self._queue.get()
            ended = first is None
            batch = [first] if first is not None else []
            if not ended and took > _SLOW:
                time.sleep(_COURTESY * took)
            while not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    ended = True
                else:
                    batch.append(following)
            if not batch:
                continue
            results, failure = dict[asyncio.Future[Any], SavedCompletion | None](), None
            began = time.perf_counter()
            try:
                self._place.check()  # also before connecting, which would create a new file
                connection = connection or connect(self._path)
                results = _write(connection, batch, origins)
            except StoreError as error:
                failure = error
            except Exception as error:  # any error ends the waiting of callers
                failure = explain(self._path, error)
            took = time.perf_counter() - began
            _tell([each.saved for each in batch], results, failure)
        if connection is not None:
            connection.close()


def _write(
    connection: sqlite3.Connection, batch: Sequence[_Write], origins: dict[tuple[str, str], int]
) -> dict[asyncio.Future[Any], SavedCompletion | None]:
    """Write a batch; return the result of each future."""
    results = dict[asyncio.Future[Any], SavedCompletion | None]()
    rows = [(each.row, each) for each in batch if isinstance(each.row, NewRow)]
    if rows:
        saved = insert(connection, [row for row, _ in rows], origins, [each.fresh for _, each in rows])
        results |= {each.saved: one for (_, each), one in zip(rows, saved, strict=True)}
    failures = [(each.row, each) for each in batch if isinstance(each.row, FailureRow)]
    if failures:
        insert_failures(connection, [row for row, _ in failures])
        results |= {each.saved: None for _, each in failures}
    return results


def _tell(
    futures: Sequence[asyncio.Future[Any]],
    results: Mapping[asyncio.Future[Any], SavedCompletion | None],
    failure: StoreError | None,
) -> None:
    """Wake each event loop once for all its futures."""
    for loop in {future.get_loop() for future in futures}:
        own = [future for future in futures if future.get_loop() is loop]
        try:
            loop.call_soon_threadsafe(_resolve, own, results, failure)
        except RuntimeError:  # the loop is closed, and the rows are safe
            continue


def _resolve(
    futures: Iterable[asyncio.Future[Any]],
    results: Mapping[asyncio.Future[Any], SavedCompletion | None],
    failure: StoreError | None,
) -> None:
    for future in futures:
        if future.done():
            continue
        if failure is None:
            future.set_result(results[future])
        else:
            future.set_exception(failure)
