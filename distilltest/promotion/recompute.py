"""Recompute a verdict from the outcomes in the store, or else from a report's own numbers, as far as possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from distilltest.gate import RuleVerdict, Status, Verdict, combine, decide
from distilltest.gate.rule import weigh
from distilltest.gate.table import ResultsTable
from distilltest.promotion.suite import Declared
from distilltest.records import Outcome
from distilltest.reporting.report import EvaluationReport
from distilltest.statistics.difference_tests import TESTS

SAME = 1e-4
"""The largest difference allowed for a recomputed number: entries have six digits."""


def from_outcomes(report: EvaluationReport, now: Declared, outcomes: Sequence[Outcome]) -> Verdict | None:
    """The gate's verdict on stored outcomes; None if the suite has changed since the report."""
    gate = now.load_gate()
    same = now.dataset_fingerprint == report.dataset_fingerprint and now.rules == tuple(
        rule.rule for rule in report.verdict.rules
    )
    if gate is None or not same or now.clusters is None or now.tags is None:
        return None
    if any(rule.labelled is not None or rule.test == TESTS["labels"].name for rule in report.verdict.rules):
        return None  # people's labels are not in the store
    if other_clusters(report):
        return None
    asked = {outcome.case_id for outcome in outcomes}
    cases = [case for case in now.clusters if case in asked]  # all cases, unless the run stopped early or left some out
    roles = [line.role for line in report.roles]
    if not len(cases) == len(asked) == report.evaluated or {outcome.role for outcome in outcomes} != set(roles):
        return None
    clusters = [now.clusters[case] for case in cases]
    table = ResultsTable.from_outcomes(cases, roles, outcomes, report.metric, report.trials, clusters=clusters)
    if table.requests is not None and not any(rule.clusters for rule in report.verdict.rules):
        table = replace(table, clusters=(), requests=None)  # decided by a version that counted copies
    if not report.verdict.missing:  # decided by a version without a worst case
        table = replace(table, unanswerable={})
    latencies: dict[str, dict[str, list[float]]] = {role: {} for role in roles}
    for outcome in outcomes:
        if outcome.latency:
            latencies[outcome.role].setdefault(outcome.case_id, []).append(outcome.latency)
    found = {role: [_mean(latencies[role].get(case, [])) for case in cases] for role in roles}
    vacant = any(rule.status is Status.NOT_APPLICABLE for rule in report.verdict.rules)
    table = replace(
        table,
        tags=tuple(now.tags[case] for case in cases),
        usd={line.role: line.usd for line in report.roles},
        latencies=found,
        without_usage={line.role: line.without_usage for line in report.roles},
        vacant=tuple({role for rule in gate for role in rule.needs} - set(roles)) if vacant else (),
    )
    return _as_competent(decide(gate, table, alpha=report.level or report.alpha), report.verdict)


def _as_competent(found: Verdict, said: Verdict) -> Verdict:
    """The verdict, with rules as incomplete if they hold but were reported incomplete because a role showed no competence.

    Competence depends on the answers and on the test function, which the stored outcomes do not contain. Turning *promote*
    into *incomplete* cannot be fraud.
    """
    lacking = [
        rule.status is Status.PROMOTE and then.status is Status.INCOMPLETE
        for rule, then in zip(found.rules, said.rules, strict=True)
    ]
    rules = tuple(
        replace(rule, status=Status.INCOMPLETE, sentence=then.sentence) if lacks else rule
        for rule, then, lacks in zip(found.rules, said.rules, lacking, strict=True)
    )
    if not any(lacking) or found.status is not Status.PROMOTE:
        return replace(found, rules=rules)
    return replace(found, rules=rules, status=Status.INCOMPLETE, sentence=said.sentence)


def other_clusters(report: EvaluationReport) -> bool:
    """Whether an older version with another test for clusters decided it; it did not record their number."""
    return any(rule.test == TESTS["clusters"].name and not rule.clusters for rule in report.verdict.rules)


def from_numbers(report: EvaluationReport) -> tuple[list[str], int]:
    """Describe contradictions in a report's numbers, and count the rules that could be recomputed from them."""
    rules, level = report.verdict.rules, report.level or report.alpha
    applicable = [rule for rule in rules if rule.status is not Status.NOT_APPLICABLE]
    problems, recomputed = [], 0
    for rule in applicable:
        if rule.estimate is not None and rule.role and rule.test in (TESTS["exact"].name, TESTS["tango"].name):
            wrong = abs(rule.estimate - (rule.wins - rule.losses) / max(1, rule.n)) > SAME
            problems += [f"{rule.rule}: {rule.wins} won and {rule.losses} lost are not its difference"] if wrong else []
        if rule.status is Status.INCOMPLETE:
            continue  # its numbers are for the worst case, and do not decide
        found = _weigh_again(rule, level, level / len(applicable))
        if found is None:
            if rule.p is not None and rule.status is Status.PROMOTE and rule.limit is not None and rule.p > level:
                problems.append(f"{rule.rule}: says promote with p = {rule.p:.4f}, above {level:g}")
            continue
        recomputed += 1
        status, p = found
        if status is not rule.status:
            problems.append(f"{rule.rule}: its numbers say {status}, it says {rule.status}")
        if p is not None and abs(p - (rule.p or 0.0)) > SAME:
            problems.append(f"{rule.rule}: its numbers make p = {p:.4f}, it says {rule.p}")
    said, status = report.verdict.status, combine([rule.status for rule in rules])
    if said is not status and not (said is Status.INCOMPLETE or status is Status.INCOMPLETE):
        problems.append(f"its rules make {status}, it says {said}")
    if said is Status.PROMOTE and status is not Status.PROMOTE:
        problems.append(f"it says promote, and not all of its rules do ({status})")
    return list(dict.fromkeys(problems)), recomputed


def _weigh_again(rule: RuleVerdict, alpha: float, block_alpha: float) -> tuple[Status, float | None] | None:
    """The status and p-value from a rule's counts; None if the decision needs more than the counts."""
    from distilltest.statistics import binomial, exact_unconditional, tango

    if rule.estimate is None:
        return None
    if rule.test in (TESTS["exact"].name, TESTS["tango"].name) and rule.limit is not None:
        ours, theirs = (rule.wins, rule.losses, rule.n, -rule.limit), (rule.losses, rule.wins, rule.n, rule.limit)
        if rule.test == TESTS["tango"].name:
            p, against = tango.p_value(*ours), tango.p_value(*theirs)
        else:
            gamma, block_gamma = (min(exact_unconditional.GAMMA, level / 100) for level in (alpha, block_alpha))
            p, against = exact_unconditional.p_value(*ours, gamma), exact_unconditional.p_value(*theirs, block_gamma)
        return weigh(p, against, alpha, block_alpha), p
    if rule.test == "exact binomial test" and rule.limit is not None:
        passed = round(rule.estimate * rule.n)
        p = binomial.at_least(passed, rule.n, rule.limit)
        return weigh(p, binomial.at_most(passed, rule.n, rule.limit), alpha, block_alpha), p
    if rule.test == "none may fail":
        return Status.PROMOTE if rule.estimate == 1 else Status.BLOCK, None
    return None


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
