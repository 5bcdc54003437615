"""Opens the store's file, and explains SQLite's errors."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from distilltest.data.whole_files import make_private_folder
from distilltest.errors import StoreError
from distilltest.store.migrations import Progress, migrate, silent

PATIENCE = 120.0
"""Seconds to wait for another process that is writing."""
PAUSE = 0.005
"""Seconds between two attempts to switch a new file to WAL mode."""


def connect(path: Path, progress: Progress = silent) -> sqlite3.Connection:
    """Open the store in WAL mode, so that readers and the writer never wait for each other.

    ``synchronous=FULL`` makes every commit durable. Only the owner can read a new file and its new folder, because answers can be
    sensitive; SQLite's own files get the same permissions. git ignores a new folder.

    Args:
        path: The file.
        progress: Called with the progress of a migration.

    Raises:
        StoreError: The file cannot be created, is not a store, or was written by a newer distilltest.
    """
    try:
        make_private_folder(path.parent)
        if not path.exists():
            path.touch(mode=0o600)
        connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        migrate(connection, progress)
    except ValueError as error:
        raise StoreError(
            f"The store {path} was written by a newer distilltest: {error}. Upgrade distilltest; nothing was changed."
        ) from None
    except OSError as error:
        raise StoreError(f"The store {path} cannot be created: {error.strerror}. Use a writable folder.") from None
    except sqlite3.Error as error:
        raise explain(path, error) from None
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL mode, and wait while another process does the same.

    SQLite itself does not wait here: of two processes that switch a new file at once, one gets "database is locked" at once,
    whatever its timeout is.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(PAUSE)


def explain(path: Path, error: Exception) -> StoreError:
    """The StoreError for an error of SQLite, with a remedy."""
    text = str(error)
    if "disk is full" in text or "disk I/O error" in text:
        remedy = (
            "The disk is full, or the file system fails. Make room and run again: everything stored before is safe."
        )
    elif "readonly" in text or "unable to open" in text:
        remedy = "It cannot be written. Change the permissions of the file and its folder, and run again."
    elif "not a database" in text or "malformed" in text:
        remedy = "It is not a store of distilltest, or it is damaged. Move it away to start a new one."
    elif "locked" in text:
        remedy = f"Another process has been writing for more than {PATIENCE:.0f} s. Wait for it, and run again."
    else:
        remedy = "Everything stored before is safe."
    return StoreError(f"The store {path} failed: {text}. {remedy}")
