"""Saves and finds completions."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from typing import Any

import orjson

from distilltest.records import CallFailure, Completion, Request
from distilltest.store.base import StoreConnection
from distilltest.store.connection import explain
from distilltest.store.inserting import SavedCompletion, insert
from distilltest.store.reading import CHUNK, Reader, find, known, marks
from distilltest.store.rows import (
    READ,
    FailureRow,
    GradedCompletion,
    StoredCompletion,
    StoredRow,
    Use,
    read_completion,
    read_grades,
    record_of,
    row_of,
)
from distilltest.store.selection import CompletionFilter, Cursor

_ROW = f"{READ}, served, metadata, request"
"""The columns of a StoredRow."""
_GRADED = ", ".join(f"completion.{name}" for name in READ.split(", "))
_FORGET_FAILURES = 86_400.0
"""Seconds to keep failed requests; they matter only to concurrent processes."""


class Completions(StoreConnection):
    """The part of the store for saving and finding completions."""

    def begin_session(self, name: str, now: float) -> int:
        """The number of a session. Workers of one run give the same name and share it.

        Args:
            name: The run's id, or a unique name.
            now: Unix time.
        """
        with self._sql(write=True) as sql:
            sql.execute("INSERT OR IGNORE INTO session (name) VALUES (?)", (name,))
            sql.execute("DELETE FROM call_failure WHERE at < ?", (now - _FORGET_FAILURES,))
            return int(sql.execute("SELECT id FROM session WHERE name = ?", (name,)).fetchone()[0])

    def reader(self, session: int, *, only_session: bool) -> Reader:
        """A reader that does not wait for other threads of this process.

        Args:
            session: The session that reads.
            only_session: Find only completions that this session requested.
        """
        return Reader(self._place, session, only_session=only_session)

    def save(
        self, request: Request, completion: Completion, response: bytes, *, session: int = 0, fresh: bool = False
    ) -> asyncio.Future[SavedCompletion]:
        """Save a completion, from a running event loop. The future is done when the row is durable.

        Args:
            request: The request.
            completion: The answer.
            response: The server's body.
            session: The session that sent the request.
            fresh: Keep it beside answers of earlier sessions (``--fresh``); otherwise the first answer wins.
        """
        return self._writer.write(row_of(request, completion, response, session), fresh=fresh)

    def save_all(self, completions: Iterable[tuple[Request, Completion, bytes]]) -> None:
        """Save (request, completion, response) tuples in one transaction; they are durable on return.

        Raises:
            StoreError: Nothing was saved.
        """
        rows = [row_of(*each, session=0) for each in completions]
        with self._lock:
            try:
                insert(self._connection, rows, {})
            except sqlite3.Error as error:
                raise explain(self.path, error) from None

    def save_failure(self, failure: CallFailure, session: int, at: float) -> asyncio.Future[None]:
        """Save a final failure (at a Unix time) for other processes, from a running event loop."""
        f = failure
        return self._writer.write_failure(
            FailureRow(bytes.fromhex(f.key), session, at, f.model, f.kind, f.message, f.attempts, f.permanent)
        )

    def completion(self, key: str) -> Completion | None:
        """One completion, None if it is not stored."""
        return self.completions([key]).get(key)

    def completions(self, keys: Iterable[str]) -> dict[str, Completion]:
        """The stored completions by key; with several answers to a request, the one requested last."""
        with self._sql() as sql:
            return find(sql, keys, self._origins)

    def completions_by_id(self, numbers: Sequence[int]) -> dict[int, Completion]:
        """The completions that still exist, by number."""
        found = {}
        with self._sql() as sql:
            self._origins.refresh(sql)
            for start in range(0, len(numbers), CHUNK):
                some = numbers[start : start + CHUNK]
                for row in sql.execute(f"SELECT {READ} FROM completion WHERE id IN ({marks(some)})", some):  # noqa: S608
                    completion = read_completion(row, self._origins)
                    found[completion.id] = completion
        return found

    def known_keys(self, keys: Iterable[str]) -> set[str]:
        """The keys that have a completion."""
        with self._sql() as sql:
            return known(sql, keys)

    def find_completions(
        self,
        selection: CompletionFilter | None = None,
        *,
        limit: int | None = None,
        after: Cursor | None = None,
        oldest_first: bool = False,
    ) -> list[StoredCompletion]:
        """The completions of a selection, newest first unless ``oldest_first``.

        Args:
            selection: The conditions; None for all.
            limit: The maximum number; None for all.
            after: Start after this place of the list: the ``cursor`` of the last item of a page.
            oldest_first: Reverse the order.
        """
        rows = self._select(_ROW, selection, limit, after, oldest_first)
        return [
            StoredCompletion(orjson.loads(request), read_completion(row, self._origins), orjson.loads(labels))
            for *row, _, labels, request in rows
        ]

    def find_rows(
        self,
        selection: CompletionFilter | None = None,
        *,
        limit: int | None = None,
        after: Cursor | None = None,
        oldest_first: bool = False,
    ) -> list[StoredRow]:
        """The same as rows, with the server's responses."""
        return [self._stored_row(row) for row in self._select(_ROW, selection, limit, after, oldest_first)]

    def _stored_row(self, row: tuple[Any, ...]) -> StoredRow:
        *read, _, metadata, request = row
        completion = read_completion(read, self._origins)
        return StoredRow(
            key=completion.key,
            server=completion.server,
            model=completion.model,
            trial=completion.trial,
            metadata=metadata,
            request=request,
            answer=record_of(completion),
            response=read[8],
            created=completion.created,
            server_id=completion.served_id or None,
            id=completion.id,
        )

    def _select(
        self,
        columns: str,
        selection: CompletionFilter | None,
        limit: int | None,
        after: Cursor | None,
        oldest_first: bool,
    ) -> list[tuple[Any, ...]]:
        condition, values = (selection or CompletionFilter()).where()
        direction, sign = ("", ">") if oldest_first else (" DESC", "<")
        if after is not None:
            condition += f" AND (completion.created, completion.key) {sign} (?, ?)"
            values += (after.created, bytes.fromhex(after.key))
        query = f"""
            SELECT {columns} FROM completion WHERE {condition} ORDER BY created{direction}, key{direction} LIMIT ?
        """  # noqa: S608  # no user input; values are bound
        with self._sql() as sql:
            self._origins.refresh(sql)
            return sql.execute(query, [*values, -1 if limit is None else limit]).fetchall()

    def each_completion(
        self, selection: CompletionFilter | None = None, *, oldest_first: bool = True
    ) -> Iterator[StoredCompletion]:
        """Yield the completions of a selection, with one page in memory at a time."""
        for row in self.each_row(selection, oldest_first=oldest_first):
            yield row.read()

    def each_row(self, selection: CompletionFilter | None = None, *, oldest_first: bool = True) -> Iterator[StoredRow]:
        """The same as rows."""
        after = None
        while page := self.find_rows(selection, limit=CHUNK, after=after, oldest_first=oldest_first):
            yield from page
            after = page[-1].cursor

    def count_completions(self, selection: CompletionFilter | None = None) -> int:
        """The number of completions in a selection."""
        condition, values = (selection or CompletionFilter()).where()
        with self._sql() as sql:
            row = sql.execute(f"SELECT count(*) FROM completion WHERE {condition}", values).fetchone()  # noqa: S608
        return int(row[0])

    def find_graded(
        self, evaluation: str, *, role: str | None = None, every_run: bool = False
    ) -> Iterator[GradedCompletion]:
        """Yield the graded completions of an evaluation by case, role and trial, with one page in memory at a time.

        Args:
            evaluation: The full node id; ``Store.find_evaluation`` finds it by its end.
            role: Only this role.
            every_run: Include completions that only earlier runs used, each as graded by the latest run that used it. Otherwise
                only the latest run.
        """
        with self._sql() as sql:
            query = "SELECT id, run FROM judged WHERE evaluation = ? ORDER BY run DESC"
            runs = sql.execute(query, (evaluation,)).fetchall()
        pages = [self._graded(number, run, evaluation, role) for number, run in (runs if every_run else runs[:1])]
        for _, _, graded in merge(*pages):  # each is already sorted
            yield graded

    def _graded(
        self, judged: int, run: str, evaluation: str, role: str | None
    ) -> Iterator[tuple[tuple[str, str, int], str, GradedCompletion]]:
        """The graded completions of one run that no later run used, each with its sort key."""
        query = f"""
            SELECT {_GRADED}, metadata, request, case_id, role, outcome.trial, passed, score, grades
            FROM outcome JOIN completion ON completion.id = outcome.completion
            WHERE judged = :judged AND (:role IS NULL OR role = :role) AND NOT EXISTS (
                SELECT 1 FROM outcome AS later INDEXED BY outcome_by_completion JOIN judged AS other ON other.id = later.judged
                WHERE later.completion = outcome.completion AND other.evaluation = :evaluation AND other.run > :run
            )
            AND (case_id, role, outcome.trial) > (:case_id, :after_role, :trial)
            ORDER BY case_id, role, outcome.trial LIMIT :limit
        """  # noqa: S608  # no user input; values are bound
        values: dict[str, Any] = {"judged": judged, "role": role, "run": run, "evaluation": evaluation, "limit": CHUNK}
        values |= {"case_id": "", "after_role": "", "trial": -1}
        while True:
            with self._sql() as sql:
                rows = sql.execute(query, values).fetchall()
                self._origins.refresh(sql)
            for *read, labels, request, case_id, of_role, trial, passed, score, grades in rows:
                stored = StoredCompletion(
                    orjson.loads(request), read_completion(read, self._origins), orjson.loads(labels)
                )
                yield (
                    (case_id, of_role, trial),
                    run,
                    GradedCompletion(
                        stored,
                        run,
                        evaluation,
                        case_id,
                        of_role,
                        trial,
                        None if passed is None else bool(passed),
                        score,
                        read_grades(grades),
                    ),
                )
            if len(rows) < CHUNK:
                return
            values |= dict(zip(("case_id", "after_role", "trial"), rows[-1][-6:-3], strict=True))

    def uses_of(self, key: str) -> list[Use]:
        """How evaluations graded the answers to a request, latest run first."""
        query = """
            SELECT run, evaluation, case_id, role, trial, passed, score, failure, grades
            FROM outcome JOIN judged ON judged.id = outcome.judged
            WHERE outcome.completion IN (SELECT id FROM completion WHERE completion.key = :key) OR outcome.key = :key
            ORDER BY run DESC, evaluation, case_id, role, trial
        """
        with self._sql() as sql:
            rows = sql.execute(query, {"key": bytes.fromhex(key)}).fetchall()
        return [
            Use(
                run,
                evaluation,
                case,
                role,
                trial,
                None if passed is None else bool(passed),
                score,
                failure,
                read_grades(g),
            )
            for run, evaluation, case, role, trial, passed, score, failure, g in rows
        ]
