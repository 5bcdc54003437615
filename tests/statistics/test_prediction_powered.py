"""Prediction-powered inference: against the t test, by its symmetries and by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from distilltest.statistics import prediction_powered as ppi

value = st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0])
labelled = st.lists(st.tuples(value, value), min_size=2, max_size=40)
others = st.lists(value, max_size=60)


def estimate(data, more, **options):
    return ppi.estimate([y for y, _ in data], [f for _, f in data], more, **options)


def numbers(found):
    return (found.mean, found.standard_error, found.weight, found.classical, found.judged)


@given(labelled, others, st.randoms(use_true_random=False))
def test_the_order_of_cases_changes_nothing(data, more, dice):
    a, b = data.copy(), more.copy()
    dice.shuffle(a)
    dice.shuffle(b)
    assert numbers(estimate(a, b)) == pytest.approx(numbers(estimate(data, more)), abs=1e-9)


@given(labelled, others)
def test_swapping_roles_mirrors_it(data, more):
    low, high = estimate(data, more).interval()
    mirrored = estimate([(-y, -f) for y, f in data], [-f for f in more]).interval()
    assert mirrored == pytest.approx((-high, -low), abs=1e-9)


@given(labelled, others, st.floats(-0.3, 0.3), st.floats(0, 0.3))
def test_a_wider_margin_never_raises_p(data, more, delta, wider):
    found = estimate(data, more)
    assert 0.0 <= found.p_value(delta + wider) <= found.p_value(delta) + 1e-12 <= 1.0 + 1e-12


@given(labelled, others)
def test_the_interval_is_where_p_is_alpha(data, more):
    found = estimate(data, more)
    low, high = found.interval()
    assert low <= high
    if -1 < low < 1:
        assert found.p_value(-low) == pytest.approx(0.05, abs=1e-4)


@given(labelled, others)
def test_the_chosen_weight_is_the_best(data, more):
    best = estimate(data, more)
    # The paper's weight takes the judge's variance from all cases, so it is the best up to that estimate.
    for weight in (0.0, 0.25, 1.0):
        if len(data) >= 30 and len(more) >= 30:
            assert best.standard_error <= estimate(data, more, weight=weight).standard_error * 1.1 + 1e-9


def test_without_other_cases_it_is_the_t_test_of_the_labels():
    y = np.random.default_rng(1).uniform(-1, 1, 50)
    found = ppi.estimate(y, y, [])
    expected = stats.ttest_1samp(y, -0.05, alternative="greater").pvalue
    assert found.weight == 0.0
    assert found.p_value(0.05) == pytest.approx(expected, abs=0.01)  # but for skewness, and one more case that differs


def test_a_useless_judge_changes_nothing_and_a_perfect_one_counts_all_cases():
    dice = np.random.default_rng(2)
    y = dice.choice([-1.0, 0.0, 1.0], size=1000, p=[0.1, 0.8, 0.1])
    constant = ppi.estimate(y[:200], np.zeros(200), np.zeros(800))
    assert constant.weight == 0.0
    assert constant.mean == pytest.approx(y[:200].mean())
    perfect = ppi.estimate(y[:200], y[:200], y[200:])
    assert perfect.mean == pytest.approx(y.mean(), abs=0.01)
    assert perfect.standard_error == pytest.approx(math.sqrt(y.var(ddof=1) / 1000), rel=0.2)


@pytest.mark.parametrize("n", [2, 20])
def test_equal_labels_leave_doubt(n):
    found = ppi.estimate([0.0] * n, [0.0] * n, [0.0] * 100)
    assert found.p_value(0.05) == pytest.approx(0.95**n)
    assert found.p_value(0.0) == 1.0
    low, high = found.interval()
    assert low == pytest.approx(-high)
    assert high > 0.1
    best = ppi.estimate([1.0] * n, [1.0] * n, [1.0] * 100)
    assert 0.0 < best.p_value(0.05) < 1.0
    assert best.interval()[0] < 1.0 == best.interval()[1]
    assert ppi.estimate([-1.0] * n, [-1.0] * n, []).p_value(0.05) == 1.0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (([], [], []), "human labels: at least 2"),
        (([0.0], [0.0], [1.0]), "human labels: at least 2"),
        (([0.0, 1.0], [0.0, 1.0, 1.0], []), "2 human labels, but 3"),
        (([0.0, 2.0], [0.0, 1.0], []), "numbers"),
        (([0.0, 1.0], [0.0, 1.0], [float("nan")]), "numbers"),
        (([0.0, 1.0], [0.0, 1.0], [0.0], 1.5), "weight"),
    ],
)
def test_impossible_data_are_refused(data, message):
    with pytest.raises(ValueError, match=message):
        ppi.estimate(*data)


def test_a_lenient_judge_is_corrected():
    """The candidate is at the limit; the judge lets 20 % of its failures pass, and 8 % of the teacher's."""
    dice = np.random.default_rng(3)
    runs, n, labels, delta = 400, 800, 200, 0.05
    promoted = believed = sharper = 0
    for _ in range(runs):
        teacher = dice.random(n) < 0.80
        candidate = np.where(dice.random(n) < 0.9, teacher, dice.random(n) < 0.3)  # 0.75
        judged = (candidate | (dice.random(n) < 0.20)).astype(float) - (teacher | (dice.random(n) < 0.08))
        y = candidate.astype(float) - teacher
        found = ppi.estimate(y[:labels], judged[:labels], judged[labels:])
        promoted += found.p_value(delta) <= 0.05
        believed += stats.ttest_1samp(judged, -delta, alternative="greater").pvalue <= 0.05
        sharper += found.standard_error < y[:labels].std(ddof=1) / math.sqrt(labels)
    assert promoted / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert believed / runs > 0.3
    assert sharper / runs > 0.9


