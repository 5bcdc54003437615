"""Unanswerable cases: the table with the worst and the best values that they could have.

A case over the context length, or one that a content filter rejects, fails again on every request. Leaving it out would let a
candidate win by not answering. So each rule is decided with the least favourable value, and is proven only if it is proven there.
This keeps the level, because values no better than the true ones are the results of a candidate that is no better. A p-value can
rise when a value improves (a t statistic, if the better value is an outlier). For such tests, more combinations than the worst
one are tried (``clusters.largest_p``), or the rule has a bound of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from distilltest.gate.table import ResultsTable

NAMED = 5
"""The most cases that a sentence names."""
LISTED = 20
"""The most cases that a verdict lists."""


def filled(table: ResultsTable, right: Mapping[str, bool]) -> ResultsTable:
    """The table with a value for every unanswerable case.

    Args:
        table: The results.
        right: Role → whether its unanswerable cases count as right or as wrong. Other roles do not change.
    """
    values = dict(table.values)
    for role, as_right in right.items():
        if table.never(role):
            column = list(values[role])
            for row, case in table.never(role).items():
                column[row] = case.high if as_right else case.low
            values[role] = tuple(column)
    left = {role: rows for role, rows in table.unanswerable.items() if role not in right}
    return replace(table, values=values, unanswerable=left)


def rows_without(table: ResultsTable, roles: Sequence[str]) -> list[int]:
    """The rows that one of the roles can never answer."""
    return sorted({row for role in roles for row in table.never(role)})


def unanswered(table: ResultsTable) -> list[str]:
    """The ids of the cases that a role can never answer, in the order of the table."""
    return [table.case_ids[row] for row in rows_without(table, list(table.unanswerable))]


def how_many(table: ResultsTable) -> str:
    """The number of unanswerable cases, by role: ``3 of 400 cases have no answer of the candidate``."""
    counts = {role: len(rows) for role, rows in table.unanswerable.items() if rows}
    count = len(unanswered(table))
    whole = f"{count} of {len(table.case_ids)} cases {'has' if count == 1 else 'have'} no answer"
    if len(counts) == 1:
        return f"{whole} of {_the(next(iter(counts)))}"
    return f"{whole} ({', '.join(f'{role} {count}' for role, count in counts.items())})"


def assumed(table: ResultsTable, *, worst: bool) -> str:
    """The assumption that the verdict makes: ``even if the candidate fails them all``."""
    roles = [role for role, rows in table.unanswerable.items() if rows]
    if len(roles) > 1:
        return f"even in the {'worst' if worst else 'best'} case for the candidate"
    fails = worst is (roles == ["candidate"])
    each = "them all" if len(table.never(roles[0])) > 1 else "it"
    return f"even if {_the(roles[0])} {'fails' if fails else 'passes'} {each}"


def advice(table: ResultsTable) -> str:
    """The unanswerable cases, the server's message, and the remedy."""
    ids = unanswered(table)
    kinds = dict.fromkeys(
        f"{role}: {case.kind}" for role, rows in table.unanswerable.items() for case in rows.values() if case.kind
    )
    said = next((case.said for rows in table.unanswerable.values() for case in rows.values() if case.said), "")
    which = f"{', '.join(ids[:NAMED])}{', …' if len(ids) > NAMED else ''}"
    return (
        which
        + (f" ({', '.join(kinds)})" if kinds else "")
        + ". The same request would fail again: shorten the prompt, take "
        + ("this case" if len(ids) == 1 else "these cases")
        + " out of the dataset, or change the model."
        + (f" The server said: {_shortened(said)}" if said else "")
    )


def _the(role: str) -> str:
    return "the candidate" if role == "candidate" else role


def _shortened(text: str, most: int = 300) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"
