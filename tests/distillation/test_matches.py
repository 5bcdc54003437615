"""Ways to compare fewer pairs: their results, and the number of comparisons."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilltest.distillation.matches import WAYS, CircleFound, find, most


def play(way, answers, better):
    """The result, and the pairs that were compared."""
    compared = []

    async def match(one, other):
        compared.append(frozenset((one, other)))
        return better(one, other)

    try:
        found = asyncio.run(find(way, answers, match))
    except CircleFound:
        found = "circle"
    return found, compared


@given(st.permutations(range(1, 12)).flatmap(lambda order: st.integers(2, 11).map(lambda n: order[:n])))
def test_where_the_judge_ranks_answers_the_best_and_the_worst_are_found(order):
    def better(one, other):
        return one if order[one] > order[other] else other

    for way in WAYS:
        (best, worst), compared = play(way, len(order), better)
        assert order[best] == max(order)
        assert way == "tournament" or order[worst] == min(order)
        assert len(compared) <= most(way, len(order))


@given(st.integers(1, 9), st.randoms(use_true_random=False))
def test_with_any_preferences_the_pair_was_compared_and_no_pair_twice(answers, random):
    said = {}

    def better(one, other):
        pair = frozenset((one, other))
        return said.setdefault(pair, random.choice((one, other, None)))

    for way in WAYS:
        found, compared = play(way, answers, better)
        assert len(compared) == len(set(compared)) <= most(way, answers)
        if found not in (None, "circle"):
            assert frozenset(found) in compared
            assert said[frozenset(found)] == found[0]


@pytest.mark.parametrize(("way", "questions"), [("all", 1680), ("best-worst", 660), ("tournament", 420)])
def test_thirty_requests_with_eight_answers(way, questions):
    assert 30 * 2 * most(way, 8) == questions
