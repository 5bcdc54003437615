"""Properties of the gate that hold for any data."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilltest.errors import SuiteError
from distilltest.gate import Status, at_least, better_than, decide, not_worse_than
from distilltest.gate.table import ResultsTable

BINARY = st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=60)
SCORES = st.lists(st.tuples(*[st.floats(0, 1)] * 3), min_size=1, max_size=25)
RULES = [better_than("base"), not_worse_than("teacher", margin=0.05)]


def table(rows, *, binary=True, **more):
    base, teacher, candidate = zip(*rows, strict=True)
    values = {"base": base, "teacher": teacher, "candidate": candidate}
    floats = {role: tuple(None if v is None else float(v) for v in column) for role, column in values.items()}
    return ResultsTable(tuple(map(str, range(len(rows)))), floats, binary=binary, **more)


@given(BINARY, st.randoms(use_true_random=False))
def test_the_order_of_cases_changes_nothing(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert decide(RULES, table(rows)) == decide(RULES, table(shuffled))


@given(BINARY)
def test_swapping_roles_mirrors_the_interval(rows):
    ours = table(rows).compare("teacher")
    low, high = ours.interval(0.05)
    mirrored = ours.swapped().interval(0.05)
    assert mirrored == pytest.approx((-high, -low), abs=1e-9)


@given(BINARY, st.floats(0.01, 0.5))
def test_one_more_win_never_raises_p(rows, margin):
    pairs = table(rows).compare("teacher")
    better = table([*rows, (False, False, True)]).compare("teacher")
    before = pairs.p_value(margin)
    assert better.p_value(margin) <= before + (1e-9 if before < 0.5 else 0.01)


@settings(deadline=None)
@given(SCORES)
def test_scores_give_a_sensible_verdict(rows):
    verdict = decide(RULES, table(rows, binary=False))
    for rule in verdict.rules:
        assert all(math.isfinite(v) for v in (rule.p, rule.low, rule.high))
        assert 0 <= rule.p <= 1
        assert rule.low <= rule.high


@given(BINARY)
def test_a_narrowed_or_broken_run_never_promotes(rows):
    assert decide(RULES, table(rows, narrowed="--limit 3")).status is not Status.PROMOTE
    assert decide(RULES, table([*rows, (True, True, None)])).status is Status.INCOMPLETE


@pytest.mark.parametrize(("n", "status"), [(58, Status.UNDECIDED), (59, Status.PROMOTE)])
def test_equal_answers_in_few_cases_leave_doubt(n, status):
    assert decide([not_worse_than("teacher", margin=0.05)], table([(False, True, True)] * n)).status is status
    assert decide([better_than("teacher")], table([(False, True, True)] * n)).status is Status.UNDECIDED


def test_a_missing_role_and_no_cases_are_incomplete():
    whole = table([(False, True, True)] * 100)
    without = ResultsTable(whole.case_ids, {k: v for k, v in whole.values.items() if k != "base"})
    assert decide(RULES, without).status is Status.INCOMPLETE
    assert decide(RULES, ResultsTable((), {"base": (), "teacher": (), "candidate": ()})).status is Status.INCOMPLETE


@pytest.mark.parametrize("value", [float("nan"), -0.1, 1.5])
def test_an_invalid_score_is_an_error(value):
    with pytest.raises(ValueError, match="not a number in"):
        decide(RULES, table([(0, 0, value)], binary=False))


@pytest.mark.parametrize(
    "rule",
    [
        lambda: not_worse_than("teacher", margin=0),
        lambda: not_worse_than("teacher", margin=1),
        lambda: better_than("candidate"),
        lambda: better_than("base", by=-0.1),
        lambda: at_least(0),
        lambda: better_than(3),
        lambda: decide([], table([(0, 0, 0)])),
    ],
)
def test_impossible_rules_are_refused(rule):
    with pytest.raises(SuiteError):
        rule()


def test_a_block_needs_evidence_and_at_least_is_exact():
    assert decide(RULES, table([(True, True, False)] * 30)).status is Status.BLOCK
    assert decide([at_least(0.9)], table([(0, 0, 1)] * 28)).status is Status.UNDECIDED
    assert decide([at_least(0.9)], table([(0, 0, 1)] * 29)).status is Status.PROMOTE
