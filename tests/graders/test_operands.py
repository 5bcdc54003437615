"""The operands of every grader of texts, including values that are not texts."""

import pytest

from distilltest.errors import AnswerError, SuiteError
from distilltest.graders import exact_match, json_schema, string_check, text_similarity, valid_json, valid_xml
from distilltest.judges.question import fence
from distilltest.records import Completion

ANSWER = Completion("key", "server", "model", "42", "stop")
COMPARE = {
    "exact_match": exact_match,
    "string_check": string_check,
    "string_check, contains": lambda *given, **more: string_check(*given, "contains", **more),
    "string_check, regex": lambda *given, **more: string_check(*given, "regex", **more),
    "text_similarity": text_similarity,
}
READ = {
    "valid_json": valid_json,
    "valid_xml": valid_xml,
    "json_schema": lambda answer: json_schema(answer, {}),
    "json_schema, fence": lambda answer: json_schema(answer, {}, code_fence=True),
    "judge": lambda answer: fence(answer, "answer"),
}


@pytest.mark.parametrize("name", COMPARE)
@pytest.mark.parametrize("wrong", [ANSWER, object(), ("42",), b"42"])
def test_a_value_that_is_neither_text_nor_json_is_refused_on_either_side(name, wrong):
    with pytest.raises(SuiteError, match="compares texts"):
        COMPARE[name](wrong, "42")
    with pytest.raises(SuiteError, match="compares texts"):
        COMPARE[name]("42", wrong)
    with pytest.raises(SuiteError, match="compares texts"):
        COMPARE[name]("no", "42", alternatives=[wrong])


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("wrong", [ANSWER, {"a": 1}, 42, None])
def test_only_a_text_can_be_read(name, wrong):
    with pytest.raises(SuiteError, match="texts"):
        READ[name](wrong)


def test_passing_the_completion_itself_is_an_error_with_a_remedy():
    with pytest.raises(SuiteError, match=r"was given a Completion as the answer: write completion\.text"):
        exact_match(ANSWER, "42")


@pytest.mark.parametrize("name", COMPARE)
def test_a_text_is_not_compared_with_an_object(name):
    for reference in ({"a": 1}, [1]):
        with pytest.raises(SuiteError, match=r"completion\.json\(\)"):
            COMPARE[name]('{"a": 1}', reference)


@pytest.mark.parametrize("name", COMPARE)
@pytest.mark.parametrize(("value", "text"), [(42, "42"), (4.5, "4.5"), (True, "true"), (10**30, "1" + "0" * 30)])
def test_numbers_are_compared_as_their_json_text(name, value, text):
    assert COMPARE[name](text, value).passed
    assert COMPARE[name](value, text).passed
    assert COMPARE[name](value, value).passed
    assert not exact_match("41", value).passed
    assert exact_match(text, "41", alternatives=[value]).passed


def test_values_that_were_read_from_an_answer_are_compared_as_json():
    assert exact_match({"a": [1], "b": None}, {"b": None, "a": [1]}).passed
    assert not exact_match(None, "Rome").passed  # a field that the answer lacks
    assert not exact_match(["Rome"], "Rome").passed


def test_alternatives_are_a_list():
    for grade in COMPARE.values():
        with pytest.raises(SuiteError, match="alternatives is a list"):
            grade("a", "b", alternatives="abc")


@pytest.mark.parametrize(
    ("text", "why"), [("no idea", "not JSON.*no idea"), ("", "it is empty"), ('{"a": 1', "not JSON")]
)
def test_an_answer_that_is_not_json_says_so(text, why):
    with pytest.raises(AnswerError, match=why):
        Completion("key", "server", "model", text, "stop").json()


def test_an_answer_that_was_cut_off_says_so():
    with pytest.raises(AnswerError, match="cut off at the token limit"):
        Completion("key", "server", "model", '{"a": 1', "length").json()
