"""Opening the store's file, and what SQLite's errors mean for a user."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from distilltest.data.whole_files import make_private_folder
from distilltest.errors import StoreError
from distilltest.store.migrations import Progress, migrate, silent

PATIENCE = 120.0
"""Seconds to wait for another process that is writing."""


def connect(path: Path, progress: Progress = silent) -> sqlite3.Connection:
    """Open the store, in WAL mode, so that readers and one writer never wait for each other.

    ``synchronous=FULL`` makes every commit durable. The file, and a folder that is made for it, are for their owner only:
    answers can be sensitive. SQLite gives its log and its index of the log the rights of the file. git ignores a folder that
    is made here.

    Args:
        path: The file.
        progress: Told how far an older store has been brought to the newest schema.

    Raises:
        StoreError: The file cannot be made, is no store, or is of a newer distilltest.
    """
    try:
        make_private_folder(path.parent)
        if not path.exists():
            path.touch(mode=0o600)
        connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        migrate(connection, progress)
    except ValueError as error:
        raise StoreError(
            f"The store {path} is of a newer distilltest: {error}. Upgrade distilltest; nothing was changed."
        ) from None
    except OSError as error:
        raise StoreError(
            f"The store {path} cannot be made: {error.strerror}. Give a folder that can be written."
        ) from None
    except sqlite3.Error as error:
        raise explain(path, error) from None
    return connection


def explain(path: Path, error: Exception) -> StoreError:
    """What an error of SQLite means, and what to do."""
    text = str(error)
    if "disk is full" in text or "disk I/O error" in text:
        remedy = "The disk is full, or the file system fails. Make room and run again: what was stored before is safe."
    elif "readonly" in text or "unable to open" in text:
        remedy = "It cannot be written. Change the rights of the file and its folder, and run again."
    elif "not a database" in text or "malformed" in text:
        remedy = "It is no store of distilltest, or damaged. Move it away to begin a new one."
    elif "locked" in text:
        remedy = f"Another process has been writing for more than {PATIENCE:.0f} s. Wait for it, and run again."
    else:
        remedy = "Nothing that was stored before is lost."
    return StoreError(f"The store {path} failed: {text}. {remedy}")
