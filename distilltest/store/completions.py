"""Saving and finding completions."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from distilltest.records import Completion, Request
from distilltest.store.base import Base
from distilltest.store.connection import explain
from distilltest.store.rows import Graded, StoredCompletion, StoredRow, Use, read_completion, read_grades, row_of
from distilltest.store.selection import Cursor, Selection
from distilltest.store.writer import COLUMNS, insert

_CHUNK = 500
"""Keys in one query, completions in memory at once."""


class Completions(Base):
    """The part of the store that keeps completions."""

    def save(self, request: Request, completion: Completion, response: bytes) -> asyncio.Future[None]:
        """Keep a completion, from a running event loop; the future is done when it is durable."""
        return self._writer.write(row_of(request, completion, response))

    def save_all(self, completions: Iterable[tuple[Request, Completion, bytes]]) -> None:
        """Keep completions (request, completion, response), in one transaction; they are durable on return.

        Raises:
            StoreError: Nothing was kept.
        """
        rows = [row_of(*each) for each in completions]
        with self._lock:
            try:
                insert(self._connection, rows)
            except sqlite3.Error as error:
                raise explain(self.path, error) from None

    def completion(self, key: str) -> Completion | None:
        """One completion, None where there is none."""
        return self.completions([key]).get(key)

    def completions(self, keys: Sequence[str]) -> dict[str, Completion]:
        """Those of the completions that there are, by key."""
        found = {}
        with self._sql() as sql:
            for start in range(0, len(keys), _CHUNK):
                some = keys[start : start + _CHUNK]
                marks = ",".join("?" * len(some))
                for (answer,) in sql.execute(f"SELECT answer FROM completion WHERE key IN ({marks})", some):  # noqa: S608
                    completion = read_completion(answer)
                    found[completion.key] = completion
        return found

    def known_keys(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys under which there is a completion."""
        found: set[str] = set()
        with self._sql() as sql:
            for start in range(0, len(keys), _CHUNK):
                some = keys[start : start + _CHUNK]
                marks = ",".join("?" * len(some))
                found |= {row[0] for row in sql.execute(f"SELECT key FROM completion WHERE key IN ({marks})", some)}  # noqa: S608
        return found

    def find_completions(
        self,
        selection: Selection | None = None,
        *,
        limit: int | None = None,
        after: Cursor | None = None,
        oldest_first: bool = False,
    ) -> list[StoredCompletion]:
        """Completions of a selection, the newest first unless ``oldest_first``.

        Args:
            selection: Which; all where it is None.
            limit: At most so many; all where it is None.
            after: Only those behind this place of the list, in its order: the ``cursor`` of the last one of a page.
            oldest_first: Turn the order around.
        """
        rows = self._select("request, answer, metadata", selection, limit, after, oldest_first)
        return [StoredCompletion(orjson.loads(r), read_completion(a), orjson.loads(m)) for r, a, m in rows]

    def find_rows(
        self,
        selection: Selection | None = None,
        *,
        limit: int | None = None,
        after: Cursor | None = None,
        oldest_first: bool = False,
    ) -> list[StoredRow]:
        """The same as whole rows, with the server's own words."""
        return [StoredRow(*row) for row in self._select(", ".join(COLUMNS), selection, limit, after, oldest_first)]

    def _select(
        self, columns: str, selection: Selection | None, limit: int | None, after: Cursor | None, oldest_first: bool
    ) -> list[tuple[Any, ...]]:
        condition, values = (selection or Selection()).where()
        direction, sign = ("", ">") if oldest_first else (" DESC", "<")
        if after is not None:
            condition += f" AND (completion.created, completion.key) {sign} (?, ?)"
            values += after
        query = f"""
            SELECT {columns} FROM completion WHERE {condition} ORDER BY created{direction}, key{direction} LIMIT ?
        """  # noqa: S608  # the conditions are ours, the values are bound
        with self._sql() as sql:
            return sql.execute(query, [*values, -1 if limit is None else limit]).fetchall()

    def each_completion(
        self, selection: Selection | None = None, *, oldest_first: bool = True
    ) -> Iterator[StoredCompletion]:
        """All completions of a selection, a page in memory at a time."""
        for row in self.each_row(selection, oldest_first=oldest_first):
            yield row.read()

    def each_row(self, selection: Selection | None = None, *, oldest_first: bool = True) -> Iterator[StoredRow]:
        """The same as whole rows."""
        after = None
        while page := self.find_rows(selection, limit=_CHUNK, after=after, oldest_first=oldest_first):
            yield from page
            after = page[-1].cursor

    def count_completions(self, selection: Selection | None = None) -> int:
        """How many a selection has."""
        condition, values = (selection or Selection()).where()
        with self._sql() as sql:
            row = sql.execute(f"SELECT count(*) FROM completion WHERE {condition}", values).fetchone()  # noqa: S608
        return int(row[0])

    def find_graded(self, evaluation: str, *, role: str | None = None, every_run: bool = False) -> Iterator[Graded]:
        """What an evaluation said of completions, by case, role and trial; a page in memory at a time.

        Args:
            evaluation: The whole node id; ``Store.find_evaluation`` gives it for its end.
            role: Only of this role.
            every_run: Also completions that the evaluation's latest run did not use, each as the latest run that used it graded
                it. Without it: the evaluation's latest run alone.
        """
        latest = """(
            SELECT max(run) FROM outcome AS latest INDEXED BY outcome_by_completion
            WHERE latest.completion_key = outcome.completion_key AND latest.evaluation = outcome.evaluation
        )"""
        query = f"""
            SELECT request, answer, metadata, run, case_id, role, outcome.trial, passed, score, grades
            FROM outcome JOIN completion ON completion.key = outcome.completion_key
            WHERE outcome.evaluation = ? AND (? IS NULL OR role = ?) AND run = {latest if every_run else "?"}
            AND (case_id, role, outcome.trial, run) > (?, ?, ?, ?)
            ORDER BY case_id, role, outcome.trial, run LIMIT ?
        """  # noqa: S608  # the condition is ours, the values are bound
        values: list[Any] = [evaluation, role, role]
        if not every_run:
            with self._sql() as sql:
                values += sql.execute("SELECT max(run) FROM outcome WHERE evaluation = ?", (evaluation,)).fetchone()
        after: tuple[str, str, int, str] = ("", "", -1, "")
        while True:
            with self._sql() as sql:
                rows = sql.execute(query, [*values, *after, _CHUNK]).fetchall()
            for request, answer, labels, run, case_id, of_role, trial, passed, score, grades in rows:
                yield Graded(
                    StoredCompletion(orjson.loads(request), read_completion(answer), orjson.loads(labels)),
                    run,
                    evaluation,
                    case_id,
                    of_role,
                    trial,
                    None if passed is None else bool(passed),
                    score,
                    read_grades(grades),
                )
            if len(rows) < _CHUNK:
                return
            after = (*rows[-1][4:7], rows[-1][3])

    def uses_of(self, key: str) -> list[Use]:
        """How evaluations graded a completion, the latest run first."""
        query = """
            SELECT run, evaluation, case_id, role, trial, passed, score, failure, grades FROM outcome WHERE completion_key = ?
            ORDER BY run DESC, evaluation, case_id, role, trial
        """
        with self._sql() as sql:
            rows = sql.execute(query, (key,)).fetchall()
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
