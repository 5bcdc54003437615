"""The output of ``--plan``: the cost and the power of the evaluations, before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from distilltest.evaluations.estimate import PlanEstimate
from distilltest.gate import points
from distilltest.reporting.text import money, seconds
from distilltest.untrusted.edges import mapped, shown_line

SHOWN = 8
"""The most slices to list, smallest first."""


def render(plans: Sequence[PlanEstimate], budget_usd: float | None) -> str:
    """The estimates of all evaluations of a session, and their sum."""
    plans = mapped(list(plans), shown_line)
    parts = [part for plan in plans for part in _plan(plan)]
    roles = [role for plan in plans for role in plan.roles]
    to_send = sum(role.to_send for role in roles)
    unknown = sorted({role.model for role in roles if role.usd is None and role.to_send})
    total = sum(role.usd or 0.0 for role in roles)
    parts.append(
        f"in all: {sum(role.calls for role in roles):,} calls, {to_send:,} to send"
        + (f", about {money(total)}" if total else "")
        + (f"; the cost of {', '.join(unknown)} is unknown (no price, or no stored answer)" if unknown else "")
        + ". Nothing was sent."
    )
    if budget_usd is not None and total > budget_usd:
        parts.append(
            f"The budget of {money(budget_usd)} is too small. Raise it, or ask fewer cases with --limit or --stop-early."
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
        parts.append(f"and about {plan.judge_calls:,} questions to judges, whose cost is not included")
    parts.append(
        "What can be shown, with a chance of 80 %:\n" + "\n".join(f"  {rule.rule}: {rule.shows}" for rule in plan.rules)
    )
    parts += [f"hint: {rule.rule}: {rule.hopeless}" for rule in plan.rules if rule.hopeless]
    if plan.slices:
        shown = [f"{s.tag} ({s.cases} cases) {points(s.effect)}" for s in plan.slices[:SHOWN]]
        more = f", and {len(plan.slices) - SHOWN} larger slices" if len(plan.slices) > SHOWN else ""
        parts.append(f"Smallest difference by tag, in points: {', '.join(shown)}{more}")
    return parts + list(plan.notes)
