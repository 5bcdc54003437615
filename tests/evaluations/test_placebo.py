"""Placebo answers: grading answers that no model gave."""

import re

import pytest

from distilltest.evaluations.chance import constant_answer
from distilltest.evaluations.grading import PER_CALL_CASE, PER_CALL_COMPLETION, BoundBody, record, record_later
from distilltest.evaluations.placebo import cannot_fail, constant_of, texts_in
from distilltest.graders import string_check as plain
from distilltest.pytest_plugin.fixtures.custom import CustomGrader
from distilltest.pytest_plugin.fixtures.deterministic import RecordedGrader, TextSimilarity
from distilltest.records import Case, Grade

CASES = [
    Case(
        f"c{i}",
        {"id": f"c{i}", "question": f"number {i}", "private": {"numbers": [7000 + i]}},
        reference="yes" if i % 10 == 0 else "no",
    )
    for i in range(40)
]
NUMBERS = [Case(f"c{i}", {"id": f"c{i}"}, reference=1 if i % 10 == 0 else 0) for i in range(40)]
OBJECTS = [Case(f"c{i}", {"id": f"c{i}"}, reference={"spam": i % 10 == 0}) for i in range(40)]
SHARE = 36 / 40
BANNED = ["as an ai", "lorem"]
POLITE = re.compile(r"I'm sorry")


def bound(body, **graders):
    return BoundBody.of(body, "test", {"case": PER_CALL_CASE, "completion": PER_CALL_COMPLETION} | graders)


def compares(case, completion):
    assert completion.text == case.reference


def checks(case, completion, string_check):
    string_check(completion.text, case.reference)


def matches(case, completion, exact_match):
    exact_match(completion.text, case.reference, ignore_case=True)


def is_similar(case, completion, text_similarity):
    text_similarity(completion.text, case.reference, pass_threshold=1.0)


def counts(case, completion, number):
    number(completion.text, case.reference)


def has_fields(case, completion, json_match):
    json_match(completion.text, case.reference)


@pytest.mark.parametrize(
    ("body", "graders", "cases", "text"),
    [
        (compares, {}, CASES, "no"),
        (checks, {"string_check": RecordedGrader("string_check")}, CASES, "no"),
        (matches, {"exact_match": RecordedGrader("exact_match")}, CASES, "no"),
        (is_similar, {"text_similarity": TextSimilarity()}, CASES, "no"),
        (counts, {"number": RecordedGrader("number")}, NUMBERS, "0"),
        (has_fields, {"json_match": RecordedGrader("json_match")}, OBJECTS, '{"spam":false}'),
    ],
)
def test_the_constant_answer_does_not_depend_on_how_answers_are_compared(body, graders, cases, text):
    constant = constant_of(cases, bound(body, **graders), list(graders) or ["assert"], "pass")
    assert constant is not None
    assert constant.text == text
    assert sum(constant.passes) / len(cases) == SHARE


def test_spellings_of_a_label_count_together():
    cases = [Case(str(i), {}, reference="Yes" if i % 3 == 0 else ("No", "NO")[i % 2]) for i in range(30)]
    constant = constant_of(cases, bound(matches, exact_match=RecordedGrader("exact_match")), ["exact_match"], "pass")
    assert constant is not None
    assert sum(constant.passes) == 20
    folded = constant_answer(cases, ["exact_match"])  # which ignores the options
    assert folded is not None
    assert sum(folded.passes) < 20


def wide(case, completion, number):
    number(completion.text, case.reference, tolerance=1000)


def is_json(case, completion, valid_json):
    valid_json(completion.text)


def test_one_answer_may_pass_everywhere_only_if_graders_check_its_form():
    constant = constant_of(NUMBERS, bound(wide, number=RecordedGrader("number")), ["number"], "pass")
    assert constant is not None
    assert set(constant.passes) == {1.0}
    assert constant_of(OBJECTS, bound(is_json, valid_json=RecordedGrader("valid_json")), ["valid_json"], "pass") is None


def test_no_judge_is_asked_about_an_answer_that_no_model_gave():
    def judged(case, completion):
        async def ask(bench):
            raise AssertionError

        record_later("criteria_match", ask)

    assert constant_of(CASES, bound(judged), ["criteria_match"], "pass") is None
    assert not cannot_fail(CASES, bound(judged))


def holds(case, completion):
    assert completion.text == case.reference or "no"  # noqa: SIM222  # the mistake


def itself(case, completion, exact_match):
    exact_match(completion.text, completion.text)


def always_passes(case, completion):
    return Grade("own", 1.0, True)


def own(case, completion, own):
    own()


@pytest.mark.parametrize(
    ("body", "graders"),
    [
        (holds, {}),
        (itself, {"exact_match": RecordedGrader("exact_match")}),
        (own, {"own": CustomGrader(always_passes, "own")}),
    ],
)
def test_a_test_function_that_passes_every_answer_is_found(body, graders):
    assert cannot_fail(CASES, bound(body, **graders))


def is_short(case, completion):
    assert len(completion.text) < 500


def is_quick(case, completion):
    assert completion.latency < 10


def is_whole(case, completion):
    assert completion.finish_reason == "stop"


def does_not_refuse(case, completion):
    assert not completion.refusal


def calls_nothing(case, completion):
    assert not completion.tool_calls


def avoids_words(case, completion):
    assert not any(word in completion.text.lower() for word in BANNED)


def is_not_sorry(case, completion):
    assert not POLITE.search(completion.text)


def names_no_vendor(case, completion, string_check):
    string_check(completion.text, "OpenAI", "not")
    record(plain(completion.text, "As an AI", "not"))
    assert "As an AI" not in completion.text


def keeps_the_secret(case, completion):
    assert case.item["question"] not in completion.text


def keeps_the_nested_secrets(case, completion):
    assert not any(str(number) in completion.text for number in case.item["private"]["numbers"])


def avoids(case, completion):
    return Grade("own", float("secret" not in completion.text), "secret" not in completion.text)


@pytest.mark.parametrize(
    ("body", "graders"),
    [
        (compares, {}),
        (is_json, {"valid_json": RecordedGrader("valid_json")}),
        (is_short, {}),
        (is_quick, {}),
        (is_whole, {}),
        (does_not_refuse, {}),
        (calls_nothing, {}),
        (avoids_words, {}),
        (is_not_sorry, {}),
        (names_no_vendor, {"string_check": RecordedGrader("string_check")}),
        (keeps_the_secret, {}),
        (keeps_the_nested_secrets, {}),
        (own, {"own": CustomGrader(avoids, "own")}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_test_function_that_fails_some_answer_is_not_reported(body, graders):
    assert not cannot_fail(CASES, bound(body, **graders))


def test_strings_are_found_in_everything_that_a_test_function_names():
    assert {"as an ai", "lorem"} <= set(texts_in(bound(avoids_words)))
    assert "I'm sorry" in texts_in(bound(is_not_sorry))
    assert "secret" in texts_in(bound(own, own=CustomGrader(avoids, "own")))
