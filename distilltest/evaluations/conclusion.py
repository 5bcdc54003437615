"""Building the table that the gate decides on, and the result, from the outcomes of an evaluation."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace

from distilltest.config import Config, usd
from distilltest.evaluations.chance import are_labels, constant_answer, same_reference
from distilltest.evaluations.changes import find_changes
from distilltest.evaluations.grading import BoundBody
from distilltest.evaluations.health import Health
from distilltest.evaluations.outcomes import Answers, Outcomes, of_role
from distilltest.evaluations.placebo import cannot_fail, constant_of
from distilltest.evaluations.plan import Plan
from distilltest.evaluations.results import EvaluationResult, JudgeUse
from distilltest.gate import Verdict
from distilltest.gate.competence import MOSTLY, repeats
from distilltest.gate.table import ResultsTable
from distilltest.records import Case, Model, Outcome
from distilltest.store import Store

FEW, FEW_SHARE = 3, 0.02
"""Fewer odd answers than this, or at most this share of a role's answers, appear in the table of roles but get no note."""


def table_of(
    plan: Plan, config: Config, cases: Sequence[Case], outcomes: Sequence[Outcome], health: Health, body: BoundBody
) -> ResultsTable:
    """The outcomes of these cases, aligned by case, with the grades of placebo answers."""
    declared = plan.evaluation
    table = ResultsTable.from_outcomes(
        case_ids=[case.id for case in cases],
        roles=list(plan.models),
        outcomes=outcomes,
        metric=declared.metric,
        trials=declared.trials,
        narrowed=plan.narrowed,
        labelled=plan.labels is not None,
        clusters=[case.cluster for case in cases],
    )
    graders = health.graders()
    names = [grader.name for grader in graders]
    untold = health.fails_nothing()
    constant = constant_of(cases, body, names, declared.metric) if untold or are_labels(cases) else None
    timed = any(rule.reads_latencies for rule in plan.gate)
    answers = {role: Answers.of(outcomes, role) for role in plan.models}
    costs = {role: _cost(config, plan.models[role], of) for role, of in answers.items()}
    silent = {role: of.silent for role, of in answers.items()}
    return replace(
        table,
        tags=tuple(case.tags for case in cases),
        usd={role: None if silent[role] else costs[role] for role in plan.models},
        usd_at_least={role: cost for role, cost in costs.items() if cost is not None},
        without_usage=silent,
        vacant=plan.vacant,
        latencies={role: _latencies(cases, role, outcomes) for role in plan.models if timed},
        leaked=plan.leaked,
        graders=graders,
        answers=health.answers(),
        constant=constant or constant_answer(cases, names),
        cannot_fail=untold and cannot_fail(cases, body),
        same_reference=same_reference(cases),
    )


def result_of(
    plan: Plan,
    table: ResultsTable,
    verdict: Verdict,
    outcomes: Outcomes,
    *,
    store: Store,
    run_id: str,
    level: float,
    judges: tuple[JudgeUse, ...],
    health: Health,
    notes: tuple[str, ...],
    seconds: float,
) -> EvaluationResult:
    """The result of an evaluation, with notes for the report."""
    asked = set(table.case_ids)
    in_order = replace(plan, cases=tuple(case for case in plan.dataset.cases if case.id in asked))
    outcomes.sort()
    return EvaluationResult(
        id=plan.id,
        dataset=plan.dataset.name,
        dataset_fingerprint=plan.dataset.fingerprint,
        cases=len(plan.dataset.cases),
        evaluated=len(asked),
        prompts={role: prompt.name for role, prompt in plan.prompts.items()},
        prompt_fingerprints={role: prompt.fingerprint for role, prompt in plan.prompts.items()},
        models=plan.models,
        metric=plan.evaluation.metric,
        trials=plan.evaluation.trials,
        alpha=plan.analyses.alpha,
        level=level if plan.analyses.last else None,
        configured_alpha=plan.configured_alpha,
        forgotten_attempts=plan.forgotten_attempts,
        verdict=verdict,
        outcomes=outcomes,
        changes=find_changes(in_order, outcomes, store, run_id),
        tags={case.id: case.tags for case in in_order.cases if case.tags},
        usd=table.usd,
        usd_at_least=table.usd_at_least,
        judges=judges,
        notes=(
            *health.notes(),
            *notes,
            *_on_missing(verdict),
            *_on_copies(table),
            *_on_repeats(plan, table),
            *notes_on(plan.models, outcomes),
        ),
        graders=table.graders,
        answers=table.answers,
        seconds=seconds,
    )


