"""A valid grade, from any grader."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from distilltest.errors import SuiteError
from distilltest.graders.scored import checked
from distilltest.records import Grade


@pytest.mark.parametrize(
    "score", [1, 0.5, True, np.float64(0.25), np.float32(1), np.int64(1), np.bool_(1), Fraction(1, 3)]
)
@pytest.mark.parametrize("passed", [True, False, np.bool_(1), np.bool_(0)])
def test_numbers_and_truths_of_any_library_become_our_own(score, passed):
    grade = checked(Grade("own", score, passed))
    assert type(grade.score) is float
    assert type(grade.passed) is bool
    assert (grade.score, grade.passed) == (float(score), bool(passed))


@pytest.mark.parametrize(
    "score", [None, "1.0", "yes", [1.0], 1.5, -0.1, float("nan"), float("inf"), np.nan, 1 + 1e-6, 1j]
)
def test_an_invalid_score_is_refused(score):
    with pytest.raises(SuiteError, match="own: the score is"):
        checked(Grade("own", score, True))


@pytest.mark.parametrize("passed", ["False", "yes", None, 1, 0, 0.3, [], np.float64(1)])
def test_what_is_neither_true_nor_false_does_not_pass(passed):
    with pytest.raises(SuiteError, match="own: passed is"):
        checked(Grade("own", 1.0, passed))


@pytest.mark.parametrize("grade", [Grade(None, 1.0, True), Grade("own", 1.0, True, None)])
def test_names_and_reasons_are_texts(grade):
    with pytest.raises(SuiteError, match="text"):
        checked(grade)


def test_rounding_is_accepted():
    assert checked(Grade("own", 1.0000000000000002, True)).score == 1.0
    with pytest.raises(SuiteError):
        checked(Grade("own", Decimal("1.5"), True))
