"""Writing completions from a thread of its own: whatever has arrived meanwhile goes into one durable commit."""

from __future__ import annotations

import queue
import sqlite3
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from distilltest.errors import StoreError
from distilltest.store.connection import connect, explain

_INSERT = """
    INSERT OR REPLACE INTO completion (key, server, model, trial, metadata, request, answer, response, created)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
Row = tuple[Any, ...]


class CompletionWriter:
    """A queue of completions, and the thread that commits them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: queue.SimpleQueue[tuple[Row, Future[None]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def write(self, row: Row) -> Future[None]:
        """Queue one row; the future is done when it is durable, or has the StoreError."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="distilltest-store", daemon=True)
            self._thread.start()
        future: Future[None] = Future()
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
        while not ended:
            first = self._queue.get()
            ended = first is None
            batch = [first] if first is not None else []
            while not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    ended = True
                else:
                    batch.append(following)
            if not batch:
                continue
            try:
                connection = connection or connect(self._path)
                self._commit(connection, [row for row, _ in batch])
            except StoreError as error:
                for _, future in batch:
                    future.set_exception(error)
            else:
                for _, future in batch:
                    future.set_result(None)
        if connection is not None:
            connection.close()

    def _commit(self, connection: sqlite3.Connection, rows: list[Row]) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_INSERT, rows)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise explain(self._path, error) from None
