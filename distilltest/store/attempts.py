"""Attempts: the candidates that were gated on a dataset since the last promotion. They share the level of the gate."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from distilltest.statistics import spending


@dataclass(frozen=True, slots=True)
class Attempt:
    """One candidate at the gate of one evaluation."""

    dataset: str
    """The dataset's fingerprint."""
    evaluation: str
    """The pytest node id."""
    model: str
    """Fingerprint of server address, model and parameters."""
    prompt: str
    """The prompt's fingerprint."""
    name: str
    """The model's id, for display."""


@dataclass(frozen=True, slots=True)
class AttemptShare:
    """The share of the level that an attempt may spend."""

    number: int
    """From 1; a candidate keeps its number in later evaluations."""
    share: float
    """Of alpha; 0 if earlier attempts spent all of it."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A stored attempt."""

    number: int
    """The attempt's number in the store, for ``forget``."""
    attempt: Attempt
    at: float
    """Unix time of the first verdict since the last promotion."""
    share: float | None
    """Of alpha; None for older versions, which held the k-th attempt to alpha / k."""
    forgotten: float | None = None
    """Unix time, None if the attempt counts."""
    reason: str = ""


def turn(sql: sqlite3.Connection, attempt: Attempt, since: float, declared: int | None) -> AttemptShare:
    """The number of an attempt, and what it may spend.

    Counts distinct models on the dataset in any evaluation, and distinct pairs of model and prompt in this evaluation. The larger
    number and the larger sum of spent shares apply.
    """
    counted = [row for row in listed(sql) if row.at > since and row.attempt.dataset == attempt.dataset]
    models: dict[str, float] = {}
    for row in counted:
        models[row.attempt.model] = max(models.get(row.attempt.model, 0.0), _spent(row, len(models) + 1))
    here = [row for row in counted if row.attempt.evaluation == attempt.evaluation]
    prompts: dict[tuple[str, str], float] = {}
    for row in here:
        prompts[row.attempt.model, row.attempt.prompt] = _spent(row, len(prompts) + 1)
    own = (attempt.model, attempt.prompt)
    number = max(_place(models, attempt.model), _place(prompts, own))
    if own in prompts:
        return AttemptShare(number, prompts[own])
    others = sum(spent for model, spent in models.items() if model != attempt.model)
    return AttemptShare(number, spending.granted(number, max(others, sum(prompts.values())), declared))


def record(
    sql: sqlite3.Connection, attempt: Attempt, at: float, since: float, share: float, declared: int | None
) -> bool:
    """Record that the gate decided about an attempt at a share of the level. The first time since the last promotion counts.

    Returns:
        Whether the share was still available: False if another process gated another candidate meanwhile.
    """
    granted = turn(sql, attempt, since, declared).share
    sql.execute(
        """
        INSERT INTO attempt (dataset, evaluation, model, prompt, name, at, share, number)
        VALUES (?, ?, ?, ?, ?, ?, ?, 1 + max(
            (SELECT coalesce(max(number), 0) FROM attempt), (SELECT coalesce(max(number), 0) FROM forgotten_attempt)
        ))
        ON CONFLICT DO UPDATE SET at = excluded.at, share = excluded.share WHERE at <= ?
        """,
        (attempt.dataset, attempt.evaluation, attempt.model, attempt.prompt, attempt.name, at, granted, since),
    )
    return share <= granted + spending.NOTHING


def listed(sql: sqlite3.Connection) -> list[Recorded]:
    """The attempts that count, in the order of their first verdicts."""
    return _rows(
        sql.execute(
            """
            SELECT number, dataset, evaluation, model, prompt, name, at, share, NULL, '' FROM attempt ORDER BY at, number
            """
        )
    )


def forgotten(sql: sqlite3.Connection, dataset: str = "") -> list[Recorded]:
    """The forgotten attempts of one dataset or of all, oldest first."""
    query = """
        SELECT number, dataset, evaluation, model, prompt, name, at, share, forgotten, reason FROM forgotten_attempt
        WHERE ? IN ('', dataset) ORDER BY forgotten, number
    """
    return _rows(sql.execute(query, (dataset,)))


def forget(sql: sqlite3.Connection, number: int, at: float, reason: str) -> Recorded | None:
    """Stop counting an attempt, and record why; None if the number does not exist."""
    found = next((row for row in listed(sql) if row.number == number), None)
    if found is not None:
        sql.execute(
            """
            INSERT INTO forgotten_attempt
            SELECT number, dataset, evaluation, model, prompt, name, at, share, ?, ? FROM attempt WHERE number = ?
            """,
            (at, reason, number),
        )
        sql.execute("DELETE FROM attempt WHERE number = ?", (number,))
    return found


def _rows(rows: Iterable[Any]) -> list[Recorded]:
    return [
        Recorded(number, Attempt(dataset, evaluation, model, prompt, name), at, share, when, reason)
        for number, dataset, evaluation, model, prompt, name, at, share, when, reason in rows
    ]


def _spent(row: Recorded, place: int) -> float:
    """What an attempt spent. Older versions used alpha / k, which has no finite sum, so these count as if made today."""
    return spending.share(place) if row.share is None else row.share


def _place(order: Iterable[object], own: object) -> int:
    known = list(order)
    return known.index(own) + 1 if own in known else len(known) + 1
