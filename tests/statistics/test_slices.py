"""The largest drop over slices: by enumeration and by simulation."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilltest.statistics import slices

cases = st.lists(
    st.tuples(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), st.frozensets(st.sampled_from("abcd"))), max_size=13
)
many = st.lists(
    st.tuples(st.sampled_from([-1.0, 0.0, 1.0]), st.frozensets(st.sampled_from("abc"))), min_size=20, max_size=40
)


def find(data, **options):
    return slices.largest_drop([d for d, _ in data], [tags for _, tags in data], **options)


@settings(max_examples=15, deadline=None)
@given(cases.filter(lambda data: len(data) <= 8))
def test_the_p_values_of_pass_and_fail_count_every_pattern(data):
    data = [(d if abs(d) == 1.0 else 0.0, tags) for d, tags in data]
    names = sorted({tag for _, tags in data for tag in tags})

    def drops(signs):
        found = []
        for name in names:
            own = [s * d for s, (d, tags) in zip(signs, data, strict=True) if name in tags]
            size = math.sqrt(sum(d * d for d in own))
            found.append(-sum(own) / size if size else 0.0)
        return found

    patterns = [max(drops(signs), default=0.0) for signs in itertools.product((1, -1), repeat=len(data))]
    observed = drops([1] * len(data))
    expected = [1.0 if o <= 0 else sum(p >= o - 1e-9 for p in patterns) / len(patterns) for o in observed]
    assert [s.p for s in find(data).slices] == pytest.approx(expected)


@settings(max_examples=15, deadline=None)
@given(many, st.randoms(use_true_random=False))
def test_the_order_of_cases_changes_nothing(data, dice):
    shuffled = data.copy()
    dice.shuffle(shuffled)
    assert find(shuffled) == find(data)


@settings(max_examples=15, deadline=None)
@given(cases, st.integers(1, 3))
def test_copies_of_a_case_in_its_cluster_add_nothing(data, copies):
    names = [f"document {i}" for i in range(len(data))]
    found = find(data * copies, clusters=names * copies)
    assert [s.p for s in found.slices] == pytest.approx([s.p for s in find(data, clusters=names).slices])


@pytest.mark.parametrize("size", [1, 2])
def test_skewed_scores_without_a_worse_mean_are_not_a_regression(size):
    dice = np.random.default_rng(7)
    tags = [(f"topic {i // 40}",) for i in range(400)]
    clusters = [i // size for i in range(400)] if size > 1 else ()
    lopsided, worse = 0, 0
    for _ in range(40):
        d = dice.choice([-0.05, 0.5], 400 // size, p=[10 / 11, 1 / 11]).repeat(size)
        lopsided += bool(slices.largest_drop(d, tags, clusters).regressed)
        d[:40] = np.where(dice.random(40 // size).repeat(size) < 0.5, -1.0, d[:40])
        worse += slices.largest_drop(d, tags, clusters).regressed == ("topic 0",)
    assert lopsided <= 4, "signs alone block more than half"
    assert worse >= 36


@settings(max_examples=40, deadline=None)
@given(cases, st.integers(0, 12))
def test_one_more_loss_in_the_only_slice_never_raises_p(data, which):
    one = [(d, ["all"]) for d, _ in data if abs(d) != 0.5]
    if one and one[which % len(one)][0] != 0:
        worse = one.copy()
        worse[which % len(one)] = (-1.0, ["all"])
        assert find(worse).p <= find(one).p


def test_a_slice_pays_for_the_others():
    legal = [(-1.0, ["legal"])] * 5 + [(0.0, ["legal"])] * 5
    others = [(d, [f"other {i}"]) for i in range(2) for d in (1.0, -1.0) * 2 + (1.0,)]
    assert find(legal + others).p > find(legal).p == 1 / 32


def test_tags_of_the_same_cases_cost_nothing():
    data = [(d, ["x"]) for d in (-1, -1, 1, -1, -1, -1)]
    doubled = [(d, ["x", "y", "z"]) for d, _ in data]
    assert find(doubled).p == find(data).p


def test_mirrored_roles_find_what_got_better():
    data = [(-1.0, ["a"])] * 8 + [(1.0, ["b"])] * 8 + [(0.0, ["a", "b"])] * 10
    assert find(data).regressed == ("a",)
    mirrored = find([(-d, tags) for d, tags in data])
    assert mirrored.regressed == ("b",)
    assert mirrored.p == pytest.approx(find(data).p, abs=0.005)


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("n", [0, 1, 2, 40])
def test_p_is_one_if_nothing_got_worse(n, value):
    found = find([(value, ["a", "b"])] * n)
    assert found.p == 1.0
    assert found.regressed == ()


def test_no_tags_are_no_slices():
    assert find([(-1.0, [])] * 30) == slices.Slices((), 1.0, ())


def test_one_loss_is_not_evidence():
    assert find([(-1.0, ["a"])]).p == 0.5


def test_impossible_data_are_refused():
    with pytest.raises(ValueError, match="each case needs one"):
        slices.largest_drop([0.0, 1.0], [["a"]])
    with pytest.raises(ValueError, match="numbers"):
        slices.largest_drop([float("nan")], [["a"]])
    with pytest.raises(ValueError, match="level"):
        slices.largest_drop([0.0], [["a"]], level=1.0)
    with pytest.raises(ValueError, match="1 clusters"):
        slices.largest_drop([0.0, 0.0], [["a"], ["a"]], clusters=["one"])


def test_the_family_wise_error_and_the_power():
    """Ten slices of 40, each case also in one of two slices across; then one slice drops by 30 points."""
    dice = np.random.default_rng(2)
    tags = [[f"topic {i // 40}", f"length {i % 2}"] for i in range(400)]
    blocked = noticed = 0
    runs = 40
    for run in range(runs):
        d = dice.choice([-1.0, 0.0, 1.0], size=400, p=[0.05, 0.9, 0.05])
        blocked += bool(slices.largest_drop(d, tags, seed=run).regressed)
        d[:40] = dice.choice([-1.0, 0.0, 1.0], size=40, p=[0.32, 0.66, 0.02])
        noticed += "topic 0" in slices.largest_drop(d, tags, seed=run).regressed
    assert blocked <= 10  # 0.10 and three standard errors
    assert noticed >= 0.8 * runs
