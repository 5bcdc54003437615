"""Fieller's interval: against the t test that it inverts, and by simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from distilltest.statistics import recovered

scores = st.sampled_from([0.0, 0.25, 0.5, 1.0])
cases = st.lists(st.tuples(scores, scores, scores), min_size=2, max_size=60)


def compare(data, **options):
    candidate, base, teacher = zip(*data, strict=True)
    return recovered.evaluate(candidate, base, teacher, **options)


def simulated(dice, n, share=0.8):
    base = dice.uniform(0, 0.6, n)
    teacher = base + dice.uniform(0, 0.4, n)
    candidate = base + share * (teacher - base) + dice.uniform(-0.1, 0.1, n)
    return np.clip(candidate, -1, 1), base, teacher


def test_its_ends_are_where_the_t_test_is_at_alpha():
    candidate, base, teacher = simulated(np.random.default_rng(1), 500)
    found = recovered.evaluate(candidate, base, teacher)
    for share, side in ((found.low, "greater"), (found.high, "less")):
        contrast = candidate - base - share * (teacher - base)
        n = contrast.size
        error = np.sqrt((np.var(contrast, ddof=1) + (1 + share**2) / (n + 2)) / n)
        t = contrast.mean() / error
        p = stats.t.sf(t, n - 1) if side == "greater" else stats.t.cdf(t, n - 1)
        assert p == pytest.approx(0.05, abs=1e-6)


@settings(max_examples=60)
@given(cases, st.randoms(use_true_random=False))
def test_the_order_of_cases_changes_nothing(data, dice):
    shuffled = data.copy()
    dice.shuffle(shuffled)
    a, b = compare(data), compare(shuffled)
    assert a.gap_too_small == b.gap_too_small
    if not a.gap_too_small:
        assert (a.share, a.low, a.high) == pytest.approx((b.share, b.low, b.high))


@settings(max_examples=60)
@given(cases)
def test_the_share_is_in_its_interval_and_never_certain(data):
    found = compare(data)
    if found.gap_too_small:
        assert found.low is found.high is None
    else:
        assert found.low < found.share < found.high
        assert found.gap > 0


@settings(max_examples=60)
@given(cases)
def test_swapping_base_and_teacher_mirrors_it(data):
    """Where base and teacher change places the gap is negative: never a share."""
    assert compare(data).gap_too_small or compare([(c, t, b) for c, b, t in data]).gap_too_small


@settings(max_examples=60)
@given(cases, st.integers(0, 59))
def test_one_better_answer_raises_the_share(data, which):
    which %= len(data)
    better = data.copy()
    better[which] = (1.0, *data[which][1:])
    before, after = compare(data), compare(better)
    assert before.gap_too_small == after.gap_too_small
    if not before.gap_too_small:
        assert after.share >= before.share - 1e-12


def test_known_shares():
    base, teacher = [0.0] * 50 + [1.0] * 50, [1.0] * 100
    assert recovered.evaluate(teacher, base, teacher).share == 1.0
    assert recovered.evaluate(base, base, teacher).share == 0.0
    same = recovered.evaluate(teacher, base, teacher)
    assert same.low < 0.99
    assert same.high > 1.01


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_pass_or_all_fail_is_too_small_to_say(value):
    for n in (2, 3, 1000):
        assert recovered.evaluate([value] * n, [value] * n, [value] * n).gap_too_small


def test_two_cases_say_nothing():
    assert recovered.evaluate([1, 1], [0, 0], [1, 1]).gap_too_small


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (([], [], []), "at least 2"),
        (([1.0], [0.0], [1.0]), "at least 2"),
        (([1.0, 1.0], [0.0, 0.0], [1.0]), "at least 2"),
        (([1.0, 1.0], [0.0, 0.0], [1.0, 1.0, 1.0]), "same cases"),
        (([1.0, float("nan")], [0.0, 0.0], [1.0, 1.0]), "numbers"),
    ],
)
def test_impossible_data_are_refused(data, message):
    with pytest.raises(ValueError, match=message):
        recovered.evaluate(*data)


@pytest.mark.parametrize("n", [20, 100])
def test_the_interval_covers(n):
    dice = np.random.default_rng(8)
    runs = 400
    covered = said = 0
    for _ in range(runs):
        pass_base = dice.random(n) < 0.5
        pass_teacher = pass_base | (dice.random(n) < 0.7)
        pass_candidate = np.where(dice.random(n) < 0.8, pass_teacher, pass_base)
        found = recovered.evaluate(pass_candidate, pass_base, pass_teacher)
        said += not found.gap_too_small
        covered += not found.gap_too_small and found.low <= 0.8 <= found.high
    assert said > 0.9 * runs
    assert covered / said >= 0.86


def test_a_gap_of_nothing_is_rarely_said():
    dice = np.random.default_rng(9)
    said = 0
    for _ in range(400):
        base, teacher, candidate = (dice.random(60) < 0.7 for _ in range(3))
        said += not recovered.evaluate(candidate, base, teacher).gap_too_small
    assert said / 400 <= 0.08
