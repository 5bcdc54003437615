"""Kappa and AC1: published values, symmetries and coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilltest.statistics import agreement

pairs = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=40)


def compare(data, **options):
    return agreement.evaluate([one for one, _ in data], [other for _, other in data], labels="abc", **options)


def test_the_standard_errors_are_those_of_irrcac():
    found = agreement.from_table([[13, 0, 0], [0, 20, 7], [0, 4, 56]])
    assert found.kappa.standard_error == pytest.approx(0.05891072, abs=1e-8)
    assert found.ac1.standard_error == pytest.approx(0.04321747, abs=1e-8)
    assert found.ac1.value == pytest.approx(0.8493305, abs=1e-7)


@given(pairs, st.randoms(use_true_random=False))
def test_the_order_of_cases_changes_nothing(data, dice):
    shuffled = data.copy()
    dice.shuffle(shuffled)
    assert compare(shuffled) == compare(data)


@given(pairs)
def test_it_does_not_matter_who_is_first(data):
    there, back = compare(data), compare([(other, one) for one, other in data])
    assert np.array_equal(np.array(there.table).T, np.array(back.table))
    assert there.ac1.value == pytest.approx(back.ac1.value)
    assert there.ac1.low == pytest.approx(back.ac1.low, abs=1e-6)
    assert (there.kappa is None) == (back.kappa is None)
    if there.kappa is not None:
        assert there.kappa.value == pytest.approx(back.kappa.value)


@given(pairs)
def test_the_names_of_labels_do_not_matter(data):
    renamed = [({"a": "c", "b": "a", "c": "b"}[one], {"a": "c", "b": "a", "c": "b"}[other]) for one, other in data]
    assert compare(renamed).ac1.value == pytest.approx(compare(data).ac1.value)


@given(pairs)
def test_every_number_is_in_range(data):
    found = compare(data)
    assert sum(map(sum, found.table)) == found.n == len(data)
    for coefficient in (found.kappa, found.ac1):
        if coefficient is not None:
            assert -1.0 <= coefficient.low <= coefficient.value + 1e-12
            assert coefficient.value - 1e-12 <= coefficient.high <= 1.0
            assert coefficient.low < coefficient.high  # no data are a certainty


@pytest.mark.parametrize("n", [1, 2, 30])
def test_perfect_agreement_is_no_certainty(n):
    found = agreement.evaluate(["a", "b"] * n, ["a", "b"] * n)
    assert found.kappa.value == found.ac1.value == found.kappa.high == 1.0
    assert found.kappa.low == pytest.approx(2 * 0.05 ** (1 / (2 * n)) - 1, abs=1e-6)


def test_one_label_alone_leaves_kappa_undefined_and_ac1_perfect():
    found = agreement.evaluate(["pass"] * 30, ["pass"] * 30, labels=["pass", "fail"])
    assert found.kappa is None
    assert found.ac1.value == 1.0
    assert found.ac1.low < 1.0
    assert agreement.evaluate(["pass"], ["pass"]).ac1.low < 0.1


def test_a_rater_with_one_label_has_a_kappa_of_nothing_but_not_for_certain():
    found = agreement.from_table([[20, 10], [0, 0]])
    assert found.kappa.value == pytest.approx(0.0)
    assert found.kappa.low < -0.1
    assert found.kappa.high > 0.1


def test_labels_nobody_used_change_ac1():
    two = agreement.evaluate("aabb", "abbb")
    three = agreement.evaluate("aabb", "abbb", labels="abc")
    assert three.table == ((1, 1, 0), (0, 2, 0), (0, 0, 0))
    assert three.kappa.value == pytest.approx(two.kappa.value)
    assert three.ac1.value > two.ac1.value


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: agreement.evaluate([], []), "at least one case"),
        (lambda: agreement.evaluate("ab", "a"), "2 labels of the first rater"),
        (lambda: agreement.evaluate("ab", "ac", labels="ab"), "only"),
        (lambda: agreement.from_table([[1, 2, 3], [1, 2, 3]]), "row and a column"),
        (lambda: agreement.from_table([[1, -2], [0, 1]]), "counts"),
        (lambda: agreement.from_table([[1, float("nan")], [0, 1]]), "counts"),
        (lambda: agreement.from_table([[1, 2], [0, 1]], labels="abc"), "3 labels"),
        (lambda: agreement.from_table([[1, 2], [0, 1]], alpha=0.6), "alpha"),
    ],
)
def test_impossible_data_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("shares", "least"), [(((0.4, 0.1), (0.1, 0.4)), 0.86), (((0.8, 0.05), (0.05, 0.1)), 0.83)])
def test_the_intervals_cover(shares, least):
    """Two-sided 90 % with 100 cases."""
    dice = np.random.default_rng(4)
    true = agreement.from_table((np.array(shares) * 10_000).round())
    runs = 600
    covered = np.zeros(2)
    for table in dice.multinomial(100, np.ravel(shares), size=runs):
        found = agreement.from_table(table.reshape(2, 2))
        covered += [
            found.kappa.low <= true.kappa.value <= found.kappa.high,
            found.ac1.low <= true.ac1.value <= found.ac1.high,
        ]
    assert np.all(covered / runs >= least)
