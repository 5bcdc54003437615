"""The base of the store's classes: the file, its connection, and a lock for threads."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from distilltest.store.connection import connect, explain
from distilltest.store.migrations import Progress, silent
from distilltest.store.reading import Origins
from distilltest.store.store_file import StoreFile
from distilltest.store.writer import CompletionWriter


class StoreConnection:
    """One store, open in one process. Several processes may open it at once."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._lock = threading.RLock()
        self._place = StoreFile.of(path)
        self._writer = CompletionWriter(path, self._place)
        self._origins = Origins()

    @classmethod
    def open(cls, path: Path, progress: Progress = silent) -> Self:
        """Open a store. Create it if necessary; migrate an older one to the newest schema.

        Args:
            path: The file.
            progress: Called with the progress of a migration, which may take minutes for a large store.

        Raises:
            StoreError: It cannot be opened; the message says why and what to do.
        """
        return cls(path, connect(path, progress))

    def close(self) -> None:
        """Make all saved rows durable, and close the file."""
        self._writer.close()
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _sql(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time. With ``write``, the block is one transaction."""
        with self._lock:
            try:
                if write:
                    self._place.check()
                    self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                if write:
                    self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise explain(self.path, error) from None
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
