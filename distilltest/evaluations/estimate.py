"""Estimating the cost and the statistical power of an evaluation before anything is sent (``--plan``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from distilltest.config import Config, usd
from distilltest.evaluations.plan import Plan, PlannedRequest
from distilltest.gate import Rule, points
from distilltest.gate.advice import rounded
from distilltest.gate.competence import never_promotes
from distilltest.gate.table import ResultsTable
from distilltest.records import CHARACTERS, mean
from distilltest.statistics.difference_tests import TESTS, mean_test
from distilltest.statistics.observed import ObservedValues
from distilltest.statistics.planning import MOST, needed, smallest_effect
from distilltest.store import CompletionFilter, Store

SAMPLE = 200
"""Stored answers, or rendered prompts, used to estimate tokens."""
DIFFERING = 0.20
"""The assumed share of cases in which two roles differ, without an earlier run."""
SPREAD = 0.25
"""The assumed difference of scores, without an earlier run."""


@dataclass(frozen=True, slots=True)
class RoleEstimate:
    """The estimated cost of one role."""

    role: str
    model: str
    calls: int
    to_send: int
    """Calls without a stored answer."""
    prompt_tokens: float
    """Per call."""
    completion_tokens: float | None
    """Per call; None without stored answers or references to estimate from."""
    usd: float | None
    """Of the calls to send; None if the price or the tokens are unknown."""
    seconds: float | None
    """The time of the calls at the server's limits; None without a known latency or limit."""
    basis: str
    """The source of the token counts."""


@dataclass(frozen=True, slots=True)
class RuleEstimate:
    """What a rule can show with the planned cases."""

    rule: str
    shows: str
    hopeless: str = ""
    """Why the rule is unlikely to be proven, and what helps; empty otherwise."""


@dataclass(frozen=True, slots=True)
class SliceEstimate:
    """What the cases with one tag can show."""

    tag: str
    cases: int
    effect: float
    """The smallest difference that can be shown, as a share."""


@dataclass(frozen=True, slots=True)
class PlanEstimate:
    """The estimate for one evaluation."""

    id: str
    dataset: str
    cases: int
    trials: int
    roles: tuple[RoleEstimate, ...]
    judge_calls: int
    rules: tuple[RuleEstimate, ...]
    slices: tuple[SliceEstimate, ...]
    notes: tuple[str, ...] = ()


def estimate(plan: Plan, config: Config, store: Store, *, fresh: bool, judged: int = 0) -> PlanEstimate:
    """Estimate an evaluation.

    Args:
        plan: The evaluation.
        config: Prices and limits.
        store: Stored answers, and the outcomes of earlier runs.
        fresh: Ignore stored answers.
        judged: Questions to judges per answer.
    """
    slots = [slot for chunk in plan.chunks() for slot in plan.slots(chunk)]
    keys = store.known_keys([slot.request.key for slot in slots])
    alpha = plan.analyses.level(plan.analyses.last)
    before = _before(plan, store)
    counts = Counter(tag for case in plan.cases for tag in case.tags)
    closest = ObservedValues.assumed(_closest(plan, before), 1.0, 0.0, "tango")
    slices = [
        SliceEstimate(tag, count, min(1.0, smallest_effect(closest, count, alpha)))
        for tag, count in sorted(counts.items(), key=lambda pair: (pair[1], pair[0]))
    ]
    return PlanEstimate(
        id=plan.id,
        dataset=plan.dataset.name,
        cases=len(plan.cases),
        trials=plan.evaluation.trials,
        roles=tuple(
            _role(role, [slot for slot in slots if slot.role == role], keys, plan, config, store, fresh)
            for role in plan.models
        ),
        judge_calls=judged * len(slots),
        rules=tuple(_rule(rule, plan, before, alpha) for rule in plan.gate),
        slices=tuple(slices),
        notes=(*plan.notes, *filter(None, [never_promotes(plan.gate)])),
    )


def _before(plan: Plan, store: Store) -> ResultsTable | None:
    """The last results of this candidate, else of the last candidate; None without an earlier run."""
    earlier = store.earlier_evaluations(plan.id)
    known = [(run, {line["role"]: line["model"] for line in report["roles"]}) for run, report in earlier]
    model = plan.models["candidate"].model
    same = next((run for run, models in known if models.get("candidate") == model), None)
    run = same or next((run for run, models in known if "candidate" in models), None)
    if run is None:
        return None
    asked = {case.id: case for case in plan.cases}
    found = [
        outcome for outcome in store.outcomes(run, plan.id) if outcome.case_id in asked and outcome.role in plan.models
    ]
    ids = list(dict.fromkeys(outcome.case_id for outcome in found))
    cases = [asked[name] for name in ids]
    metric, trials = plan.evaluation.metric, plan.evaluation.trials
    try:
        table = ResultsTable.from_outcomes(
            ids, list(plan.models), found, metric, trials, clusters=[case.cluster for case in cases]
        )
    except ValueError:  # the earlier run had another number of trials
        return None
    return replace(table, tags=tuple(case.tags for case in cases))


def _closest(plan: Plan, before: ResultsTable | None) -> float:
    """The smallest share of cases in which the candidate differs from a role that a rule compares it with."""
    shares = [DIFFERING]
    for role in {rule.needs[-1] for rule in plan.gate if rule.margin is not None}:
        pairs = before.compare(role) if before is not None and role in before.values else None
        if pairs is not None and pairs.n:
            shares.append((pairs.wins + pairs.losses) / pairs.n)
    return min(shares[1:] or shares)


