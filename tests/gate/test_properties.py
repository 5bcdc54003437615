"""Properties of every rule for any data: order, roles, one more win, scale, and nearly empty data."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilltest.errors import SuiteError
from distilltest.gate import (
    Status,
    always,
    at_least,
    better_than,
    costs_at_most,
    critical_slice,
    decide,
    faster_than,
    no_slice_regresses,
    not_worse_than,
    preferred_to,
    recovers,
)
from distilltest.gate.comparison import Comparison
from distilltest.gate.table import ResultsTable

ROLES = ("base", "teacher", "candidate")
RULES = [
    better_than("base"),
    better_than("teacher", by=0.1),
    not_worse_than("teacher", margin=0.05),
    at_least(0.5),
    at_least(0.9, role="teacher"),
    always(),
    recovers(0.8),
    no_slice_regresses(),
    no_slice_regresses(tags=["a"]),
    critical_slice("a", margin=0.1),
    costs_at_most(0.5),
    faster_than("teacher"),
    preferred_to("teacher"),
]
slow = settings(deadline=None, max_examples=8)

passes = st.sampled_from([0.0, 1.0])
scores = st.one_of(st.floats(0.0, 1.0), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
tags = st.frozensets(st.sampled_from("abc")).map(lambda found: tuple(sorted(found)))
cluster = st.one_of(st.none(), st.sampled_from([f"document {i}" for i in range(14)]))
seconds = st.one_of(st.none(), st.sampled_from([0.1, 0.2, 0.2000001, 3.0]))


def cases(value, holes=False):
    """One case: a value of each role, tags, a cluster, two latencies, a preference."""
    value = st.one_of(value, st.none()) if holes else value
    return st.tuples(st.tuples(value, value, value), tags, cluster, seconds, seconds, st.one_of(st.none(), scores))


def table(rows, binary, clustered=False, **more):
    columns = list(zip(*(values for values, *_ in rows), strict=True)) or [(), (), ()]
    return ResultsTable(
        case_ids=tuple(f"case {i}" for i in range(len(rows))),
        values=dict(zip(ROLES, columns, strict=True)),
        binary=binary,
        clusters=tuple(row[2] for row in rows) if clustered else (),
        tags=tuple(row[1] for row in rows),
        usd={"candidate": 0.1, "teacher": 1.0},
        latencies={"candidate": tuple(row[3] for row in rows), "teacher": tuple(row[4] for row in rows)},
        preferences={"teacher": tuple(row[5] for row in rows)},
        **more,
    )


@st.composite
def results(draw, least=0, most=30, holes=False):
    """Rows, whether they are pass and fail, and whether they come in clusters."""
    binary = draw(st.booleans())
    rows = draw(st.lists(cases(passes if binary else scores, holes), min_size=least, max_size=most))
    return rows, binary, draw(st.booleans())


def check(verdict):
    """A verdict that a person can read and a program can compare."""
    assert verdict.status in Status
    assert verdict.sentence.startswith(f"{verdict.status}: ")
    for rule in verdict.rules:
        assert rule.sentence
        assert not any(word in rule.sentence for word in ("nan", "inf ", "None", "-0 "))
        assert rule.p is None or 0.0 <= rule.p <= 1.0
        for number in (rule.estimate, rule.low, rule.high):
            assert number is None or math.isfinite(number)
        if rule.low is not None and rule.high is not None:
            assert rule.low <= rule.high + 1e-9
        proved = rule.status is Status.PROMOTE and rule.p is not None
        if proved and not rule.test.startswith("largest drop over slices"):
            assert rule.p <= 0.05


@slow
@given(results(holes=True))
def test_any_data_give_a_verdict_that_can_be_read(data):
    check(decide(RULES, table(*data)))


@slow
@given(results(least=1, most=20), st.randoms(use_true_random=False))
def test_the_order_of_cases_changes_nothing(data, dice):
    rows, binary, clustered = data
    shuffled = rows.copy()
    dice.shuffle(shuffled)
    first, second = decide(RULES, table(*data)), decide(RULES, table(shuffled, binary, clustered))
    assert second.status is first.status
    for one, other in zip(first.rules, second.rules, strict=True):
        assert other.status is one.status
        assert other.sentence == one.sentence
        for name in ("p", "estimate", "low", "high"):
            ours, theirs = getattr(one, name), getattr(other, name)
            assert theirs == (ours if ours is None else pytest.approx(ours, abs=1e-9))


@slow
@given(results(least=1, most=25))
def test_swapping_roles_mirrors_the_interval(data):
    rows, binary, clustered = data
    pairs = table(rows, binary, clustered).compare("teacher")
    swapped = table([((b, c, t), *rest) for (b, t, c), *rest in rows], binary, clustered).compare("teacher")
    low, high = pairs.interval(0.05)
    assert swapped.interval(0.05) == pytest.approx((-high, -low), abs=1e-6)
    assert swapped.difference == pytest.approx(-pairs.difference)
    assert low - 1e-6 <= pairs.difference <= high + 1e-6


@slow
@given(
    st.lists(st.tuples(scores, scores), min_size=1, max_size=40),
    st.booleans(),
    st.integers(0, 99),
    st.floats(-0.3, 0.3),
)
def test_a_better_answer_never_raises_p(pairs, binary, which, delta):
    d = [round(ours) - round(theirs) if binary else ours - theirs for ours, theirs in pairs]
    better = d.copy()
    better[which % len(d)] = 1.0
    before, after = (Comparison("teacher", tuple(map(float, each)), 0, binary).p_value(delta) for each in (d, better))
    assert after <= before + 1e-9


@slow
@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 60), st.sampled_from([0.0, 0.02, 0.05, 0.2]))
def test_one_more_case_that_is_won_never_raises_p(wins, losses, apart, delta):
    for binary in (True, False):
        d = (1.0,) * wins + (-1.0,) * losses + (0.0,) * apart
        before = Comparison("teacher", d, 0, binary).p_value(delta)
        assert Comparison("teacher", (*d, 1.0), 0, binary).p_value(delta) <= before + (1e-9 if before < 0.5 else 0.01)


@slow
@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 60), st.integers(1, 200))
def test_equal_answers_help_a_margin_but_do_not_prove_an_advantage(wins, losses, agree, more):
    for binary in (True, False):
        some = Comparison("teacher", (1.0,) * wins + (-1.0,) * losses + (0.0,) * (agree + 1), 0, binary)
        many = Comparison("teacher", (*some.differences, *(0.0,) * more), 0, binary)
        if not binary:
            # Where all that is added is 0, the sum of the others decides alone.
            assert many.p_value(0.0) == pytest.approx(some.p_value(0.0), abs=1e-9)
        before = some.p_value(0.1)
        # Outcomes are few where the test is exact: p wavers as cases are added, and hardly where it decides.
        wavers = (0.02 if before <= 0.05 else 0.2) if binary else 1e-9
        assert many.p_value(0.1) <= before + wavers
        if wins <= losses:
            assert many.p_value(0.0) > 0.05


@slow
@given(
    st.lists(st.integers(-8, 8), min_size=1, max_size=40),
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from([0.0, 0.125, 0.25]),
)
def test_scores_on_a_smaller_scale_with_a_smaller_margin_prove_no_more(eighths, scale, delta):
    d = tuple(value / 8 for value in eighths)
    smaller = Comparison("teacher", tuple(value / scale for value in d), 0, False)
    # The worst that can happen stays -1, so on a smaller scale it weighs more.
    assert smaller.p_value(delta / scale) >= Comparison("teacher", d, 0, False).p_value(delta) - 1e-9


@slow
@given(results(least=1), st.sampled_from([0.3, 0.05, 0.005, 0.0001]))
def test_what_holds_at_a_level_holds_at_every_higher_one(data, alpha):
    strict, loose = decide(RULES, table(*data), alpha=alpha), decide(RULES, table(*data), alpha=0.4)
    for one, other in zip(strict.rules, loose.rules, strict=True):
        if one.status is Status.PROMOTE:
            assert other.status is Status.PROMOTE


@pytest.mark.parametrize("value", [0.0, 1.0, 0.5])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 59])
@pytest.mark.parametrize("groups", [None, "one", "each"])
def test_data_at_the_edge_give_a_sensible_verdict(n, value, groups):
    clusters = {None: (), "one": ("all",) * n, "each": tuple(f"document {i}" for i in range(n))}[groups]
    one_slice = tuple(("a",) if i == 0 else () for i in range(n))
    values = dict.fromkeys(ROLES, (value,) * n)
    for latency in (0.0, 0.2):
        made = ResultsTable(
            tuple(map(str, range(n))),
            values,
            binary=value != 0.5,
            clusters=clusters,
            tags=one_slice,
            usd={"candidate": 0.0, "teacher": 0.0},
            latencies={"candidate": (latency,) * n, "teacher": (0.2,) * n},
            preferences={"teacher": (value,) * n},
        )
        verdict = decide(RULES, made)
        check(verdict)
        by_rule = {rule.rule: rule.status for rule in verdict.rules}
        assert by_rule["better than base"] is not Status.PROMOTE  # where they are equal
        if n and n < 59:
            unknown = Status.UNDECIDED if value else Status.INCOMPLETE  # where nobody passes, it may be the grader
            assert by_rule["not worse than teacher by 5 points"] is unknown
        if n == 59 and groups != "one":
            holds = Status.PROMOTE if value else Status.INCOMPLETE
            assert by_rule["not worse than teacher by 5 points"] is holds
        if n:
            assert by_rule["candidate always passes"] is (Status.PROMOTE if value == 1.0 else Status.BLOCK)


@pytest.mark.parametrize("holes", [ROLES, ("candidate",), ("teacher", "base")])
def test_values_that_are_all_missing_are_incomplete(holes):
    rows = [((1.0, 1.0, 1.0), ("a",), None, 0.1, 0.2, 0.5)] * 80
    made = table(rows, True)
    broken = {role: (None,) * 80 if role in holes else column for role, column in made.values.items()}
    verdict = decide(RULES, ResultsTable(made.case_ids, broken, tags=made.tags))
    check(verdict)
    assert verdict.status is Status.INCOMPLETE


@pytest.mark.parametrize("alpha", [0.0, -0.1, 0.5, 1.0, float("nan")])
def test_an_impossible_level_is_refused(alpha):
    with pytest.raises(ValueError, match="alpha"):
        decide(RULES, table([((1.0, 1.0, 1.0), ("a",), None, 0.1, 0.2, 0.5)], True), alpha=alpha)


def test_a_test_that_does_not_suit_the_data_is_an_error_of_the_suite():
    rows = [((0.5, 0.5, 1.0), ("a",), "one", 0.1, 0.2, 0.5)] * 3
    for test, clustered in [
        ("exact", False),
        ("tango", False),
        ("clusters", False),
        ("anchored", True),
        ("exact", True),
    ]:
        with pytest.raises(SuiteError, match="test="):
            decide(better_than("base", test=test), table(rows, False, clustered))
