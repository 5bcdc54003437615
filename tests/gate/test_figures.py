"""Bounds are rounded outwards, and never onto another side of 0 or of the limit."""

from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st

from distilltest.gate.figures import between, interval, lower, points, upper

UNIT = Fraction(1, 10**9)
"""Differences below this are rounding errors."""
shares = st.one_of(st.floats(-1.0, 1.0), st.floats(-1e-3, 1e-3), st.sampled_from([0.0, 0.05, -0.05, 0.1, 1.0, -1.0]))


def value(text):
    return Fraction(text) / 100


@given(shares, shares)
@example(0.0003, 0.0)
@example(-0.0499999, -0.05)
def test_a_bound_is_rounded_outwards_and_stays_on_its_side(share, limit):
    low, high = value(lower(share, limit)), value(upper(share, limit))
    assert low <= Fraction(share) + UNIT
    assert high >= Fraction(share) - UNIT
    for mark in (0.0, limit):
        if abs(share - mark) > 2e-9:
            for shown in (low, high):
                assert (shown > mark) == (share > mark), (share, mark, shown)
    if abs(share) > 1e-9:
        assert low != 0 != high


@given(shares)
def test_rounding_costs_no_more_than_a_tenth_of_a_point(share):
    assert value(lower(share)) > Fraction(share) - Fraction(1, 1000) - UNIT
    assert value(upper(share)) < Fraction(share) + Fraction(1, 1000) + UNIT


@given(shares, shares)
def test_no_words_hide_a_bound(low, high):
    low, high = min(low, high), max(low, high)
    for text in (interval(low, high), between(low, high)):
        assert "-0 " not in text
        if low > 1e-9 or high < -1e-9:
            assert " 0 " not in f" {text} "
    assert points(low) != "0" or abs(low) <= 1e-9


def test_two_sentences_that_once_claimed_too_much():
    assert upper(0.00034) == "0.1"  # "at most 0 %" was 0.03 %
    assert interval(0.00034, 0.009) == "0.03 to 0.9"  # "better by 0 to 0.9 points"
