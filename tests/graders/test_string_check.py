import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilltest.errors import SuiteError
from distilltest.graders import string_check

HOLDS = [
    ("eq", "ab", "ab"),
    ("ne", "ab", "AB"),
    ("not", "ab", "AB"),
    ("like", "xaby", "ab"),
    ("contains", "xaby", "ab"),
    ("ilike", "xABy", "aB"),
    ("starts", "abc", "ab"),
    ("ends", "cab", "ab"),
    ("regex", "x42y", r"\d+"),
]
FAILS = [
    ("eq", "ab", "AB"),
    ("ne", "ab", "ab"),
    ("not", "ab", "ab"),
    ("like", "xaby", "AB"),
    ("contains", "xaby", "AB"),
    ("ilike", "x", "ab"),
    ("starts", "cab", "ab"),
    ("ends", "abc", "ab"),
    ("regex", "xy", r"\d+"),
]


@pytest.mark.parametrize(("operation", "answer", "reference"), HOLDS)
def test_a_check_that_holds_scores_one(operation, answer, reference):
    grade = string_check(answer, reference, operation)
    assert (grade.name, grade.score, grade.passed) == ("string_check", 1.0, True)


@pytest.mark.parametrize(("operation", "answer", "reference"), FAILS)
def test_a_check_that_does_not_hold_scores_zero(operation, answer, reference):
    grade = string_check(answer, reference, operation)
    assert (grade.score, grade.passed) == (0.0, False)
    assert repr(reference) in grade.reason


def test_the_reasons_of_the_four_operations_of_the_platform_are_as_they_were():
    assert string_check("a", "b").reason == "'a' is not 'b'"
    assert string_check("a", "a", "ne").reason == "'a' is 'a'"
    assert string_check("a", "b", "ne").reason == "'a' is not 'b'"
    assert string_check("ab", "b", "like").reason == "'ab' contains 'b'"
    assert string_check("ab", "C", "ilike").reason == "'ab' does not contain (in any case) 'C'"


def test_one_alternative_is_enough():
    grade = string_check("abc", "x", "starts", alternatives=["y", "ab"])
    assert grade.passed
    assert grade.reason == "'abc' starts with 'ab'"
    assert string_check("abc", "x", alternatives=["y"]).reason == "'abc' is not 'x' (nor one of 1 alternatives)"


def test_a_denial_needs_every_alternative_to_differ():
    assert string_check("a", "x", "not", alternatives=["y"]).passed
    grade = string_check("a", "x", "not", alternatives=["a"])
    assert not grade.passed
    assert grade.reason == "'a' is 'a'"


def test_the_options_fold_both_sides():
    assert string_check("Git  Status", "gIT status", ignore_case=True, ignore_space=True).passed
    assert string_check("```\nab\n```", "a", "starts", code_fence=True).passed
    assert string_check("ﬁle", "file", unicode=True).passed
    assert not string_check("A", "a", "not", ignore_case=True).passed


def test_ignoring_case_does_not_change_a_pattern():
    assert string_check("A B", r"\Aa\Sb|\Aa\sb", "regex", ignore_case=True).passed
    assert not string_check("A B", r"a\Sb", "regex", ignore_case=True).passed
    assert string_check("```\n42\n```", r"\A\d+\Z", "regex", code_fence=True).passed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a", "b", "neq"), "the operation 'neq' is unknown; use one of eq, ne, like, ilike, not"),
        (("a", "(", "regex"), r"'\(' is not a valid pattern: missing \)"),
    ],
)
def test_wrong_use_is_an_error(arguments, message):
    with pytest.raises(SuiteError, match=message):
        string_check(*arguments)


def test_alternatives_that_are_one_text_are_an_error():
    with pytest.raises(SuiteError, match="a list of texts"):
        string_check("a", "b", alternatives="ab")


@pytest.mark.parametrize("operation", ["like", "contains", "ilike", "starts", "ends", "regex"])
def test_what_every_answer_contains_is_refused(operation):
    with pytest.raises(SuiteError, match="every answer"):
        string_check("a", "", operation)
    with pytest.raises(SuiteError, match="every answer"):
        string_check("a", "b", operation, alternatives=["  "], ignore_space=True)


@given(st.text(min_size=1), st.text(), st.sampled_from(["eq", "like", "ilike", "starts", "ends"]))
def test_a_text_is_contained_in_itself_and_a_denial_denies(answer, reference, operation):
    assert string_check(answer, answer, operation).passed
    assert string_check(answer, reference, "not").passed != string_check(answer, reference).passed


@given(st.text() | st.text(alphabet="ab[](){}?*+|^$.\\-&~<>:=!1,x", max_size=8))
def test_no_pattern_crashes_it(pattern):
    with contextlib.suppress(SuiteError):
        string_check("git status", pattern, "regex")
