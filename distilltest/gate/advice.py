"""Advice in an undecided verdict: how many more cases would decide, or that they would probably block."""

from __future__ import annotations

from distilltest.statistics.observed import ObservedValues
from distilltest.statistics.planning import needed


def on_more_cases(seen: ObservedValues, alpha: float, unit: str = "cases") -> tuple[str, int | None, int | None]:
    """A sentence, and the total numbers of cases that would decide if the roles are equal, and if the mean stays as observed.

    Args:
        seen: The values that the rule weighed.
        alpha: The level of the next run.
        unit: The unit of the numbers.

    >>> on_more_cases(ObservedValues([1.0] * 10 + [-1.0] * 12 + [0.0] * 364, -0.02, "exact"), 0.05)[0]
    'further cases that would decide in 4 of 5 runs: about 560 if the two are equal, about 1,400 if the difference stays as seen'
    >>> on_more_cases(ObservedValues([-1.0] * 4 + [0.0] * 36, -0.05, "exact"), 0.05)[0]
    'if the difference stays as seen, more cases would rather block'
    """
    n = len(seen.values)
    equal = None if seen.equal is None or seen.equal <= seen.limit else needed(seen, seen.equal, alpha)
    as_seen = needed(seen, seen.mean, alpha)
    stays = "the difference stays as seen" if seen.equal is not None else "it stays as seen"
    if seen.mean <= seen.limit:
        return f"if {stays}, more {unit} would rather block", equal, None
    ways = [(equal, "the two are equal"), (as_seen, stays)]
    named = [f"about {_about(total - n, seen)} if {when}" for total, when in ways if total and total > n]
    if not named:
        return "", equal, as_seen
    if equal == as_seen:
        named = [f"about {_about(as_seen - n, seen)} if {stays}"] if as_seen else []
    return f"further {unit} that would decide in 4 of 5 runs: {', '.join(named)}", equal, as_seen


def _about(count: int, seen: ObservedValues) -> str:
    shown = f"{rounded(count):,}"
    if not seen.clusters:
        return shown
    clusters = count * len(set(seen.clusters)) / len(seen.values)
    return f"{shown} in {rounded(round(clusters)):,} further clusters"


def rounded(count: int) -> int:
    """The number rounded up to two significant digits."""
    step: int = 10 ** max(0, len(str(count)) - 2)
    return -(-count // step) * step
