"""Counting exceptions and reasons while answers are graded."""

import json
import random

import pytest

from distilltest.errors import SuiteError
from distilltest.evaluations.grading import PER_CALL_CASE, PER_CALL_COMPLETION, BoundBody
from distilltest.evaluations.health import ALL_OF_THE_FIRST, Health
from distilltest.records import Case, Completion, Grade, ToolCall

ROLES = ("base", "teacher", "candidate")
CASES = [Case(f"c{i}", {"number": i}, reference=f"{i}", place=f"cases.jsonl:{i + 1}") for i in range(100)]
ARGUMENTS = {"case": PER_CALL_CASE, "completion": PER_CALL_COMPLETION}


def answer(text):
    return Completion("key", "server", "model", text, "stop")


def reads_json(case, completion):
    assert json.loads(completion.text)["n"] == 1


def asks_for_json(case, completion):
    assert completion.json()["n"] == 1


def needs_a_module(case, completion):
    import no_such_module  # noqa: F401


def misspells(case, completion):
    assert complection.text  # noqa: F821


def graded(body, says, health=None, roles=ROLES, cases=CASES, dice=None):
    """The health of an evaluation in which a role answers ``says(role, number)``."""
    bound = BoundBody.of(body, body.__name__, ARGUMENTS)
    health = health or Health(body.__name__, [case.id for case in CASES])
    for role in roles:
        health.expect(role)
    calls = [(case, role) for case in cases for role in roles]
    if dice:
        dice.shuffle(calls)
    for case, role in calls:
        said = answer(says(role, case.item["number"]))
        health.add(case, role, said, bound.grade(case, said, role))
    return health


RIGHT, WRONG = '{"n": 1}', "no idea"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("bad", [1, 50])
def test_exceptions_on_few_answers_of_a_role_are_failed_grades_that_are_counted(bad, seed):
    health = graded(reads_json, lambda role, n: WRONG if n < bad else RIGHT, dice=random.Random(seed))
    health.check()
    (raised, held) = sorted(health.graders(), key=lambda grader: grader.name, reverse=True)
    assert (raised.name, raised.graded, raised.raised, raised.passed) == ("exception", 300, 3 * bad, 300 - 3 * bad)
    assert (raised.cases, raised.nobody, raised.everybody) == (100, bad, 100 - bad)
    assert raised.reason.startswith("JSONDecodeError: Expecting value")
    assert "(test_health.py:" in raised.reason
    assert held.name == "assert"
    assert (held.passed, held.everybody, held.nobody) == (3 * (100 - bad), 100 - bad, 0)
    assert f"candidate: grading raised an exception on {bad} of 100 answers" in " ".join(health.notes())


@pytest.mark.parametrize("seed", range(3))
def test_exceptions_on_most_answers_of_every_role_are_an_error_in_the_suite(seed):
    health = graded(reads_json, lambda role, n: WRONG if n < 51 else RIGHT, dice=random.Random(seed))
    with pytest.raises(SuiteError, match=r"153 of 300 answers[\s\S]*JSONDecodeError \(test_health.py:\d+\), 153 times"):
        health.check()


@pytest.mark.parametrize("innocent", ROLES)
def test_a_role_without_exceptions_clears_the_test_function(innocent):
    health = graded(reads_json, lambda role, n: RIGHT if role == innocent else WRONG)
    health.check()
    assert len(health.notes()) == 2


def test_a_body_that_raises_on_each_of_the_first_answers_is_not_tried_on_the_rest():
    health = Health("test_numbers", [case.id for case in CASES])
    with pytest.raises(SuiteError, match="every one of the first 60 answers"):
        graded(reads_json, lambda role, n: WRONG, health)
    assert ALL_OF_THE_FIRST == 20


def test_an_answer_that_is_not_json_is_never_an_error_in_the_suite():
    health = graded(asks_for_json, lambda role, n: WRONG)
    health.check()
    (grader,) = health.graders()
    assert (grader.name, grader.passed, grader.raised) == ("completion.json", 0, 0)
    assert "the answer is not JSON" in grader.reason
    assert "completion.json fails all 300 answers" in health.notes()[0]


@pytest.mark.parametrize(("body", "said"), [(needs_a_module, "no_such_module"), (misspells, "complection")])
def test_an_exception_unrelated_to_the_answer_is_an_error_at_the_first_case(body, said):
    with pytest.raises(SuiteError, match=rf"{said}[\s\S]*while grading case 'c0' \(cases.jsonl:1\) on base"):
        graded(body, lambda role, n: RIGHT)


def test_the_commonest_kind_of_reason_is_shown_by_an_example():
    health = Health("test", ["c0"])
    for number in range(9):
        health.add(CASES[0], "base", answer("x"), [Grade("same", 0.0, False, f"'answer {number}' is not 'x'")])
    health.add(CASES[0], "base", answer("x"), [Grade("same", 0.0, False, "empty"), Grade("same", 1.0, True)])
    first, second = health.graders()
    assert (first.reason, first.of_this_kind, first.nobody) == ("'answer 0' is not 'x'", 9, 1)
    assert (second.name, second.everybody) == ("same 2", 1)


def test_a_case_that_raises_for_one_role_only_is_not_one_that_no_role_passes():
    health = graded(reads_json, lambda role, n: WRONG if role == "base" else RIGHT)
    raised = next(grader for grader in health.graders() if grader.name == "exception")
    assert (raised.nobody, raised.everybody, raised.passed, raised.graded) == (0, 0, 200, 300)


def test_answers_are_counted_by_kind():
    health = Health("test", [case.id for case in CASES])
    says = ["", " ", "same", "same", "same", "other"]
    for case, text in zip(CASES, says, strict=False):
        health.add(case, "base", answer(text), [Grade("any", 1.0, True)])
    health.add(CASES[7], "base", Completion("k", "s", "m", "", "stop", refusal="I will not."), [])
    health.add(CASES[8], "base", Completion("k", "s", "m", "and so on", "length"), [])
    called = (ToolCall("1", "weather", "{}"),)
    health.add(CASES[9], "base", Completion("k", "s", "m", "", "tool_calls", tool_calls=called), [])
    said = health.answers()["base"]
    assert (said.answers, said.empty, said.identical, said.commonest) == (9, 2, 3, "same")


def notes_on(*grades):
    health = Health("test", [case.id for case in CASES])
    for case in CASES[:20]:
        health.add(case, "base", answer("x"), grades)
    return health.notes()


def test_graders_that_never_fail_or_never_pass_are_noted():
    mild, strict = Grade("mild", 1.0, True), Grade("strict", 0.0, False, "no")
    (said,) = notes_on(mild, strict)
    assert said.startswith('strict fails all 20 answers that it graded, most often: "no" (20 times)')
    (said,) = notes_on(mild)
    assert said.startswith("Here mild passes all 20 answers")
    (said,) = notes_on(mild, mild)
    assert said.startswith("Here every grader passes all 20 answers")
