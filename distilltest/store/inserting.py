"""Inserts completions into the store.

The first committed answer to a request wins; a later one is not stored, and its caller gets the number of the first.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

from distilltest.store.rows import COLUMNS, FailureRow, NewRow

_SIZES = (256, 64, 16, 4, 1)
"""Rows per statement; a few sizes only, so that SQLite prepares each once."""


class SavedCompletion(NamedTuple):
    """The stored row of a completion's key after saving."""

    id: int
    """The row number."""
    mine: bool
    """Whether the row is this completion; False if another answer was committed first."""


def insert(
    connection: sqlite3.Connection,
    rows: Sequence[NewRow],
    origins: dict[tuple[str, str], int],
    fresh: Sequence[bool] | None = None,
) -> list[SavedCompletion]:
    """Insert rows into ``completion`` in one durable transaction.

    Args:
        connection: A connection without an open transaction.
        rows: The rows.
        origins: Known numbers by server and model; new ones are added.
        fresh: For each row, whether to keep it beside answers of earlier sessions (``--fresh``). None: no row.

    Raises:
        sqlite3.Error: Nothing was written.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        saved = insert_rows(connection, rows, origins, fresh)
        connection.execute("COMMIT")
    except BaseException:
        origins.clear()  # additions were rolled back
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return saved


def insert_rows(
    connection: sqlite3.Connection,
    rows: Sequence[NewRow],
    origins: dict[tuple[str, str], int],
    fresh: Sequence[bool] | None = None,
) -> list[SavedCompletion]:
    """The same, within the caller's transaction."""
    first, own = _committed(connection, [row.key for row in rows])
    last = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'completion'").fetchone()
    number = last[0] if last else 0
    saved = list[SavedCompletion]()
    new = list[tuple[Any, ...]]()
    for row, keep in zip(rows, fresh or [False] * len(rows), strict=True):
        known = own.get((row.key, row.session)) if keep else first.get(row.key)
        if known is not None:
            saved.append(SavedCompletion(known, False))
            continue
        number += 1
        first[row.key] = own[row.key, row.session] = number
        saved.append(SavedCompletion(number, True))
        key, session, server, model, *rest = row
        new.append((number, key, session, _origin(connection, origins, server, model), *rest))
    start = 0
    for size in _SIZES:
        while len(new) - start >= size:
            connection.execute(_statement(size), tuple(chain.from_iterable(new[start : start + size])))
            start += size
    return saved


def insert_failures(connection: sqlite3.Connection, rows: Sequence[FailureRow]) -> None:
    """Save failures in one transaction; the last failure of a request counts.

    Raises:
        sqlite3.Error: Nothing was written.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.executemany("INSERT OR REPLACE INTO call_failure VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _committed(
    connection: sqlite3.Connection, keys: Sequence[bytes]
) -> tuple[dict[bytes, int], dict[tuple[bytes, int], int]]:
    """Existing rows: the latest by key, and each by key and session."""
    first, own = dict[bytes, int](), dict[tuple[bytes, int], int]()
    for start in range(0, len(keys), 256):
        some = keys[start : start + 256]
        marks = ",".join("?" * len(some))
        query = f"SELECT key, session, id FROM completion WHERE key IN ({marks}) ORDER BY id"  # noqa: S608
        for key, session, number in connection.execute(query, some):
            first[key] = own[key, session] = number
    return first, own


def _origin(connection: sqlite3.Connection, origins: dict[tuple[str, str], int], server: str, model: str) -> int:
    number = origins.get((server, model))
    if number is None:
        connection.execute("INSERT OR IGNORE INTO origin (server, model) VALUES (?, ?)", (server, model))
        query = "SELECT id FROM origin WHERE (server, model) = (?, ?)"
        number = origins[server, model] = int(connection.execute(query, (server, model)).fetchone()[0])
    return number


def _statement(rows: int) -> str:
    marks = f"({', '.join('?' * len(COLUMNS))})"
    return f"INSERT INTO completion ({', '.join(COLUMNS)}) VALUES {', '.join([marks] * rows)}"  # noqa: S608
