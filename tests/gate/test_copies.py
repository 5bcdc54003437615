"""Cases with the same request count once, however often the dataset repeats them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilltest.gate import Status, at_least, better_than, decide, not_worse_than
from distilltest.gate.table import ResultsTable
from distilltest.records import Outcome

RIGHT = {"teacher": lambda n: True, "base": lambda n: False, "candidate": lambda n: True}


def outcomes(asked, role_says=RIGHT):
    for row, number in enumerate(asked):
        for role, right in role_says.items():
            yield Outcome(f"c{row}", role, 0, right(number), float(right(number)), f"{role} {number}")


def table(asked, clusters=()):
    ids = [f"c{row}" for row in range(len(asked))]
    return ResultsTable.from_outcomes(ids, list(RIGHT), outcomes(asked), "pass", clusters=clusters)


@pytest.mark.parametrize("rule", [better_than("base"), not_worse_than("teacher", margin=0.05), at_least(0.9)])
@pytest.mark.parametrize("different", [1, 3, 9])
def test_copies_of_a_few_cases_prove_nothing(rule, different):
    found = table([row % different for row in range(300)])
    assert found.requests == different
    assert decide(rule, found).status is not Status.PROMOTE
    assert decide(rule, table(range(300))).status is Status.PROMOTE


def test_a_few_copies_change_nothing():
    found = table([*range(300), *range(10)])
    assert found.requests is None
    assert not found.clusters_of(range(310))


def test_declared_clusters_take_precedence():
    named = [f"user {row}" for row in range(300)]
    found = table([row % 3 for row in range(300)], named)
    assert found.requests is None
    assert found.clusters_of(range(300)) == tuple(named)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 12), min_size=13, max_size=40), st.integers(2, 10))
def test_copying_every_case_proves_no_claim_that_the_cases_do_not_prove(asked, times):
    """A dataset with each request once, and the same dataset with copies."""
    once = sorted(set(asked))
    rule = not_worse_than("teacher", margin=0.2)
    if decide(rule, table([n for n in once for _ in range(times)])).status is Status.PROMOTE:
        assert decide(rule, table(once)).status is Status.PROMOTE