def _on_missing(verdict: Verdict) -> list[str]:
    """How the numbers count answers that will never arrive."""
    if not verdict.worst_case:
        return []
    each = ", ".join(f"{role} {count}" for role, count in verdict.missing.items())
    note = (
        f"Cases that can never be answered: {each}. The numbers of the rules count them as wrong for the candidate and right for "
        "the role that it is compared with; those of a rule that blocks, the other way round."
    )
    return [note]


def _on_copies(table: ResultsTable) -> list[str]:
    """Why cases without declared clusters were clustered."""
    if table.requests is None:
        return []
    note = (
        f"The {len(table.case_ids)} cases ask only {table.requests} different things. One answer serves all cases that ask the "
        "same, so these form one cluster: copies are no further evidence. Remove them, or declare your own clusters."
    )
    return [note]


def _on_repeats(plan: Plan, table: ResultsTable) -> list[str]:
    """Roles that mostly repeat one answer, or answer nothing, although the references differ.

    Only roles of rules are noted: an untuned base often repeats itself.
    """
    found = []
    compared = {"candidate", *(measure.role for rule in plan.gate for measure in rule.measures)}
    for role in [role for role in plan.models if role in compared]:
        answers = table.answers.get(role)
        if answers is None:
            continue
        if repeats(role, table, MOSTLY):
            found.append(
                f"{role}: {answers.identical} of {answers.answers} answers are the same, {answers.commonest!r}. "
                "Read some cases: one answer to every question is rarely right."
            )
        elif _many(answers.empty, answers.answers):
            found.append(f"{role}: {answers.empty} of {answers.answers} answers are empty, and graded as they are.")
    return found


def notes_on(models: Mapping[str, Model], outcomes: Sequence[Outcome]) -> list[str]:
    """Sentences about many cut-off answers, refusals, or answers without usage."""
    found = []
    for role, model in models.items():
        answers = Answers.of(outcomes, role)
        cut_off, refused, silent, total = answers.cut_off, answers.refused, answers.silent, len(answers.latencies)
        if _many(cut_off, total):
            found.append(
                f"{role}: {cut_off} of {total} answers were cut off at the token limit, and graded as they are. "
                f"Raise max_completion_tokens of {model.model}, or check the context length of its server."
            )
        if _many(refused, total):
            found.append(
                f"{role}: {refused} of {total} answers are refusals, and graded like any answer. "
                "Read some of them: a refusal may be right, or the prompt may be the problem."
            )
        if silent:
            found.append(
                f"{role}: the server sent no usage with {silent} of {total} answers. "
                "What they cost is unknown, not 0; a budget counts an estimate."
            )
    return found


def _many(count: int, total: int) -> bool:
    return count >= FEW and count > FEW_SHARE * total


def _cost(config: Config, model: Model, answers: Answers) -> float | None:
    """The cost of a role's answers with known tokens; None without a price."""
    price = config.prices.get(model.model)
    return usd(price, answers.prompt_tokens, answers.completion_tokens, answers.cached_tokens)


def _latencies(cases: Sequence[Case], role: str, outcomes: Sequence[Outcome]) -> tuple[float | None, ...]:
    """The mean latency over the trials of each case; None if no call succeeded."""
    rows = {case.id: row for row, case in enumerate(cases)}
    sums, seen = array("d", bytes(8 * len(rows))), array("i", bytes(4 * len(rows)))
    for outcome in of_role(outcomes, role):
        if outcome.latency:
            sums[rows[outcome.case_id]] += outcome.latency
            seen[rows[outcome.case_id]] += 1
    return tuple(total / count if count else None for total, count in zip(sums, seen, strict=True))
