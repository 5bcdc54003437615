"""A sheet of answers for people to label: random cases with the answers of every role, which the sheet does not name."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from distilltest.store import GradedCompletion

Row = dict[str, Any]


def sheet(graded: Iterable[GradedCompletion], roles: Sequence[str], cases: int, seed: int) -> list[Row]:
    """Rows to fill in: ``id``, ``case``, ``request``, ``answer`` and an empty ``passed``.

    The cases are a random sample of those that all roles answered, as deciding by labels requires. The rows are shuffled. Equal
    answers to a case share a row.

    Args:
        graded: The graded completions of an evaluation; trials after the first are ignored.
        roles: The candidate and the roles that it is compared with.
        cases: The most cases to choose.
        seed: The same seed chooses the same cases.
    """
    answers: dict[str, dict[str, GradedCompletion]] = {}
    for one in graded:
        if one.role in roles and one.trial == 0 and one.passed is not None:
            answers.setdefault(one.case_id, {})[one.role] = one
    whole = sorted(case for case, by_role in answers.items() if len(by_role) == len(roles))
    chance = random.Random(seed)  # noqa: S311  # not a secret
    chosen = chance.sample(whole, min(cases, len(whole)))
    rows: dict[tuple[str, str], Row] = {}
    for case in chosen:
        for one in answers[case].values():
            text = one.stored.completion.text
            rows.setdefault((case, text), {"case": case, "request": _request(one), "answer": text, "passed": None})
    shuffled = list(rows.values())
    chance.shuffle(shuffled)
    return [{"id": f"label-{number:04}", **row} for number, row in enumerate(shuffled, start=1)]


def _request(one: GradedCompletion) -> str:
    messages: list[Mapping[str, Any]] = one.stored.request["messages"]
    return next((str(m.get("content")) for m in reversed(messages) if m["role"] == "user"), "")
