"""The server's database: files, jobs, tuned models and stored completions in one SQLite file."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson

_SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
    kind    TEXT NOT NULL,   -- file, job, event, checkpoint, model, completion, stopped (a job that a server's stop interrupted)
    id      TEXT NOT NULL,
    parent  TEXT,            -- the job of an event or a checkpoint
    created REAL NOT NULL,
    content BLOB NOT NULL,   -- the JSON object as the API shows it
    data    BLOB,            -- a model's weights, a completion's messages
    serial  INTEGER PRIMARY KEY AUTOINCREMENT,
    UNIQUE (kind, id)
);
CREATE INDEX IF NOT EXISTS object_by_parent ON object (kind, parent, serial);
"""

PATIENCE = 30.0
"""Seconds to wait for another process that is writing."""


def _use_wal(sql: sqlite3.Connection) -> None:
    """Switch to WAL mode. SQLite does not wait while another process does the same with a new file, whatever its timeout is."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            sql.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(0.005)


class Objects:
    """API objects by kind and id, in order of creation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / "server.sqlite3"
        path.touch(mode=0o600)
        self._sql = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        _use_wal(self._sql)
        self._sql.execute("PRAGMA synchronous = NORMAL")
        self._sql.executescript(_SCHEMA)
        self._lock = threading.Lock()

    def put(
        self,
        kind: str,
        content: dict[str, Any],
        created: float,
        *,
        parent: str | None = None,
        data: bytes | None = None,
    ) -> None:
        """Add an object, or replace its content. Its data stay if ``data`` is None."""
        with self._lock:
            self._sql.execute(
                "INSERT INTO object (kind, id, parent, created, content, data) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (kind, id) DO UPDATE SET content = excluded.content, data = coalesce(excluded.data, data)",
                (kind, content["id"], parent, created, orjson.dumps(content), data),
            )

    def put_many(self, kind: str, rows: Iterable[tuple[dict[str, Any], float, bytes]]) -> None:
        """Add several objects in one transaction."""
        with self._lock:
            self._sql.execute("BEGIN")
            self._sql.executemany(
                "INSERT INTO object (kind, id, created, content, data) VALUES (?, ?, ?, ?, ?)",
                [(kind, content["id"], created, orjson.dumps(content), data) for content, created, data in rows],
            )
            self._sql.execute("COMMIT")

    def change(
        self, kind: str, identity: str, change: Callable[[dict[str, Any]], dict[str, Any] | None]
    ) -> dict[str, Any] | None:
        """Change an object's content in one transaction, so that no change by another server is lost.

        Returns:
            The new content; None if there is no such object, or if ``change`` returned None.
        """
        with self._lock, self._sql:
            self._sql.execute("BEGIN IMMEDIATE")
            row = self._sql.execute("SELECT content FROM object WHERE kind = ? AND id = ?", (kind, identity)).fetchone()
            changed = change(orjson.loads(row[0])) if row else None
            if changed is not None:
                self._sql.execute(
                    "UPDATE object SET content = ? WHERE kind = ? AND id = ?", (orjson.dumps(changed), kind, identity)
                )
        return changed

    def get(self, kind: str, identity: str) -> dict[str, Any] | None:
        """An object, or None."""
        with self._lock:
            row = self._sql.execute("SELECT content FROM object WHERE kind = ? AND id = ?", (kind, identity)).fetchone()
        return orjson.loads(row[0]) if row else None

    def data(self, kind: str, identity: str) -> bytes | None:
        """An object's data, or None."""
        with self._lock:
            row = self._sql.execute("SELECT data FROM object WHERE kind = ? AND id = ?", (kind, identity)).fetchone()
        return bytes(row[0]) if row and row[0] is not None else None

    def with_data(self, kind: str) -> list[str]:
        """The ids of a kind's objects that have data."""
        with self._lock:
            rows = self._sql.execute("SELECT id FROM object WHERE kind = ? AND data IS NOT NULL", (kind,)).fetchall()
        return [identity for (identity,) in rows]

    def open_data(self, kind: str, identity: str) -> sqlite3.Blob:
        """Open an object's data, to read it in chunks."""
        with self._lock:
            [serial] = self._sql.execute(
                "SELECT serial FROM object WHERE kind = ? AND id = ?", (kind, identity)
            ).fetchone()
            return self._sql.blobopen("object", "data", serial, readonly=True)

    def drop_data(self, kind: str, identity: str) -> None:
        """Delete an object's data."""
        with self._lock:
            self._sql.execute("UPDATE object SET data = NULL WHERE kind = ? AND id = ?", (kind, identity))

    def all(self, kind: str, parent: str | None = None) -> list[dict[str, Any]]:
        """All objects of a kind, oldest first."""
        with self._lock:
            rows = self._sql.execute(
                "SELECT content FROM object WHERE kind = ? AND (? IS NULL OR parent = ?) ORDER BY serial",
                (kind, parent, parent),
            ).fetchall()
        return [orjson.loads(row[0]) for row in rows]

    def delete(self, kind: str, identity: str) -> bool:
        """Delete an object; return whether it existed."""
        with self._lock:
            return self._sql.execute("DELETE FROM object WHERE kind = ? AND id = ?", (kind, identity)).rowcount > 0

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._sql.close()


def page(
    objects: list[dict[str, Any]], query: dict[str, str], *, newest_first: bool, most: int = 100
) -> dict[str, Any]:
    """One page of a list in the API's format, selected by the query's ``after``, ``limit`` and ``order``."""
    from distilltest.server.errors import invalid

    order = query.get("order", "desc" if newest_first else "asc")
    if order not in ("asc", "desc"):
        raise invalid("order must be asc or desc", "order")
    try:
        limit = int(query.get("limit", 20))
    except ValueError:
        limit = 0
    if not 1 <= limit <= most:
        raise invalid(f"limit must be a whole number from 1 to {most}", "limit")
    ordered = objects[::-1] if order == "desc" else objects
    after = query.get("after")
    if after:
        places = [index for index, item in enumerate(ordered) if item["id"] == after]
        ordered = ordered[places[0] + 1 :] if places else []
    data = ordered[:limit]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": len(ordered) > limit,
    }