def _role(
    role: str, slots: Sequence[PlannedRequest], keys: set[str], plan: Plan, config: Config, store: Store, fresh: bool
) -> RoleEstimate:
    model = plan.models[role]
    known = [slot.request.key for slot in slots if slot.request.key in keys]
    answers = list(store.completions(known[:SAMPLE]).values())
    basis = "its stored answers"
    if not answers:
        answers = [
            item.completion for item in store.find_completions(CompletionFilter(model=model.model), limit=SAMPLE)
        ]
        basis = "its answers to other requests"
    written = mean([_characters(slot) for slot in slots[:SAMPLE]]) / CHARACTERS
    to_send = len(slots) if fresh else len(slots) - len(known)
    prompt_tokens, completion_tokens, latency = written, None, None
    billed = [answer for answer in answers if answer.usage.known and answer.usage.prompt_tokens]
    if answers:
        latency = mean([answer.latency for answer in answers])
    if billed:
        completion_tokens = mean([answer.usage.completion_tokens for answer in billed])
        if basis == "its stored answers":
            prompt_tokens = mean([answer.usage.prompt_tokens for answer in billed])
        else:
            basis += ", the prompts' length"
    else:
        completion_tokens = _reference_tokens(slots)
        basis = "the prompts' and references' length" if completion_tokens else "the prompts' length"
    server = config.servers[model.server]
    at_limit = [] if latency is None else [to_send * latency / server.max_concurrency]
    at_limit += [to_send / server.requests_per_minute * 60] if server.requests_per_minute else []
    return RoleEstimate(
        role=role,
        model=model.model,
        calls=len(slots),
        to_send=to_send,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        usd=None
        if completion_tokens is None
        else usd(config.prices.get(model.model), to_send * prompt_tokens, to_send * completion_tokens),
        seconds=max(at_limit) if at_limit else None,
        basis=basis,
    )


def _characters(slot: PlannedRequest) -> float:
    return float(sum(len(str(message.get("content") or "")) for message in slot.request.messages))


def _reference_tokens(slots: Sequence[PlannedRequest]) -> float | None:
    references = [slot.case.reference for slot in slots[:SAMPLE] if isinstance(slot.case.reference, str)]
    return mean([len(text) / CHARACTERS for text in references]) if references else None


def _rule(rule: Rule, plan: Plan, before: ResultsTable | None, alpha: float) -> RuleEstimate:
    """What a rule can show with the planned cases, computed like the advice in a verdict."""
    name, n, limit = rule.describe(), len(plan.cases), rule.margin
    known = None
    if before is not None and all(role in before.values and before.present(role) for role in rule.needs):
        known = rule.seen(before)
    seen = known or _assumed(rule, plan)
    if seen is None:
        return RuleEstimate(name, "no estimate yet" if rule.proves else "a guard; it needs no estimate")
    basis = _basis(seen, plan, known=known is not None)
    as_seen = needed(seen, seen.mean, alpha) if known else None
    again = f"; {_named(as_seen)} if it stays as last time" if known and seen.mean > seen.limit else ""
    if known and seen.mean <= seen.limit:
        again = "; if it stays as last time, more cases would rather block"
    if limit is None:
        return RuleEstimate(name, f"there are {n:,} cases{again} ({basis})")
    if limit >= 0:
        effect = smallest_effect(seen, n, alpha)
        far = f"{n} cases are too few to show any difference; add cases" if limit + effect >= 1 else ""
        return RuleEstimate(name, f"a true difference of {points(limit + effect)} points or more{again} ({basis})", far)
    equal = needed(seen, 0.0, alpha)
    text = f"needs {_named(equal)} if they are equal, there are {n:,}{again} ({basis})"
    if equal is not None and equal <= n:
        return RuleEstimate(name, text)
    more = f"add about {rounded(equal - n):,}" if equal is not None else "add cases"
    margin = smallest_effect(replace(seen, limit=0.0), n, alpha)
    hint = f"unlikely to be proven with {n:,} cases; {more}, or accept a margin of about {points(margin)} points"
    return RuleEstimate(name, text, hint)


def _named(cases: int | None) -> str:
    return f"about {rounded(cases):,} cases" if cases else f"more than {MOST:,} cases"


def _assumed(rule: Rule, plan: Plan) -> ObservedValues | None:
    """Assumed values for a rule about a difference; None for other rules."""
    if rule.margin is None:
        return None
    binary = plan.evaluation.metric == "pass" and plan.evaluation.trials == 1
    clusters = [case.cluster or case.id for case in plan.cases] if any(case.cluster for case in plan.cases) else []
    test = "exact" if binary and not clusters else mean_test(clusters)
    return ObservedValues.assumed(*((DIFFERING, 1.0) if binary else (1.0, SPREAD)), rule.margin, test, clusters)


def _basis(seen: ObservedValues, plan: Plan, *, known: bool) -> str:
    """What the estimate is based on, in words."""
    if not known and seen.test == "anchored":
        return f"scores are assumed to differ by {points(SPREAD)} points; {TESTS[seen.test].name}"
    differing = sum(value != 0.0 for value in seen.values) / len(seen.values)
    test = TESTS[seen.test].name if seen.test in TESTS else f"exact {seen.test} test"
    if seen.equal is None:
        return f"{len(seen.values):,} cases last time; {test}"
    return f"{points(differing)} % of cases {'differed last time' if known else 'are assumed to differ'}; {test}"
