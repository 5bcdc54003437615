"""Changes to stored completions: labels, texts and deletion."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import orjson

from distilltest.errors import StoreError
from distilltest.records import Completion, Request
from distilltest.store.completions import Completions
from distilltest.store.connection import PATIENCE, explain
from distilltest.store.inserting import insert_rows
from distilltest.store.reading import Origins, find
from distilltest.store.rows import (
    READ,
    NewRow,
    StoredRow,
    answer_beside,
    read_completion,
    read_record,
    record_of,
    row_of,
    row_of_stored,
    said_by,
    served_number,
)
from distilltest.store.selection import CompletionFilter
from distilltest.store.state_keys import StateKey

MOST_LABELS, LONGEST_NAME, LONGEST_VALUE = 16, 64, 512
"""The API's limits for the labels of a completion."""
SCRUB_PATIENCE = 5_000
"""Milliseconds to wait for other processes to close old versions of rows."""


@dataclass(frozen=True, slots=True)
class Texts:
    """All parts of a completion that may contain text of users or models, as stored JSON."""

    metadata: bytes
    request: bytes
    answer: bytes
    response: bytes


class Changes(Completions):
    """The part of the store that changes and deletes completions."""

    def delete_completions(self, selection: CompletionFilter, *, expected: int | None = None) -> int:
        """Delete a selection. Outcomes that runs recorded stay.

        Args:
            selection: The completions.
            expected: The number that the user confirmed; with any other number, nothing is deleted.

        Returns:
            The number of deleted completions.

        Raises:
            StoreError: The number is not ``expected``.
        """
        condition, values = selection.where()
        with self._sql(write=True) as sql:
            sql.execute("PRAGMA secure_delete = ON")
            deleted = sql.execute(f"DELETE FROM completion WHERE {condition}", values).rowcount  # noqa: S608
            if expected is not None and deleted != expected:
                raise StoreError(
                    f"The store {self.path} changed: {deleted} completions are selected now, {expected} were selected before. "
                    "Nothing was deleted; run the command again."
                )
        return deleted

    def relabel(
        self,
        selection: CompletionFilter,
        add: Mapping[str, str],
        remove: frozenset[str] = frozenset(),
        *,
        dry_run: bool = False,
    ) -> int:
        """Add labels to a selection, and remove labels.

        Returns:
            The number of completions whose labels changed (or would change).

        Raises:
            StoreError: A completion would exceed the API's limit of labels; nothing was changed.
        """
        condition, values = selection.where()
        changed = 0
        with self._sql(write=True) as sql:
            rows = sql.execute(f"SELECT id, key, metadata FROM completion WHERE {condition}", values).fetchall()  # noqa: S608
            for number, key, text in rows:
                before = orjson.loads(text)
                labels = {name: value for name, value in before.items() if name not in remove} | dict(add)
                if len(labels) > MOST_LABELS:
                    raise StoreError(
                        f"Completion {key.hex()[:12]} would have {len(labels)} labels; the API allows {MOST_LABELS}. "
                        "Remove some first; nothing was changed."
                    )
                if labels != before:
                    changed += 1
                    if not dry_run:
                        new = orjson.dumps(labels).decode()
                        sql.execute("UPDATE completion SET metadata = ? WHERE id = ?", (new, number))
        return changed

    def add_labels(self, keys: Sequence[str], labels: Mapping[str, str]) -> None:
        """Add labels to completions."""
        more = orjson.dumps(dict(labels)).decode()
        with self._sql(write=True) as sql:
            sql.executemany(
                """
                UPDATE completion SET metadata = json_patch(metadata, ?)
                WHERE key = ? AND json_patch(metadata, ?) <> metadata
                """,
                [(more, bytes.fromhex(key), more) for key in keys],
            )

    def rewrite(
        self,
        selection: CompletionFilter,
        change: Callable[[Texts], Texts],
        reason: Callable[[bytes], bytes],
        *,
        dry_run: bool = False,
    ) -> int:
        """Change the texts of a selection, and what runs recorded about it: reasons of grades, and examples in reports.

        Args:
            selection: The completions.
            change: Returns a completion's new texts.
            reason: Returns the new JSON value of a text that a run recorded.
            dry_run: Call ``change`` for each, but store nothing.

        Returns:
            The number of completions that changed, or would change. Their keys stay.
        """
        condition, values = selection.where()
        changed = 0
        with self._sql(write=not dry_run) as sql:
            sql.execute("PRAGMA secure_delete = ON")
            self._origins.refresh(sql)
            numbers = [row[0] for row in sql.execute(f"SELECT id FROM completion WHERE {condition}", values)]  # noqa: S608
            for number in numbers:
                query = f"SELECT {READ}, metadata, request FROM completion WHERE id = ?"  # noqa: S608
                *row, labels, request = sql.execute(query, (number,)).fetchone()
                before = Texts(labels.encode(), request, record_of(read_completion(row, self._origins)), row[-2])
                after = change(before)
                if after != before:
                    changed += 1
                    if not dry_run:
                        _rewrite(sql, number, after)
            if not dry_run:
                _rewrite_runs(sql, numbers, reason)
        return changed

    def scrub(self) -> bool:
        """Remove all traces of deleted and changed data from the files.

        Returns:
            False if another process has the store open, so that its log may still contain old texts.
        """
        with self._lock:
            try:
                self._connection.execute(f"PRAGMA busy_timeout = {SCRUB_PATIENCE:d}")
                self._connection.execute("VACUUM")
                busy = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            except sqlite3.OperationalError as error:
                if "locked" in str(error) or "busy" in str(error):
                    return False
                raise explain(self.path, error) from None
            except sqlite3.Error as error:
                raise explain(self.path, error) from None
            finally:
                self._connection.execute(f"PRAGMA busy_timeout = {PATIENCE * 1000:.0f}")
        return not busy

    @contextmanager
    def adding(self) -> Iterator[Adding]:
        """Add completions in one transaction; an exception in the block undoes all of it."""
        with self._sql(write=True) as sql:
            yield Adding(sql, self._origins)


