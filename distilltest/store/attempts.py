"""Which candidates have been gated on a dataset since the last promotion: the gate shares its level among them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attempt:
    """One candidate before the gate of one evaluation."""

    dataset: str
    """The dataset's fingerprint."""
    evaluation: str
    """The pytest node id."""
    model: str
    """Fingerprint of server address, model and parameters."""
    prompt: str
    """The prompt's fingerprint."""
    name: str
    """The model's id, for people."""


def number(sql: sqlite3.Connection, attempt: Attempt, since: float) -> int:
    """Which attempt this is, from 1: a candidate keeps its number however often it is evaluated again.

    Counted are distinct models on the dataset, whichever evaluation asked, and distinct pairs of model and prompt in this
    evaluation; the larger number holds.
    """
    models = """
        SELECT model = ?, min(at) AS first FROM attempt WHERE dataset = ? AND at > ? GROUP BY model ORDER BY first, model
    """
    prompts = """
        SELECT (model, prompt) = (?, ?), at FROM attempt
        WHERE dataset = ? AND evaluation = ? AND at > ? ORDER BY at, model, prompt
    """
    by_model = sql.execute(models, (attempt.model, attempt.dataset, since)).fetchall()
    by_prompt = sql.execute(
        prompts, (attempt.model, attempt.prompt, attempt.dataset, attempt.evaluation, since)
    ).fetchall()
    return max(_place([bool(own) for own, _ in rows]) for rows in (by_model, by_prompt))


def record(sql: sqlite3.Connection, attempt: Attempt, at: float, since: float) -> None:
    """Remember that the gate has judged it; the first time since the last promotion counts."""
    sql.execute(
        """
        INSERT INTO attempt VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET at = excluded.at WHERE at <= ?
        """,
        (attempt.dataset, attempt.evaluation, attempt.model, attempt.prompt, attempt.name, at, since),
    )


def _place(own: list[bool]) -> int:
    return own.index(True) + 1 if True in own else len(own) + 1
