"""What ``--plan`` shows before anything is paid for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate

from distilltest.edges import mapped, shown_line
from distilltest.gate import points
from distilltest.reporting.text import money, seconds

SHOWN = 8
"""Slices that are listed, the smallest first."""


@dataclass(frozen=True, slots=True)
class RoleEstimate:
    """What one role will cost."""

    role: str
    model: str
    calls: int
    to_send: int
    """Calls that the store has no answer to."""
    prompt_tokens: float
    """Per call."""
    completion_tokens: float | None
    """Per call; None where nothing is known of its answers."""
    usd: float | None
    """Of the calls to send; None where a price or the tokens are not known."""
    seconds: float | None
    """How long its calls take at the server's limits, None where no latency is known."""
    basis: str
    """Where the tokens come from."""


@dataclass(frozen=True, slots=True)
class RuleEstimate:
    """What a rule can show with so many cases."""

    rule: str
    shows: str
    hopeless: str = ""
    """Why it can hardly be proven, and what would help; empty where it can."""


@dataclass(frozen=True, slots=True)
class SliceEstimate:
    """What can be seen in the cases with one tag."""

    tag: str
    cases: int
    effect: float
    """The smallest difference that can be shown, as a share."""


@dataclass(frozen=True, slots=True)
class PlanEstimate:
    """One evaluation, before it runs."""

    id: str
    dataset: str
    cases: int
    trials: int
    roles: tuple[RoleEstimate, ...]
    judge_calls: int
    rules: tuple[RuleEstimate, ...]
    slices: tuple[SliceEstimate, ...]
    notes: tuple[str, ...] = ()


def render(plans: Sequence[PlanEstimate], budget_usd: float | None) -> str:
    """All evaluations of a session, and their sum."""
    plans = mapped(list(plans), shown_line)
    parts = [part for plan in plans for part in _plan(plan)]
    roles = [role for plan in plans for role in plan.roles]
    to_send = sum(role.to_send for role in roles)
    unknown = sorted({role.model for role in roles if role.usd is None and role.to_send})
    total = sum(role.usd or 0.0 for role in roles)
    parts.append(
        f"in all: {sum(role.calls for role in roles):,} calls, {to_send:,} to send"
        + (f", about {money(total)}" if total else "")
        + (f"; what {', '.join(unknown)} costs is not known (no price, or no answer seen yet)" if unknown else "")
        + ". Nothing was sent."
    )
    if budget_usd is not None and total > budget_usd:
        parts.append(
            f"The budget of {money(budget_usd)} will not do. Raise it, or ask fewer cases with --limit or --stop-early."
        )
    return "\n\n".join(parts)


def _plan(plan: PlanEstimate) -> list[str]:
    each = f", {plan.trials} trials each" if plan.trials > 1 else ""
    rows = [
        [
            role.role,
            role.model,
            f"{role.calls:,}",
            f"{role.to_send:,}",
            f"{role.prompt_tokens:.0f} / {'?' if role.completion_tokens is None else f'{role.completion_tokens:.0f}'}",
            role.basis,
            "$0" if not role.to_send else "?" if role.usd is None else money(role.usd),
            "-" if role.seconds is None or not role.to_send else seconds(role.seconds),
        ]
        for role in plan.roles
    ]
    heads = ["role", "model", "calls", "to send", "tokens in / out", "tokens from", "cost", "time"]
    parts = [
        f"{plan.id}   {plan.cases:,} cases of {plan.dataset}{each}",
        tabulate(rows, heads, tablefmt="simple", disable_numparse=True),
    ]
    if plan.judge_calls:
        parts.append(f"and about {plan.judge_calls:,} questions to judges, whose tokens are not estimated")
    parts.append(
        "What can be shown, with a chance of 80 %:\n" + "\n".join(f"  {rule.rule}: {rule.shows}" for rule in plan.rules)
    )
    parts += [f"hint: {rule.rule}: {rule.hopeless}" for rule in plan.rules if rule.hopeless]
    if plan.slices:
        shown = [f"{s.tag} ({s.cases} cases) {points(s.effect)}" for s in plan.slices[:SHOWN]]
        more = f", and {len(plan.slices) - SHOWN} larger slices" if len(plan.slices) > SHOWN else ""
        parts.append(f"Smallest difference by tag, in points: {', '.join(shown)}{more}")
    return parts + list(plan.notes)
