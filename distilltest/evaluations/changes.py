"""The cases for people to read: those where the candidate and another role differ, and those where calls failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from distilltest.evaluations.plan import Plan
from distilltest.evaluations.results import Change, ShownAnswer
from distilltest.records import Case, Completion, Outcome
from distilltest.store import Store

MOST = 50
"""Changes per kind and role whose texts go into the report. The store has all of them."""


def find_changes(plan: Plan, outcomes: Sequence[Outcome], store: Store, run_id: str) -> tuple[Change, ...]:
    """Losses first, then failed calls, then wins, each in the order of the dataset; grades before comparisons.

    A case with several trials is lost if the candidate's mean is lower.

    Args:
        plan: The evaluation.
        outcomes: In order of the cases.
        store: Holds the texts.
        run_id: The run, whose grades hold the reasons.
    """
    cases = {case.id: case for case in plan.cases}
    metric = plan.evaluation.metric
    found: dict[str, list[tuple[Case, str]]] = {
        kind: [] for kind in ("lost", "not preferred", "failed", "won", "preferred")
    }
    by_case: dict[str, dict[str, list[Outcome]]] = {}
    """Case id → role → outcomes, for the cases to show."""
    noted = Counter[tuple[str, str]]()
    others = [role for role in plan.models if role != "candidate"]

    def note(kind: str, case: Case, other: str, roles: dict[str, list[Outcome]]) -> None:
        noted[kind, other] += 1
        if noted[kind, other] <= MOST:
            found[kind].append((case, other))
            by_case[case.id] = roles

    for case_id, of_case in groupby(outcomes, key=lambda outcome: outcome.case_id):
        case = cases[case_id]
        roles: dict[str, list[Outcome]] = {}
        for outcome in of_case:
            roles.setdefault(outcome.role, []).append(outcome)
        if any(o.failure for trials in roles.values() for o in trials):
            note("failed", case, "", roles)
            continue
        candidate = _value(roles["candidate"], metric)
        for other in others:
            theirs = _value(roles[other], metric)
            if candidate is not None and theirs is not None and candidate != theirs:
                note("won" if candidate > theirs else "lost", case, other, roles)
        for other, share in _preferred(roles["candidate"]).items():
            if share != 0.5:
                note("preferred" if share > 0.5 else "not preferred", case, other, roles)
    chosen = [
        (kind, case, other)
        for kind, pairs in found.items()
        for role in dict.fromkeys(("", *others, *(other for _, other in pairs)))
        for case, other in pairs
        if other == role
    ]
    texts = store.completions_by_id(
        [o.completion_id for _, case, _ in chosen for os in by_case[case.id].values() for o in os if o.completion_id]
    )
    return tuple(
        _change(plan, kind, case, other, by_case[case.id], texts, store, run_id) for kind, case, other in chosen
    )


def _value(trials: Iterable[Outcome], metric: str) -> float | None:
    """The mean over the trials; None if any trial has no grade because it was only compared."""
    values = [o.value(metric) for o in trials]
    return None if None in values else sum(v for v in values if v is not None) / len(values)


def _preferred(trials: Sequence[Outcome]) -> dict[str, float]:
    """Other role → the share of trials in which the candidate's answer was preferred."""
    roles = dict.fromkeys(role for trial in trials for role in trial.preferences)
    return {role: sum(trial.preferences.get(role, 0.5) for trial in trials) / len(trials) for role in roles}


def _change(
    plan: Plan,
    kind: str,
    case: Case,
    other: str,
    roles: dict[str, list[Outcome]],
    texts: dict[int, Completion],
    store: Store,
    run_id: str,
) -> Change:
    samples = []
    for role in sorted(roles, key=lambda role: (role != "candidate", role != other)):
        # Of several trials, show the worst.
        outcome = min(roles[role], key=lambda o: (o.failure is None, o.score or 0.0))
        said = texts.get(outcome.completion_id)
        grades = (
            store.grades(run_id, plan.id, case.id, role, outcome.trial)
            if outcome.passed is False or outcome.preferences
            else ()
        )
        samples.append(
            ShownAnswer(
                role=role,
                text=outcome.failure or (said.refusal or said.text if said else ""),
                passed=outcome.passed,
                reason=outcome.failure_message
                or "; ".join(grade.reason for grade in grades if not grade.passed or grade.against == other),
            )
        )
    return Change(
        case_id=case.id,
        kind=kind,
        against=other,
        request=plan.request_text(case),
        reference="" if case.reference is None else str(case.reference),
        tags=case.tags,
        samples=tuple(samples),
    )
