import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilltest.errors import GraderFailed, SuiteError
from distilltest.graders import multi
from distilltest.records import Grade

GRADES = {"name": Grade("text_similarity", 0.8, True), "email": Grade("string_check", 0.0, False)}


def test_the_formula_gives_the_score():
    grade = multi(GRADES, "(name + email) / 2")
    assert (grade.name, grade.score, grade.passed) == ("multi", 0.4, False)
    assert multi(GRADES, "(name + email) / 2", 0.4).passed


def test_a_rounding_error_is_corrected():
    grades = {key: Grade(key, 1.0, True) for key in "abc"}
    assert multi(grades, "0.1 * a + 0.2 * b + 0.7 * c").score == 1.0
    assert multi(grades, "a - 0.9 - 0.1").score == 0.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name + 1", r"multi: name \+ 1 is 1.8 with name = 0.8; a score is in \[0, 1\]"),
        ("email - name", "is -0.8 with email = 0, name = 0.8"),
        ("2", "multi: 2 is 2; a score"),
        ("mail", "there is no grade 'mail'; the grades are name, email, the functions min"),
        ("name / email", "column 6: 0.8 is divided by zero"),
        ("name +", "column 7"),
    ],
)
def test_a_value_that_cannot_be_a_score_is_an_error(text, message):
    # A name or a sign is wrong for every answer; a value may be wrong for this one only.
    kind = SuiteError if text in ("mail", "name +") else GraderFailed
    with pytest.raises(kind, match=message):
        multi(GRADES, text)


def test_a_number_in_a_range_of_its_own_takes_the_place_of_the_score():
    grade = multi(GRADES, "name / 10", values={"name": 8.0})
    assert (grade.score, grade.reason) == (0.8, "0.8 = name / 10 with name = 8")
    with pytest.raises(GraderFailed, match="name is 8 with name = 8"):
        multi(GRADES, "name", values={"name": 8.0})


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan"), True, "0.5", None])
def test_a_threshold_is_a_number_in_0_to_1(threshold):
    with pytest.raises(SuiteError, match="pass_threshold is"):
        multi(GRADES, "name", threshold)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_a_mean_is_a_score(scores):
    grades = {f"g{n}": Grade("g", score, True) for n, score in enumerate(scores)}
    grade = multi(grades, f"({' + '.join(grades)}) / {len(grades)}")
    assert 0 <= grade.score <= 1
    assert grade.score == pytest.approx(sum(scores) / len(scores))
