"""Who works: of several servers on one folder only one runs jobs, or they would be run twice."""

from __future__ import annotations

import sqlite3
from pathlib import Path


class FolderLock:
    """A lock that ends with its process, however that ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "worker.sqlite3"
        self._sql: sqlite3.Connection | None = None

    def take(self) -> bool:
        """Whether the lock is ours, now or since before."""
        if self._sql is not None:
            return True
        sql = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            sql.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            sql.close()
            return False
        self._sql = sql
        return True

    def release(self) -> None:
        """Let another server work."""
        if self._sql is not None:
            self._sql.close()
            self._sql = None
