"""The incomplete beta function and Student's t against SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from distilltest.statistics import beta


@given(st.floats(0.5, 2000), st.floats(0.5, 2000), st.floats(0, 1))
def test_the_incomplete_beta_is_that_of_scipy(a, b, x):
    expected = pytest.approx(float(special.betainc(a, b, x)), abs=1e-10)
    assert float(beta.incomplete(a, b, x)) == expected
    assert beta.incomplete_at(a, b, x) == expected


@given(st.lists(st.tuples(st.integers(1, 300), st.integers(0, 300), st.floats(0, 1)), min_size=1))
def test_the_tail_of_a_binomial_is_that_of_scipy(cases):
    passed, failed, share = map(np.array, zip(*cases, strict=True))
    tails = beta.binomial_tail(passed, passed + failed, share, special.gammaln(np.arange(1, 602)))
    assert tails == pytest.approx(stats.binom.sf(passed - 1, passed + failed, share), abs=1e-10)


def test_it_takes_arrays_of_any_length():
    x = np.linspace(0, 1, 11)
    assert beta.incomplete(3.0, 4.0, x) == pytest.approx(special.betainc(3, 4, x))
    assert beta.incomplete(np.ones(0), 1.0, 0.5).shape == (0,)


@given(st.floats(0.01, 20_000))
def test_log_gamma_is_that_of_scipy(x):
    assert float(beta.log_gamma(x)) == pytest.approx(float(special.gammaln(x)), rel=1e-11, abs=1e-11)


@given(st.floats(-40, 40), st.integers(1, 500))
def test_students_tail_is_that_of_scipy(t, freedom):
    expected = pytest.approx(stats.t.sf(t, freedom), abs=1e-10)
    assert beta.student_tail(t, freedom) == expected
    assert float(beta.student_tails(t, freedom)) == expected


@pytest.mark.parametrize("freedom", [1, 2, 9, 385])
@pytest.mark.parametrize("tail", [1e-6, 0.0005, 0.025, 0.05, 0.5, 0.9])
def test_the_quantile_undoes_the_tail(tail, freedom):
    assert beta.student_quantile(tail, freedom) == pytest.approx(stats.t.isf(tail, freedom), rel=1e-8, abs=1e-9)


def test_impossible_arguments_are_refused():
    with pytest.raises(ValueError, match="degrees of freedom"):
        beta.student_tail(1.0, 0)
    with pytest.raises(ValueError, match="tail"):
        beta.student_quantile(0.0, 3)


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 1000), st.floats(0, 1) | st.sampled_from([0.0, 1.0]))))
def test_the_continued_fraction_is_only_taken_where_it_converges_fast(cases):
    """Also for shares of 0 and 1: a fraction that converges slowly slows down the whole array."""
    taken, fraction = [], beta._fraction
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beta, "_fraction", lambda a, b, x: taken.append((a, b, x)) or fraction(a, b, x))
        passed, failed, share = (np.array([case[place] for case in cases], kind) for place, kind in enumerate("qqd"))
        beta.binomial_tail(passed, passed + failed, share, special.gammaln(np.arange(1, 2002)))
    ((a, b, x),) = taken
    assert np.all(x * (a + b + 2) <= (a + 1) * (1 + 1e-9))