class Adding:
    """Adds imported completions within one transaction, without changing stored ones."""

    def __init__(self, sql: sqlite3.Connection, origins: Origins) -> None:
        self._sql = sql
        self._origins = origins
        self._numbers = dict[tuple[str, str], int]()

    def add_exactly(self, row: StoredRow) -> bool:
        """Add an exported row as it is; False if its key exists."""
        return self._insert(row_of_stored(row, session=0))

    def _insert(self, row: NewRow) -> bool:
        return insert_rows(self._sql, [row], self._numbers)[0].mine

    def add(
        self, request_of: Callable[[int], Request], completion_of: Callable[[Request], Completion], response: bytes
    ) -> bool:
        """Add an answer as the next trial of its request, unless it is known.

        It is known if the server's id is stored, or if a trial of the request has the same answer and one of the two has no id.

        Args:
            request_of: Makes the request for a trial number.
            completion_of: Makes the completion for its request.
            response: The server's body.

        Returns:
            Whether it was added.
        """
        for trial in count():
            request = request_of(trial)
            known = find(self._sql, [request.key], self._origins).get(request.key)
            completion = completion_of(request)
            if trial == 0 and completion.served_id and self._knows(completion):
                return False
            if known is None:
                return self._insert(row_of(request, completion, response, session=0))
            if known.served_id and completion.served_id:
                same = known.served_id == completion.served_id
            else:
                same = _said(known) == _said(completion)
            if same:
                return False
        raise AssertionError  # count() does not end

    def _knows(self, completion: Completion) -> bool:
        query = f"SELECT {READ} FROM completion WHERE served = ?"  # noqa: S608
        self._origins.refresh(self._sql)
        there = [
            read_completion(row, self._origins)
            for row in self._sql.execute(query, (served_number(completion.served_id),))
        ]
        return any((each.served_id, each.server) == (completion.served_id, completion.server) for each in there)

    def set_state(self, key: StateKey, value: Any) -> None:
        """Set the JSON value of a key in the same transaction as the additions."""
        self._sql.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key.name, orjson.dumps(value)))


def _said(completion: Completion) -> tuple[Any, ...]:
    calls = tuple((call.name, call.arguments) for call in completion.tool_calls)
    return completion.text, completion.refusal, calls


def _rewrite(sql: sqlite3.Connection, number: int, texts: Texts) -> None:
    answer = answer_beside(said_by(read_record(texts.answer)), texts.response)
    new = (texts.metadata.decode(), texts.request, texts.response, answer, number)
    sql.execute("UPDATE completion SET (metadata, request, response, answer) = (?, ?, ?, ?) WHERE id = ?", new)


def _rewrite_runs(sql: sqlite3.Connection, numbers: list[int], reason: Callable[[bytes], bytes]) -> None:
    """Change the reasons of these completions' grades, and the report examples that show them."""
    place = "judged = ? AND case_id = ? AND role = ? AND trial = ?"
    shown: dict[tuple[str, str], set[str]] = {}
    for number in numbers:
        query = """
            SELECT run, evaluation, judged, case_id, role, trial, grades
            FROM outcome JOIN judged ON judged.id = outcome.judged WHERE completion = ?
        """
        for run, evaluation, *where, grades in sql.execute(query, (number,)).fetchall():
            shown.setdefault((run, evaluation), set()).add(where[1])
            after = orjson.dumps(
                [
                    [*grade[:3], orjson.loads(reason(orjson.dumps(grade[3]))), *grade[4:]]
                    for grade in orjson.loads(grades)
                ]
            )
            if after != bytes(grades):
                sql.execute(f"UPDATE outcome SET grades = ? WHERE {place}", (after, *where))  # noqa: S608
    for (run, evaluation), cases in shown.items():
        row = sql.execute("SELECT report FROM evaluation WHERE run = ? AND id = ?", (run, evaluation)).fetchone()
        report = orjson.loads(row[0]) if row else {}
        changes = report.get("changes")
        if not changes:
            continue
        after_changes = [
            orjson.loads(reason(orjson.dumps(change))) if change.get("case_id") in cases else change
            for change in changes
        ]
        if after_changes != changes:
            content = orjson.dumps(report | {"changes": after_changes})
            sql.execute("UPDATE evaluation SET report = ? WHERE run = ? AND id = ?", (content, run, evaluation))
