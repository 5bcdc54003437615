"""What an evaluation will cost and what it can show, before anything is sent (``--plan``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isfinite

from distilltest.config import Config, usd
from distilltest.evaluations.plan import Plan, Slot
from distilltest.gate import Rule, points
from distilltest.records import CHARACTERS, mean
from distilltest.reporting.plan import PlanEstimate, RoleEstimate, RuleEstimate, SliceEstimate
from distilltest.statistics.planning import required_cases, smallest_effect
from distilltest.store import Selection, Store

SAMPLE = 200
"""Stored answers, or rendered prompts, from which tokens are estimated."""
DIFFERING = 0.20
"""The share of cases in which two roles differ, where no earlier run says it."""


def estimate(plan: Plan, config: Config, store: Store, *, fresh: bool, judged: int = 0) -> PlanEstimate:
    """Estimate an evaluation.

    Args:
        plan: The evaluation.
        config: Prices and limits.
        store: What was answered before, and how earlier runs ended.
        fresh: Stored answers will not be used.
        judged: Judges' questions for each answer.
    """
    slots = [slot for chunk in plan.chunks() for slot in plan.slots(chunk)]
    keys = store.known_keys([slot.request.key for slot in slots])
    seen = _differing(plan, store)
    closest = min(
        (seen.get(rule.needs[-1], DIFFERING) for rule in plan.gate if rule.margin is not None), default=DIFFERING
    )
    alpha = plan.looks.alpha
    counts = Counter(tag for case in plan.cases for tag in case.tags)
    slices = [
        SliceEstimate(tag, count, min(1.0, smallest_effect(round(closest * count), count, alpha)))
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
        rules=tuple(_rule(rule, seen, len(plan.cases), alpha) for rule in plan.gate),
        slices=tuple(slices),
        notes=plan.notes,
    )


def _differing(plan: Plan, store: Store) -> dict[str, float]:
    """Other role → the share of cases in which the candidate and it differed last time."""
    before = store.latest_evaluation(plan.id)
    if before is None:
        return {}
    played = {line["role"]: line["model"] for line in before["roles"]}
    return {
        rule["role"]: (rule["wins"] + rule["losses"]) / rule["n"]
        for rule in before["verdict"]["rules"]
        if rule["role"] and rule["n"] and played.get(rule["role"]) != played["candidate"]  # which never differ
    }


def _role(
    role: str, slots: Sequence[Slot], keys: set[str], plan: Plan, config: Config, store: Store, fresh: bool
) -> RoleEstimate:
    model = plan.models[role]
    known = [slot.request.key for slot in slots if slot.request.key in keys]
    answers = list(store.completions(known[:SAMPLE]).values())
    basis = "its stored answers"
    if not answers:
        answers = [item.completion for item in store.find_completions(Selection(model=model.model), limit=SAMPLE)]
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


def _characters(slot: Slot) -> float:
    return float(sum(len(str(message.get("content") or "")) for message in slot.request.messages))


def _reference_tokens(slots: Sequence[Slot]) -> float | None:
    references = [slot.case.reference for slot in slots[:SAMPLE] if isinstance(slot.case.reference, str)]
    return mean([len(text) / CHARACTERS for text in references]) if references else None


def _rule(rule: Rule, seen: Mapping[str, float], n: int, alpha: float) -> RuleEstimate:
    """What a rule about a difference can show; others have no size to plan for."""
    limit = rule.margin
    name = rule.describe()
    if limit is None:
        return RuleEstimate(name, "no size to plan for" if rule.proves else "a guard; it needs no size")
    role = rule.needs[-1]
    differing = seen.get(role, DIFFERING)
    basis = f"{points(differing)} % of cases " + ("differed last time" if role in seen else "are assumed to differ")
    effect = smallest_effect(round(differing * n), n, alpha)
    if limit >= 0:
        far = f"{n} cases can hardly show any difference; add cases" if limit + effect >= 1 else ""
        return RuleEstimate(name, f"a true difference of {points(limit + effect)} points or more ({basis})", far)
    needed = required_cases(round(differing * n), n, 0.0, -limit, alpha)
    text = f"needs about {needed:,.0f} cases if they are equal, there are {n:,} ({basis})"
    if needed <= n:
        return RuleEstimate(name, text)
    more = f"add {needed - n:,.0f} cases" if isfinite(needed) else "add cases"
    hint = f"hardly to be proven with {n:,} cases; {more}, or accept a margin of about {points(effect)} points"
    return RuleEstimate(name, text, hint)
