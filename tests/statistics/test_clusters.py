"""Clustered cases: against the t test, by enumeration and by simulation."""

import itertools
import random
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from distilltest.statistics import clusters, signs, unmet

cases = st.lists(st.tuples(st.sampled_from([-1.0, -0.25, 0.0, 0.5, 1.0]), st.integers(0, 13)), min_size=1, max_size=60)


def split(data):
    return [d for d, _ in data], [c for _, c in data]


def test_clusters_of_one_case_are_the_ordinary_t_test():
    d = np.random.default_rng(3).uniform(0, 1, 20)
    d = np.append(d, -d)  # where nothing is skewed
    expected = stats.ttest_1samp(d, -0.05, alternative="greater").pvalue
    assert clusters.evaluate(d, range(40), 0.05).jackknife == pytest.approx(expected, abs=1e-9)


def test_the_sign_flip_counts_every_pattern():
    sums = [0.5, -0.25, 1.0, 0.75, -0.5, 0.25, 0.125, 0.3, 0.9, -0.1, 0.6]
    shifted = [s + 0.05 for s in sums]
    patterns = list(itertools.product((1, -1), repeat=len(sums)))
    hits = sum(sum(e * s for e, s in zip(p, shifted, strict=True)) >= sum(shifted) - 1e-9 for p in patterns)
    assert clusters.evaluate(sums, range(11), 0.05).sign_flip == pytest.approx(hits / len(patterns))


def test_copies_of_a_case_add_nothing():
    d = [0.5, -0.25, 0.0, 0.25, 0.5, 0.25, -0.5, 0.0, 0.25, 0.5, 0.0, 0.25]
    once = clusters.evaluate(d, range(12), 0.05)
    often = clusters.evaluate([x for x in d for _ in range(7)], [i for i in range(12) for _ in range(7)], 0.05)
    assert often.p == pytest.approx(once.p)
    assert often.mean == pytest.approx(once.mean)


@settings(max_examples=40, deadline=None)
@given(cases, st.randoms(use_true_random=False))
def test_the_order_of_cases_and_the_names_of_clusters_change_nothing(data, dice):
    shuffled = data.copy()
    dice.shuffle(shuffled)
    d, c = split(shuffled)
    assert clusters.evaluate(*split(data), 0.05) == clusters.evaluate(d, [f"cluster {13 - i}" for i in c], 0.05)


@settings(max_examples=40, deadline=None)
@given(cases, st.floats(-0.2, 0.2), st.floats(0, 0.3))
def test_a_wider_margin_never_raises_p_where_the_mean_is_above_it(data, delta, more):
    first, second = clusters.evaluate(*split(data), delta), clusters.evaluate(*split(data), delta + more)
    assert second.sign_flip <= first.sign_flip + 1e-12 or first.mean < -delta
    if first.jackknife is not None:
        assert second.jackknife <= first.jackknife + 1e-9


@settings(max_examples=15, deadline=None)
@given(cases)
def test_swapping_roles_mirrors_the_interval(data):
    d, c = split(data)
    result = clusters.interval(d, c)
    if not clusters.Weights.of(c).enough:
        assert result is None
    else:
        low, high = result
        assert clusters.interval([-x for x in d], c) == pytest.approx((-high, -low), abs=1e-6)
        assert low - 1e-6 <= np.mean(d) <= high + 1e-6


