"""Checks that the number of cases that a verdict and ``--plan`` recommend is enough.

``python -m bench.advice [RUNS]`` prints a table. For each kind of data it draws a pilot, computes the recommended number of
cases, and draws many runs of this size from the same population. About 80 % of these runs should prove the claim.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from distilltest.gate.comparison import Comparison
from distilltest.statistics import binomial
from distilltest.statistics.observed import ObservedValues
from distilltest.statistics.planning import needed

ALPHA = 0.05


@dataclass(frozen=True)
class Population:
    """A distribution of cases."""

    name: str
    test: str
    limit: float
    mean: float
    """The true mean."""
    cluster: Callable[[Random], list[float]]
    """Draws the values of one cluster, or of one case if cases are independent."""
    pilot: int
    """The number of cases or clusters in the pilot."""
    alpha: float = ALPHA


def won_or_lost(won: float, lost: float) -> Callable[[Random], list[float]]:
    """Draw one case that passes or fails."""
    return lambda dice: [(lambda u: 1.0 if u < won else -1.0 if u < won + lost else 0.0)(dice.random())]


def score(mean: float, spread: float) -> Callable[[Random], list[float]]:
    """Draw one case with a score."""
    return lambda dice: [max(-1.0, min(1.0, dice.gauss(mean, spread)))]


def document(least: int, most: int, spread: float) -> Callable[[Random], list[float]]:
    """Draw the cases of a document, with a shared difference plus one per case."""

    def draw(dice: Random) -> list[float]:
        shared = dice.gauss(0.0, spread)
        return [max(-1.0, min(1.0, dice.gauss(shared, spread))) for _ in range(dice.randint(least, most))]

    return draw


def mixture(dice: Random) -> list[float]:
    """Draw a mostly equal, sometimes much better or worse case, as judges score."""
    return [dice.choice([0.0] * 6 + [0.25, -0.25, 0.75, -0.75])]


POPULATIONS = [
    Population("pass and fail, 10 % differ, margin 5, equal", "exact", -0.05, 0.0, won_or_lost(0.05, 0.05), 200),
    Population("pass and fail, 4 % differ, margin 5, equal", "exact", -0.05, 0.0, won_or_lost(0.02, 0.02), 200),
    Population("pass and fail, 20 % differ, margin 5, 2 worse", "exact", -0.05, -0.02, won_or_lost(0.09, 0.11), 1000),
    Population("pass and fail, better by 10", "exact", 0.0, 0.10, won_or_lost(0.2, 0.1), 200),
    Population("the same, third attempt", "exact", -0.05, 0.0, won_or_lost(0.05, 0.05), 200, 0.0034),
    Population("scores, spread 15, margin 5, equal", "anchored", -0.05, 0.0, score(0.0, 0.15), 60),
    Population("scores, spread 30, margin 5, 1 worse", "anchored", -0.05, -0.01, score(-0.01, 0.3), 100),
    Population("scores, mostly equal, margin 5", "anchored", -0.05, 0.0, mixture, 100),
    Population("scores, better by 5", "anchored", 0.0, 0.05, score(0.05, 0.2), 60),
    Population("scores, t", "t", -0.05, 0.0, score(0.0, 0.15), 60),
    Population("documents of 5, margin 5, equal", "clusters", -0.05, 0.0, document(5, 5, 0.15), 30),
    Population("documents of 2 to 12, margin 5, equal", "clusters", -0.05, 0.0, document(2, 12, 0.15), 40),
    Population("at least 70 %, truly 80 %", "binomial", 0.7, 0.8, lambda dice: [float(dice.random() < 0.8)], 100),
]


def advised(of: Population, seed: int = 0) -> int | None:
    """The number of cases recommended after a pilot, given the true mean."""
    dice = Random(seed)
    groups = [of.cluster(dice) for _ in range(of.pilot)]
    values = [value for group in groups for value in group]
    names = [f"{i}" for i, group in enumerate(groups) for _ in group] if of.test == "clusters" else []
    return needed(ObservedValues(values, of.limit, of.test, names), of.mean, of.alpha)


def proven(of: Population, cases: int, dice: Random) -> bool:
    """Whether a run over this number of cases proves the claim."""
    values: list[float] = []
    names: list[str] = []
    while len(values) < cases:
        group = of.cluster(dice)
        names += [str(len(names))] * len(group)
        values += group
    if of.test == "binomial":
        return binomial.at_least(round(sum(values)), len(values), of.limit) <= of.alpha
    pairs = Comparison(
        "teacher", tuple(values), 0, of.test == "exact", tuple(names) if of.test == "clusters" else (), test=of.test
    )
    return pairs.p_value(-of.limit, of.alpha) <= of.alpha


def power(of: Population, runs: int, seed: int = 1) -> tuple[float, list[int]]:
    """How often the recommended number is enough, over several pilots, and the numbers."""
    numbers = [advised(of, pilot) or 0 for pilot in range(5)]
    dice = Random(seed)
    won = sum(proven(of, numbers[run % 5], dice) for run in range(runs))
    return won / runs, sorted(numbers)


def main() -> None:
    """Print a table."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    print("| data | cases advised (5 pilots) | proven, % of runs |\n| --- | --- | --- |")
    for population in POPULATIONS:
        share, numbers = power(population, runs)
        print(f"| {population.name} | {numbers[0]} to {numbers[-1]} | {100 * share:.0f} |", flush=True)


if __name__ == "__main__":
    main()
