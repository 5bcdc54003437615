import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilltest.graders import valid_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_whatever_json_writes_is_json(value):
    assert valid_json(json.dumps(value)).score == 1.0


@pytest.mark.parametrize(
    "answer", ["", " ", "{", "{'a': 1}", "[1,]", "NaN", "1 2", "Sure: {}", "// x\n1", "[" * 5000, "\ud800"]
)
def test_anything_else_is_not_and_says_where(answer):
    grade = valid_json(answer)
    assert (grade.score, grade.passed) == (0.0, False)
    assert "line 1, column" in grade.reason or "line 2" in grade.reason


def test_a_code_fence_is_looked_into_only_when_asked():
    answer = '```json\n{"a": 1}\n```'
    assert not valid_json(answer).passed
    assert valid_json(answer, code_fence=True).reason == "is JSON: an object"


@given(st.text())
def test_no_answer_crashes_it(answer):
    assert valid_json(answer).score in (0.0, 1.0)