def test_many_clusters_are_flipped_by_seed():
    d = np.random.default_rng(5).uniform(-0.5, 0.6, 120)
    labels = [i // 3 for i in range(120)]
    assert clusters.evaluate(d, labels, 0.02, seed=1) == clusters.evaluate(d, labels, 0.02, seed=1)
    assert clusters.evaluate(d, labels, 0.02, seed=1).p == pytest.approx(
        clusters.evaluate(d, labels, 0.02, seed=2).p, abs=0.02
    )


@pytest.mark.parametrize("value", [0.0, 1.0, 0.3])
def test_equal_clusters_leave_doubt(value):
    result = clusters.evaluate([value] * 40, [i // 2 for i in range(40)], 0.05)
    assert result.p >= (0.95 / (1 + value)) ** 20 - 1e-12
    assert clusters.evaluate([0.0] * 40, [i // 2 for i in range(40)], 0.0).p == 1.0
    low, high = clusters.interval([value] * 40, [i // 2 for i in range(40)])
    assert low < value
    assert high > value or value == 1.0


def test_one_more_loss_never_makes_equal_clusters_a_proof():
    equal = clusters.evaluate([0.0] * 80, [i // 2 for i in range(80)], 0.05)
    one_lost = clusters.evaluate([-1.0] + [0.0] * 79, [i // 2 for i in range(80)], 0.05)
    assert one_lost.p >= equal.p == pytest.approx(0.95**40)


def test_all_fail_is_the_worst():
    assert clusters.evaluate([-1.0] * 20, range(20), 0.05).p == 1.0


@pytest.mark.parametrize("n", [1, 2, 9])
def test_few_clusters_are_undecided(n):
    assert clusters.evaluate([0.5] * n, range(n), 0.05).p is None
    assert clusters.interval([0.5] * n, range(n)) is None


@pytest.mark.parametrize(
    ("differences", "labels", "message"),
    [
        ([], [], "at least 1"),
        ([float("nan")], [1], "numbers"),
        ([1.5], [1], "numbers"),
        ([0.0, 0.0], [1], "each case needs one"),
    ],
)
def test_impossible_data_are_refused(differences, labels, message):
    with pytest.raises(ValueError, match=message):
        clusters.evaluate(differences, labels, 0.05)


def test_the_level_holds_although_pooled_cases_would_exceed_it():
    """Twelve documents with ten questions each; all answers of a document pass or fail together."""
    dice = random.Random(11)
    rejected = pooled = 0
    for _ in range(200):
        d, labels = [], []
        for document in range(12):
            effect = dice.gauss(-0.05, 0.2)
            for _ in range(10):
                d.append(max(-1.0, min(1.0, effect + dice.gauss(0, 0.05))))
                labels.append(document)
        p = clusters.evaluate(d, labels, 0.05).p
        rejected += p <= 0.05
        pooled += stats.ttest_1samp(d, -0.05, alternative="greater").pvalue <= 0.05
    assert rejected <= 18  # 0.05 and three standard errors
    assert pooled > 40


@pytest.mark.parametrize("count", [20, 40, 60])
def test_the_level_holds_if_documents_are_rarely_lost_as_a_whole(count):
    """8 % of the documents are lost, elsewhere 3 % of the cases are won; the mean is at the limit of 5 points."""
    dice = np.random.default_rng(12)
    promoted = plain = 0
    runs = 300
    for _ in range(runs):
        labels = np.repeat(np.arange(count), dice.integers(2, 13, count))
        lost = dice.random(count) < 0.08 / 1.03
        d = np.where(lost[labels], -1.0, (dice.random(labels.size) < 0.03).astype(float))
        result = clusters.evaluate(d, labels.tolist(), 0.05)
        promoted += result.p <= 0.05
        t = (result.mean + 0.05) / max(result.standard_error, 1e-9)
        plain += stats.t.sf(t, count - 1) <= 0.05
    assert promoted <= runs * 0.05 + 3 * (runs * 0.05 * 0.95) ** 0.5
    assert plain > runs * 0.08


def test_the_level_holds_if_long_documents_are_lost_and_others_won():
    """100 documents of Pareto sizes; those of 40 cases or more are lost so often that the mean is at the limit of 5 points."""
    dice = np.random.default_rng(13)
    sizes = np.minimum(60, np.floor(dice.random(200_000) ** (-1 / 1.1)))
    lost_share = 0.15 / (1.1 * sizes[sizes >= 40].sum() / sizes.sum())  # 10 % of all other cases are won
    promoted = counting = 0
    runs = 200
    for _ in range(runs):
        some = dice.choice(sizes, 100).astype(int)
        labels = np.repeat(np.arange(100), some)
        lost = (dice.random(100) < lost_share) & (some >= 40)
        d = np.where(lost[labels], -1.0, (dice.random(labels.size) < 0.10).astype(float))
        result = clusters.evaluate(d, labels.tolist(), 0.05)
        promoted += result.p is not None and result.p <= 0.05
        counting += max(result.jackknife, (0.95 / (1 + result.mean)) ** 100) <= 0.05
    assert promoted <= runs * 0.05 + 3 * (runs * 0.05 * 0.95) ** 0.5
    assert counting > runs * 0.25


sizes_of_clusters = st.lists(st.integers(1, 60), min_size=2, max_size=80).map(lambda sizes: np.array(sizes, float))


@settings(max_examples=60, deadline=None)
@given(sizes_of_clusters, st.floats(0.001, 0.999))
def test_no_choice_of_lost_clusters_is_more_probable_than_the_bound(sizes, share):
    held = np.cumsum(np.sort(sizes)[::-1]) / sizes.sum()
    counts = np.arange(1, sizes.size + 1)
    alike = (1.0 - np.minimum(1.0, share / held)) ** counts  # the k heaviest, each with the same chance
    assert unmet.chance(sizes, share) >= alike.max() - 1e-12


@settings(max_examples=40, deadline=None)
@given(sizes_of_clusters, st.sampled_from([0.0, 0.1, 0.5]), st.floats(0.01, 0.3))
def test_clusters_without_a_loss_never_beat_the_bound_for_unmet_clusters(sizes, value, delta):
    """A cluster of any size is sampled once, so k clusters are k tries, whatever the test does with the rest."""
    labels = np.repeat(np.arange(sizes.size), sizes.astype(int)).tolist()
    result = clusters.evaluate([value] * len(labels), labels, delta)
    lost = (value + delta) / (1.0 + value)
    assert result.unmet >= (1.0 - lost) ** sizes.size - 1e-12
    assert result.unmet >= 1.0 - min(1.0, lost / (sizes.max() / sizes.sum())) - 1e-12


@settings(max_examples=60, deadline=None)
@given(cases, st.floats(-0.2, 0.2))
def test_unmet_clusters_never_help(data, delta):
    result = clusters.evaluate(*split(data), delta)
    if result.jackknife is not None:
        assert result.unmet >= result.jackknife - 1e-12
        assert result.p is None or result.p == max(result.unmet, result.sign_flip)


def test_one_long_document_is_not_many():
    labels = [0] * 900 + list(range(1, 100))
    result = clusters.evaluate([0.0] * len(labels), labels, 0.05)
    assert result.effective < 2
    assert result.p is None
    assert clusters.interval([0.0] * len(labels), labels) is None


def test_the_signs_of_the_heaviest_clusters_stand_for_all(monkeypatch):
    dice = np.random.default_rng(8)
    labels = np.repeat(np.arange(700), dice.integers(1, 5, 700)).tolist()
    d = dice.choice([-1.0, 0.0, 1.0], len(labels), p=[0.05, 0.92, 0.03])
    some = clusters.evaluate(d, labels, 0.03).sign_flip
    monkeypatch.setattr(signs, "HEAVIEST", 10_000)
    assert some == pytest.approx(clusters.evaluate(d, labels, 0.03).sign_flip, abs=0.02)


def test_swapping_roles_mirrors_the_interval_of_many_clusters():
    dice = np.random.default_rng(9)
    labels = np.repeat(np.arange(900), dice.integers(1, 5, 900)).tolist()
    d = dice.choice([-1.0, 0.0, 0.5, 1.0], len(labels), p=[0.05, 0.9, 0.02, 0.03])
    low, high = clusters.interval(d, labels)
    assert clusters.interval(-d, labels) == (-high, -low)


def test_many_clusters_need_little_memory():
    count = 5_000
    tracemalloc.start()
    clusters.evaluate(np.random.default_rng(1).uniform(-1, 1, count), range(count), 0.05)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100e6  # all signs at once would be 400 million bytes


@pytest.mark.parametrize("counts", [(14, 2, 1), (15, 2, 2), (21, 3, 2)])
def test_swapping_roles_mirrors_the_interval_where_the_signs_are_drawn(counts):
    """Wins and losses of equal size: the random signs must not depend on which model is called the candidate."""
    same, won, lost = counts
    differences = [0.0] * same + [1.0] * won + [-1.0] * lost
    low, high = clusters.interval(differences, range(len(differences)))
    assert clusters.interval([-d for d in differences], range(len(differences))) == (-high, -low)
