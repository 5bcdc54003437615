"""Moves the rows of older stores into the tables of schema 6, in batches.

Each batch is one transaction, so that a kill leaves every row in exactly one table. Several processes may move rows at once.
The old tables are dropped after the file is compacted; if killed between, compaction starts again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from distilltest.store.inserting import insert_rows
from distilltest.store.rows import StoredRow, row_of_stored

_ROWS = 1000
"""Rows per transaction: well under a second."""
_TABLES = ("completion_before", "outcome_before")
_NO_WAIT = 1000
"""Milliseconds to wait for other processes before giving up on compaction; free pages are reused."""


def left_to_move(sql: sqlite3.Connection) -> bool:
    """Whether tables of an older schema exist."""
    return any(_exists(sql, name) for name in _TABLES)


def move(sql: sqlite3.Connection, progress: Callable[[int, int], None]) -> None:
    """Move all rows, and drop the old tables.

    Args:
        sql: A connection without an open transaction.
        progress: Called with the number of moved rows and the total.
    """
    steps = dict(zip(_TABLES, (_completions, _outcomes), strict=True))
    sql.execute("BEGIN")  # otherwise another process may drop a table between two queries
    there = [name for name in steps if _exists(sql, name)]
    total = sum(sql.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in there)  # noqa: S608
    sql.execute("COMMIT")
    done = 0
    for name in there:  # outcomes refer to completions, so these come first
        while moved := _step(sql, name, steps[name]):
            done += moved
            progress(min(done, total), total)
    _shrink(sql)
    drop(sql)


def drop(sql: sqlite3.Connection) -> None:
    """Drop the old, empty tables."""
    for name in _TABLES:
        sql.execute(f"DROP TABLE IF EXISTS {name}")


def _exists(sql: sqlite3.Connection, name: str) -> bool:
    return sql.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone() is not None


def _step(sql: sqlite3.Connection, name: str, step: Callable[[sqlite3.Connection], int]) -> int:
    """Move one batch in a transaction; return its size."""
    sql.execute("BEGIN IMMEDIATE")
    try:
        moved = step(sql) if _exists(sql, name) else 0  # another process may have been faster
        sql.execute("COMMIT")
    except BaseException:
        if sql.in_transaction:
            sql.execute("ROLLBACK")
        raise
    return moved


def _completions(sql: sqlite3.Connection) -> int:
    query = """
        SELECT key, server, model, trial, metadata, request, answer, response, created, server_id
        FROM completion_before ORDER BY key LIMIT ?
    """
    rows = sql.execute(query, (_ROWS,)).fetchall()
    if rows:
        insert_rows(sql, [row_of_stored(StoredRow(*row), session=0) for row in rows], {})
        sql.execute("DELETE FROM completion_before WHERE key <= ?", (rows[-1][0],))
    return len(rows)


def _outcomes(sql: sqlite3.Connection) -> int:
    query = """
        SELECT run, evaluation, case_id, role, trial, passed, score, failure, completion_key, grades
        FROM outcome_before ORDER BY run, evaluation, case_id, role, trial LIMIT ?
    """
    rows = sql.execute(query, (_ROWS,)).fetchall()
    if not rows:
        return 0
    judged = dict[tuple[str, str], int]()
    moved = list[tuple[Any, ...]]()
    for run, evaluation, case_id, role, trial, passed, score, failure, key, grades in rows:
        if (run, evaluation) not in judged:
            judged[run, evaluation] = judged_number(sql, run, evaluation)
        known = bytes.fromhex(key)
        found = sql.execute("SELECT max(id) FROM completion WHERE key = ?", (known,)).fetchone()[0]
        whose = (None, known) if found is None else (found, None)
        moved.append((judged[run, evaluation], case_id, role, trial, *whose, passed, score, failure, grades))
    sql.executemany("INSERT OR REPLACE INTO outcome VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", moved)
    sql.execute(
        "DELETE FROM outcome_before WHERE (run, evaluation, case_id, role, trial) <= (?, ?, ?, ?, ?)", rows[-1][:5]
    )
    return len(rows)


def judged_number(sql: sqlite3.Connection, run: str, evaluation: str) -> int:
    """The ``judged`` row number of an evaluation in a run, within a transaction."""
    sql.execute("INSERT OR IGNORE INTO judged (run, evaluation) VALUES (?, ?)", (run, evaluation))
    query = "SELECT id FROM judged WHERE (run, evaluation) = (?, ?)"
    return int(sql.execute(query, (run, evaluation)).fetchone()[0])


def _shrink(sql: sqlite3.Connection) -> None:
    """Compact the file if possible; otherwise free pages are reused."""
    patience = sql.execute("PRAGMA busy_timeout").fetchone()[0]
    sql.execute(f"PRAGMA busy_timeout = {_NO_WAIT:d}")
    try:
        sql.execute("VACUUM")
        sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error:  # another process has the file open, or the disk has no room for a copy
        pass
    finally:
        sql.execute(f"PRAGMA busy_timeout = {patience:d}")
