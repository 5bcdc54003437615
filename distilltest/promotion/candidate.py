"""The candidate's history: which attempt on a dataset it is, and which file it was trained on."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from distilltest.data.whole_files import sha256
from distilltest.errors import SuiteError
from distilltest.evaluations.outcomes import of_role
from distilltest.evaluations.plan import Plan
from distilltest.evaluations.results import EvaluationResult
from distilltest.evaluations.same_data import SAME, resemblance, sketch
from distilltest.gate import InterimAnalyses, Status
from distilltest.records import Dataset, Outcome, fingerprint
from distilltest.store import Attempt, Recorded, Store, state_keys
from distilltest.store.state_keys import StateKey

_EARLY = "early"


def attempt_of(plan: Plan, store: Store) -> Attempt:
    """The attempt of an evaluation's candidate. Attempts are counted per data, even if the dataset's file has changed."""
    model = plan.models["candidate"]
    return Attempt(
        dataset=_first_of_its_kind(plan.dataset, store),
        evaluation=plan.id,
        model=fingerprint(model.base_url, model.model, dict(model.parameters)),
        prompt=plan.prompts["candidate"].fingerprint,
        name=model.model,
    )


def _first_of_its_kind(dataset: Dataset, store: Store) -> str:
    """The fingerprint under which attempts on a dataset are counted: that of the first dataset with the same data."""
    known = dict.fromkeys(row.attempt.dataset for row in (*store.attempts(), *store.forgotten_attempts()))
    if dataset.fingerprint in known or not known:
        return dataset.fingerprint
    own = sketch(dataset)
    alike = {name: resemblance(own, store.get_state(state_keys.TEXTS.of(name)) or ()) for name in known}
    closest = max(alike, key=lambda name: alike[name])
    return closest if alike[closest] >= SAME else dataset.fingerprint


def with_attempt(plan: Plan, store: Store, since: float, declared: int | None = None) -> Plan:
    """Share the level of the gate among the candidates that were evaluated on the dataset since a time (Unix).

    Trying ten candidates and keeping the best must not promote one by luck, so all of them together spend at most alpha
    (``spending``).

    Raises:
        SuiteError: Earlier attempts have spent the whole level.
    """
    attempt = attempt_of(plan, store)
    turn, alpha = store.turn(attempt, since, declared), plan.analyses.alpha
    if not turn.share:
        raise SuiteError(_exhausted(plan, turn.number, declared))
    level = alpha * turn.share
    note = (
        f"Attempt {turn.number} on this dataset since the last promotion: "
        f"each rule is held to a level of {level:.2g}, so that all attempts together keep to {alpha:.4g}."
    )
    if attempt.dataset != plan.dataset.fingerprint:
        note += f" {plan.dataset.name} has changed since the first of them, and half of it or more is the same."
    forgotten = _forgotten(store, attempt)
    held = _held_to(plan, replace(plan.analyses, alpha=level), note, *forgotten)
    return replace(held, share=turn.share, forgotten_attempts=forgotten)


def _forgotten(store: Store, attempt: Attempt) -> tuple[str, ...]:
    """Sentences about attempts on the dataset that no longer count."""
    rows = store.forgotten_attempts(attempt.dataset)
    return tuple(
        f"An earlier attempt with {row.attempt.name} does not count: {row.reason} "
        f"(forgotten on {datetime.fromtimestamp(row.forgotten or 0.0, UTC):%Y-%m-%d})."
        for row in rows
    )


def _exhausted(plan: Plan, number: int, declared: int | None) -> str:
    why = f"distilltest.yaml declares `gate: {{attempts: {declared}}}`" if declared else "none of the level is left"
    return (
        f"{plan.id}: this would be attempt {number} on the dataset since the last promotion, and {why}: one more candidate on "
        "the same cases could be promoted by luck. Evaluate on new cases; or, where an earlier run was broken (its suite, "
        "prompt or tools), see `distilltest attempts list` and `distilltest attempts forget N --reason …`."
    )


def with_first_looks(plan: Plan, store: Store) -> Plan:
    """Hold a candidate to the interim analyses planned for its first evaluation; a new plan would be another analysis.

    If it was evaluated with ``--stop-early`` first, the level at the end stays the same. If it was evaluated on all cases
    first, it is decided at the end again.
    """
    first, early = store.get_state(looks_of(attempt_of(plan, store))), plan.analyses.last > 0
    if first is None or plan.narrowed is not None or (first == _EARLY) == early:
        return plan
    alpha = plan.analyses.alpha
    if early:
        looks = InterimAnalyses.plan(len(plan.cases), alpha, early=False)
        note = "This candidate was judged on all cases before: it is judged at the end again, without --stop-early."
    else:
        planned = InterimAnalyses.plan(len(plan.cases), alpha, early=True)
        level = planned.level(planned.last)
        looks = replace(plan.analyses, alpha=level)
        note = f"This candidate was judged with --stop-early first: the level at the end stays {level:.4f}."
    return _held_to(plan, looks, note)


def _held_to(plan: Plan, looks: InterimAnalyses, *notes: str) -> Plan:
    """The plan with other interim analyses than the configured ones, and notes on why."""
    configured = plan.configured_alpha or plan.analyses.alpha
    return replace(plan, analyses=looks, configured_alpha=configured, notes=(*plan.notes, *notes))


def counted(
    plan: Plan, result: EvaluationResult, store: Store, since: float, declared: int | None = None
) -> EvaluationResult:
    """Record the attempt and its interim analyses in the store, and return the result.

    Two candidates that are evaluated at the same time would both be the first attempt. The one that ends later can promote
    only when it is decided again, at its own share of the level.
    """
    attempt, verdict = attempt_of(plan, store), result.verdict
    if attempt.dataset == plan.dataset.fingerprint and store.get_state(state_keys.TEXTS.of(attempt.dataset)) is None:
        store.set_state(state_keys.TEXTS.of(attempt.dataset), sketch(plan.dataset))
    its_own = store.record_attempt(attempt, at=time.time(), since=since, share=plan.share, declared=declared)
    if store.get_state(looks_of(attempt)) is None:
        store.set_state(looks_of(attempt), _EARLY if plan.analyses.last else "at the end")
    if its_own or verdict.status is not Status.PROMOTE:
        return result
    why = "incomplete: another candidate was judged on this dataset meanwhile. Run again: the answers are stored"
    return replace(result, verdict=replace(verdict, status=Status.INCOMPLETE, sentence=why))


def forget(store: Store, number: int, reason: str) -> Recorded | None:
    """Stop counting an attempt, and forget its interim analyses; None if there is no attempt with this number."""
    found = store.forget_attempt(number, at=time.time(), reason=reason)
    if found is not None:
        store.set_state(looks_of(found.attempt), None)
    return found


def looks_of(attempt: Attempt) -> StateKey:
    """The state key of the interim analyses of a candidate's first evaluation."""
    return state_keys.LOOKS.of(fingerprint(attempt.dataset, attempt.evaluation, attempt.model, attempt.prompt)[:32])


