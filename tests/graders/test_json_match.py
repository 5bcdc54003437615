import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilltest.errors import SuiteError
from distilltest.graders import json_match

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("ab ", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("abc", min_size=1, max_size=2), JSON, max_size=4)


@pytest.mark.parametrize(
    ("answer", "expected", "options", "score", "words"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 2.0}, {}, 1.0, "2 of 2 fields are right"),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {}, 0.5, "$.b: 2 where 3 was expected"),
        ({"a": True}, {"a": 1}, {}, 0.0, "$.a: True where 1 was expected"),
        ({"a": 1}, {"a": 1, "b": {"c": 2, "d": 3}}, {}, 1 / 3, "$.b.c: 2 missing; $.b.d: 3 missing"),
        ({"a": 1, "x": [1, 2]}, {"a": 1}, {}, 1 / 3, "$.x[0]: 1 not expected"),
        ({"a": 1, "x": [1, 2]}, {"a": 1}, {"subset": True}, 1.0, ""),
        ({"a": 1, "id": 7}, {"a": 1, "id": 8}, {"ignore": ["id"]}, 1.0, "1 of 1"),
        ({"a": [{"id": 1, "n": 2}]}, {"a": [{"id": 3, "n": 2}]}, {"ignore": ["$.a[*].id"]}, 1.0, "1 of 1"),
        ({"a": {"id": 1}, "id": 2}, {"a": {"id": 3}, "id": 2}, {"ignore": ["$.id"]}, 0.0, "$.a.id: 1"),
        ({"p": 1.05, "q": 1.05}, {"p": 1, "q": 1}, {"tolerance": {"p": 0.1}}, 0.5, "$.q: 1.05"),
        ({"p": 1.05, "q": 1.05}, {"p": 1, "q": 1}, {"tolerance": 0.1}, 1.0, ""),
        ({"t": [3, 1, 2]}, {"t": [1, 2, 3]}, {"any_order": True}, 1.0, ""),
        ({"t": [3, 1], "u": [2, 1]}, {"t": [1, 3], "u": [1, 2]}, {"any_order": ["t"]}, 0.5, "$.u[0]: 2"),
        ({"t": [3, 9]}, {"t": [1, 3]}, {"any_order": True}, 0.5, "9 where 1"),
        ({"t": "Rome  "}, {"t": "rome"}, {"ignore_case": True, "ignore_space": True}, 1.0, ""),
        ({"a": 3}, {"a": {"b": 1, "c": 2}}, {}, 0.0, "$.a.b: 3 in its place"),
        ([], [], {}, 1.0, ""),
        ({}, [], {}, 0.0, ""),
        ({}, {}, {}, 1.0, ""),
    ],
)
def test_the_score_is_the_share_of_fields_that_are_right(answer, expected, options, score, words):
    grade = json_match(json.dumps(answer), expected, **options)
    assert grade.score == pytest.approx(score)
    assert grade.passed == (score == 1)
    assert words in grade.reason or grade.reason.startswith("0 of 2 fields")


def test_a_reference_may_be_text_and_a_threshold_lower():
    grade = json_match('```json\n{"a": 1, "b": 2}\n```', '{"a": 1, "b": 3}', code_fence=True, pass_threshold=0.5)
    assert (grade.score, grade.passed) == (0.5, True)
    assert not json_match("no JSON", {"a": 1}).passed


@pytest.mark.parametrize(
    ("expected", "options", "words"),
    [
        ("no JSON", {}, "is not JSON"),
        ({}, {"ignore": "id"}, "a list of names or paths"),
        ({}, {"any_order": "id"}, "a list of names or paths"),
        ({}, {"tolerance": -1}, "not a number of at least 0"),
        ({}, {"tolerance": {"a": float("nan")}}, "not a number of at least 0"),
        ({}, {"pass_threshold": 2}, "pass_threshold is 2"),
    ],
)
def test_wrong_use_is_an_error(expected, options, words):
    with pytest.raises(SuiteError, match=words):
        json_match("{}", expected, **options)


@given(JSON, st.booleans(), st.booleans())
def test_every_value_matches_itself(value, any_order, subset):
    if isinstance(value, str):
        value = [value]
    grade = json_match(json.dumps(value), value, any_order=any_order, subset=subset)
    assert (grade.score, grade.passed) == (1.0, True)


@given(OBJECTS, OBJECTS)
def test_one_more_right_field_never_hurts_and_more_freedom_never_does(answer, expected):
    strict = json_match(json.dumps(answer), expected)
    assert 0 <= strict.score <= 1
    assert strict.passed == (strict.score == 1)
    assert json_match(json.dumps({**answer, "z": 1}), {**expected, "z": 1}).score >= strict.score
    for options in ({"subset": True}, {"tolerance": 1.0}, {"ignore_case": True}):
        assert json_match(json.dumps(answer), expected, **options).score >= strict.score
    assert json_match(json.dumps(answer), expected, any_order=True).passed >= strict.passed


@given(st.lists(JSON, max_size=4), st.randoms())
def test_the_order_of_an_array_matters_only_if_it_should(values, chance):
    shuffled = [*values]
    chance.shuffle(shuffled)
    assert json_match(json.dumps(shuffled), values, any_order=["nothing"]).passed or shuffled != values
    assert json_match(json.dumps(shuffled), values, any_order=True).passed


@given(st.text(), JSON)
def test_no_answer_crashes_it(answer, expected):
    if not isinstance(expected, str):
        assert 0 <= json_match(answer, expected).score <= 1


def test_ignoring_the_whole_reference_is_an_error():
    with pytest.raises(SuiteError, match="nothing is compared"):
        json_match('{"id": 1}', {"id": 2}, ignore=["id"])
    assert json_match('{"id": 1, "x": 1}', {"id": 2}, ignore=["id"]).score == 0.0
    assert json_match("{}", {}).passed
