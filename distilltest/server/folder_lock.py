"""The lock on a server's folder. Several servers may use one folder, but only the holder of the lock runs its jobs."""

from __future__ import annotations

import sqlite3
from pathlib import Path


class FolderLock:
    """A lock that the system releases when the process ends, even if it is killed."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "worker.sqlite3"
        self._sql: sqlite3.Connection | None = None

    def take(self) -> bool:
        """Try to take the lock; return whether we hold it."""
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
        """Release the lock."""
        if self._sql is not None:
            self._sql.close()
            self._sql = None
