"""Reads completions by key, over any connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from distilltest.records import CallFailure, Completion
from distilltest.store.connection import connect, explain
from distilltest.store.rows import READ, read_completion
from distilltest.store.store_file import StoreFile

CHUNK = 500
"""Keys per query, and completions in memory at once."""


class Origins:
    """Server and model by origin number, as used in rows."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[str, str]] = {}

    def __getitem__(self, number: int) -> tuple[str, str]:
        return self._known[number]

    def refresh(self, sql: sqlite3.Connection) -> None:
        """Read new origins."""
        query = "SELECT id, server, model FROM origin WHERE id > ?"
        self._known |= {n: (server, model) for n, server, model in sql.execute(query, (max(self._known, default=-1),))}


def chunks(keys: Iterable[str]) -> Iterator[list[bytes]]:
    """Keys in stored form, in chunks."""
    source = iter(keys)
    while some := [bytes.fromhex(key) for key in islice(source, CHUNK)]:
        yield some


def marks(values: Sequence[object]) -> str:
    """SQL placeholders for values."""
    return ",".join("?" * len(values))


def find(
    sql: sqlite3.Connection,
    keys: Iterable[str],
    origins: Origins,
    *,
    session: int | None = None,
    only_session: bool = False,
) -> dict[str, Completion]:
    """The stored completions by key; with several answers to a request, the one requested last.

    Args:
        sql: The connection.
        keys: The keys.
        origins: The origins of this store; refreshed if needed.
        session: The session that reads.
        only_session: Find only completions that this session requested.

    Raises:
        sqlite3.Error: The store cannot be read.
    """
    found = dict[str, Completion]()
    for some in chunks(keys):
        query = f"SELECT {READ} FROM completion WHERE key IN ({marks(some)})"  # noqa: S608
        rows = sql.execute(query + " AND session = ?", [*some, session]) if only_session else sql.execute(query, some)
        for row in rows.fetchall():
            try:
                completion = read_completion(row, origins, session)
            except KeyError:
                origins.refresh(sql)
                completion = read_completion(row, origins, session)
            before = found.get(completion.key)
            if before is None or before.id < completion.id:
                found[completion.key] = completion
    return found


class Reader:
    """A separate connection for the engine's loop, which must not wait for other threads."""

    def __init__(self, place: StoreFile, session: int, *, only_session: bool) -> None:
        self._place = place
        self._path = place.path
        self._session = session
        self._only_session = only_session
        self._origins = Origins()
        self._connection: sqlite3.Connection | None = None

    def find(self, keys: Iterable[str]) -> dict[str, Completion]:
        """The stored completions, by key.

        Raises:
            StoreError: The store cannot be read.
        """
        try:
            return find(self._sql(), keys, self._origins, session=self._session, only_session=self._only_session)
        except sqlite3.Error as error:
            raise explain(self._path, error) from None

    def known(self, keys: Iterable[str]) -> set[str]:
        """The keys for which ``find`` returns a completion.

        Raises:
            StoreError: The store cannot be read.
        """
        try:
            return known(self._sql(), keys, self._session if self._only_session else None)
        except sqlite3.Error as error:
            raise explain(self._path, error) from None

    def failures(self, keys: Iterable[str]) -> dict[str, tuple[CallFailure, int, float]]:
        """Final failures by key: the failure, its session, and its time (Unix).

        Raises:
            StoreError: The store cannot be read.
        """
        found = dict[str, tuple[CallFailure, int, float]]()
        try:
            for some in chunks(keys):
                query = f"""
                    SELECT key, model, kind, message, attempts, permanent, session, at FROM call_failure
                    WHERE key IN ({marks(some)})
                """  # noqa: S608
                for key, model, kind, message, attempts, permanent, session, at in self._sql().execute(query, some):
                    failure = CallFailure(key.hex(), model, kind, message, attempts, bool(permanent))
                    found[failure.key] = (failure, session, at)
        except sqlite3.Error as error:
            raise explain(self._path, error) from None
        return found

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _sql(self) -> sqlite3.Connection:
        if self._connection is None:
            self._place.check()  # connecting would create a new file
            self._connection = connect(self._path)
        return self._connection


def known(sql: sqlite3.Connection, keys: Iterable[str], session: int | None = None) -> set[str]:
    """The keys that have a completion (of one session, if given).

    Raises:
        sqlite3.Error: The store cannot be read.
    """
    there = set[str]()
    for some in chunks(keys):
        query = f"SELECT key FROM completion WHERE key IN ({marks(some)})"  # noqa: S608
        rows = (
            sql.execute(query, some) if session is None else sql.execute(query + " AND session = ?", [*some, session])
        )
        there |= {row[0].hex() for row in rows}
    return there