def test_one_sided_losses_do_not_fool_it():
    """The candidate only loses, and the judge sees most of it: one weight for all labels, from the same labels, erred by 0.10."""
    dice = np.random.default_rng(6)
    runs, n, labels, delta = 400, 2000, 400, 0.02
    promoted = 0
    for _ in range(runs):
        y = -(dice.random(n) < delta).astype(float)
        judged = np.where(dice.random(n) < 0.3, 0.0, y)
        promoted += ppi.estimate(y[:labels], judged[:labels], judged[labels:]).p_value(delta) <= 0.05
    assert promoted / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_labels_without_a_loss_do_not_prove_a_small_margin():
    """With losses in 1 % of cases, all missed by the judge, 200 labels contain none once in seven times."""
    agree = [0.0] * 199 + [1.0]
    assert ppi.estimate(agree, agree, [0.0] * 20_000).p_value(0.01) > 0.05


@given(labelled, others, st.randoms(use_true_random=False), st.integers(1, 7))
def test_clusters_have_no_order_and_two_sides(data, more, dice, size):
    def found(data, more, sign=1.0):
        clusters, other_clusters = [c for c, _ in data], [c for c, _ in more]
        return ppi.estimate(
            [sign * y for _, (y, _) in data],
            [sign * f for _, (_, f) in data],
            [sign * f for _, f in more],
            clusters=clusters,
            other_clusters=other_clusters,
        )

    a, b = [(i // size, each) for i, each in enumerate(data)], [(i % 5, each) for i, each in enumerate(more)]
    first = found(a, b)
    low, high = first.interval()
    assert low <= high
    assert found(a, b, -1.0).interval() == pytest.approx((-high, -low), abs=1e-6)
    if -1 < low < 1:
        assert first.p_value(-low) == pytest.approx(0.05, abs=1e-3)
    dice.shuffle(a)
    dice.shuffle(b)
    assert numbers(found(a, b)) == pytest.approx(numbers(first), abs=1e-9)


def test_cases_of_one_document_count_as_one_cluster():
    dice = np.random.default_rng(4)
    documents = np.repeat(np.arange(100), 8)
    y = np.where(dice.random(100) < 0.1, -1.0, 0.0)[documents]
    chosen = dice.random(800) < 0.4
    alone = ppi.estimate(y[chosen], y[chosen], y[~chosen])
    together = ppi.estimate(
        y[chosen],
        y[chosen],
        y[~chosen],
        clusters=documents[chosen].tolist(),
        other_clusters=documents[~chosen].tolist(),
    )
    assert together.standard_error > 2 * alone.standard_error
    assert together.mean == pytest.approx(alone.mean, abs=0.02)