def counts_as_attempt(plan: Plan, outcomes: Iterable[Outcome]) -> bool:
    """Whether a verdict reveals enough about the candidate to count as an attempt.

    A complete run does, even if it stopped early; so does a narrowed one with answers to at least half of the dataset.
    Trying the suite on a few cases does not, nor does a run whose server was down.
    """
    asked, answered = set[str](), set[str]()
    for outcome in of_role(outcomes, "candidate"):
        asked.add(outcome.case_id)
        if outcome.failure is None:
            answered.add(outcome.case_id)
    enough = len(asked if plan.narrowed is None else plan.dataset.cases) / 2
    return bool(answered) and len(answered) >= enough


@dataclass(frozen=True, slots=True)
class TrainingHistory:
    """The training file of a candidate, as far as this store knows."""

    path: Path
    sha256: str


def training_of(model: str, store: Store) -> TrainingHistory | None:
    """The training file of a tuned model; None if it was tuned elsewhere."""
    known = store.tuned(model)
    if not known.get("training_file"):
        return None
    return TrainingHistory(Path(known["training_file"]), known["sha256"])


def with_leaks(plan: Plan, store: Store, leave_out: bool) -> Plan:
    """Look for the evaluation's cases in the candidate's training file.

    Args:
        plan: The evaluation.
        store: Has the training file's path, and caches the result.
        leave_out: Evaluate without the leaked cases; otherwise they make the evaluation incomplete.

    Raises:
        TrainingFileError: The training file cannot be read.
        SuiteError: No case is left.
    """
    training = training_of(plan.models["candidate"].model, store)
    if training is None:
        return plan
    shown = training.path.name
    if not training.path.is_file() or sha256(training.path) != training.sha256:
        note = f"The candidate's training file {shown} is gone or has changed: whether cases were trained on cannot be said."
        return replace(plan, notes=(*plan.notes, note))

    found = _overlap(plan, training, store)
    leaked, asked = tuple(found["leaked"]), {case.id for case in plan.cases}
    inside = [case for case in leaked if case in asked]
    near = f", {found['near']} are nearly among them" if found["near"] else ""
    note = (
        f"{len(leaked)} of {len(plan.dataset.cases)} cases are among the {found['examples']} examples of {shown}{near}."
    )
    if not leave_out or not inside:
        return replace(plan, leaked=leaked, notes=(*plan.notes, note))
    cases = tuple(case for case in plan.cases if case.id not in set(leaked))
    if not cases:
        raise SuiteError(f"{plan.id}: --without-leaked leaves no case: the candidate was trained on all of them.")
    note += f" {len(inside)} cases were left out, because the candidate was trained on them."
    return replace(plan, cases=cases, analyses=plan.analyses.over(len(cases)), notes=(*plan.notes, note))


def _overlap(plan: Plan, training: TrainingHistory, store: Store) -> dict[str, Any]:
    """The overlap of the training file and the dataset; computed once, then cached in the store."""
    from distilltest.training_files.overlap import METHOD, find_overlap

    prompt = plan.prompts["candidate"]
    both = fingerprint(METHOD, training.sha256, plan.dataset.fingerprint, prompt.fingerprint)
    key = state_keys.OVERLAP.of(both[:32])
    known: dict[str, Any] | None = store.get_state(key)
    if known is None:
        overlap = find_overlap(training.path, [(case.id, plan.request_text(case)) for case in plan.dataset.cases])
        known = {"leaked": list(overlap.leaked), "near": len(overlap.near), "examples": overlap.examples}
        store.set_state(key, known)
    return known
