"""Changing what is stored: labels, texts, and completions that shall go."""

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
"""What the API allows for the labels of a completion."""
SCRUB_PATIENCE = 5_000
"""Milliseconds to wait for other processes to let go of old texts."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Everything of a completion that somebody may have said, as the JSON that is stored."""

    metadata: bytes
    request: bytes
    answer: bytes
    response: bytes


class Changes(Completions):
    """The part of the store that changes and deletes completions."""

    def delete_completions(self, selection: CompletionFilter, *, expected: int | None = None) -> int:
        """Delete a selection; what runs recorded of it stays.

        Args:
            selection: Which.
            expected: How many somebody agreed to; where there are others meanwhile, nothing is deleted.

        Returns:
            How many there were.

        Raises:
            StoreError: There are more or fewer than expected.
        """
        condition, values = selection.where()
        with self._sql(write=True) as sql:
            sql.execute("PRAGMA secure_delete = ON")
            deleted = sql.execute(f"DELETE FROM completion WHERE {condition}", values).rowcount  # noqa: S608
            if expected is not None and deleted != expected:
                raise StoreError(
                    f"The store {self.path} changed meanwhile: {deleted} completions are selected now, {expected} were. "
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
        """Give labels to a selection, and take labels away.

        Returns:
            How many completions have other labels now (or would have).

        Raises:
            StoreError: A completion would have more labels than the API allows; nothing was changed.
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
        """Give completions these labels beside those that they have."""
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
        """Change the texts of a selection, and what runs say of it: reasons of grades, and examples in reports.

        Args:
            selection: Which.
            change: What becomes of a completion's texts.
            reason: What becomes of a JSON value with texts that a run recorded.
            dry_run: Call ``change`` for each, and change nothing.

        Returns:
            How many completions are other ones now, or would be. Keys stay: they are found as before.
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
        """Make nothing of what was deleted or changed remain in the files.

        Returns:
            False where another process has the store open, so that its log may still hold old texts.
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
        """One transaction in which completions are added; an exception in its body takes everything back."""
        with self._sql(write=True) as sql:
            yield Adding(sql, self._origins)


class Adding:
    """Completions that come from elsewhere, within one transaction. What the store has stays as it is."""

    def __init__(self, sql: sqlite3.Connection, origins: Origins) -> None:
        self._sql = sql
        self._origins = origins
        self._numbers = dict[tuple[str, str], int]()

    def add_exactly(self, row: StoredRow) -> bool:
        """Keep a row of ``completion`` as it was exported; False where its key is known."""
        return self._insert(row_of_stored(row, session=0))

    def _insert(self, row: NewRow) -> bool:
        return insert_rows(self._sql, [row], self._numbers)[0].mine

    def add(
        self, request_of: Callable[[int], Request], completion_of: Callable[[Request], Completion], response: bytes
    ) -> bool:
        """Keep an answer as the next trial of its request, unless it is known.

        It is known where the server's id is, or where a trial of the request has the same answer and one of the two has no id.

        Args:
            request_of: The request, for a number of a trial.
            completion_of: The completion, for its request.
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
    """Change the reasons of grades of these completions, and the cases of reports that show them."""
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
