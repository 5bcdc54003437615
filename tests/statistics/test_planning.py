"""The number of cases that is advised is enough in about 80 % of runs, by the test that decides."""

from dataclasses import replace
from random import Random

import pytest

from bench.advice import POPULATIONS, advised, proven
from distilltest.gate import Status, at_least, better_than, decide, not_worse_than
from distilltest.statistics.observed import ObservedValues
from distilltest.statistics.planning import needed, smallest_effect

RUNS = 120
CHEAP = [each for each in POPULATIONS if each.test in ("anchored", "t", "binomial")] + [
    replace(POPULATIONS[3], pilot=400),
    replace(POPULATIONS[1], test="tango", pilot=1000),
    replace(POPULATIONS[10], pilot=60),
]


@pytest.mark.parametrize("population", CHEAP, ids=lambda each: each.name)
def test_the_advised_number_of_cases_has_the_promised_power(population):
    """0.75 to 0.9, with a tolerance for the few runs. ``bench/advice.py`` has more."""
    number, dice = advised(population), Random(1)
    won = sum(proven(population, number, dice) for _ in range(RUNS)) / RUNS
    assert 0.68 < won < 0.95


def test_scores_that_hardly_differ_need_few_cases():
    """The advice was once 2,374 cases instead of 120."""
    dice = Random(3)
    values = [max(-1.0, min(1.0, dice.gauss(0.0, 0.15))) for _ in range(60)]
    assert 80 < needed(ObservedValues(values, -0.05, "anchored"), 0.0, 0.05) < 140


def test_there_is_no_advice_beyond_the_limit_or_for_absurd_numbers():
    values = [1.0] * 20 + [-1.0] * 20 + [0.0] * 346
    assert needed(ObservedValues(values, -0.05, "exact"), -0.05, 0.05) is None
    assert needed(ObservedValues(values, -0.05, "exact"), -0.0499, 0.05) is None
    assert needed(ObservedValues(values, -0.05, "exact"), 0.0, 0.05) > needed(
        ObservedValues(values, -0.05, "exact"), 0.02, 0.05
    )
    assert needed(ObservedValues([0.0] * 500, -0.05, "exact"), 0.0, 0.05) in range(55, 70)
    assert 0 < smallest_effect(ObservedValues(values, 0.0, "tango"), 386, 0.05) < 0.1


def test_a_later_attempt_needs_more_cases():
    values = [1.0] * 20 + [-1.0] * 20 + [0.0] * 346
    first, third = (needed(ObservedValues(values, -0.05, "exact"), 0.0, alpha) for alpha in (0.05, 0.0034))
    assert third > 1.5 * first


def test_clusters_are_advised_in_clusters():
    dice = Random(5)
    clusters = [f"document {i // 5}" for i in range(200)]
    teacher = [float(dice.random() < 0.8) for _ in clusters]
    candidate = [value if dice.random() < 0.9 else float(dice.random() < 0.7) for value in teacher]
    verdict = decide(not_worse_than("teacher", margin=0.05), candidate=candidate, teacher=teacher, clusters=clusters)
    assert verdict.status is Status.UNDECIDED
    assert "further clusters if the two are equal" in verdict.sentence
    independent = decide(not_worse_than("teacher", margin=0.05), candidate=candidate, teacher=teacher)
    assert verdict.rules[0].needed > 0.5 * (independent.rules[0].needed or 0)


def test_the_advice_says_if_more_cases_would_rather_block():
    teacher, candidate = [1.0] * 60, [1.0] * 56 + [0.0] * 4
    verdict = decide(not_worse_than("teacher", margin=0.05), candidate=candidate, teacher=teacher)
    assert verdict.status is Status.UNDECIDED
    assert verdict.sentence.endswith("if the difference stays as seen, more cases would rather block")
    verdict = decide([at_least(0.9)], candidate=[1.0] * 26 + [0.0] * 4)
    assert verdict.sentence.endswith("if it stays as seen, more cases would rather block")


def test_the_advice_counts_further_cases_only():
    base, candidate = [1.0] * 30 + [0.0] * 30, [1.0] * 28 + [0.0] * 2 + [1.0] * 5 + [0.0] * 25
    verdict = decide(better_than("base"), candidate=candidate, base=base)
    (rule,) = verdict.rules
    assert verdict.status is Status.UNDECIDED
    assert rule.needed is None  # equal models prove no advantage
    assert rule.needed_as_seen > 60
    assert "further cases that would decide in 4 of 5 runs: about " in verdict.sentence
