"""Counting exceptions and reasons while answers are graded."""

import json
import random

import pytest

from distilltest.errors import SuiteError
from distilltest.evaluations.health import ALL_OF_THE_FIRST, Health
from distilltest.grading import PER_CALL_CASE, PER_CALL_COMPLETION, BoundBody
from distilltest.records import Case, Completion, Grade

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
    """The health of an evaluation in which a role says ``says(role, number)``."""
    bound = BoundBody.of(body, body.__name__, ARGUMENTS)
    health = health or Health(body.__name__, [case.id for case in CASES])
    for role in roles:
        health.expect(role)
    calls = [(case, role) for case in cases for role in roles]
    if dice:
        dice.shuffle(calls)
    for case, role in calls:
        health.add(case, role, bound.grade(case, answer(says(role, case.item["number"])), role))
    return health


RIGHT, WRONG = '{"n": 1}', "no idea"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("bad", [1, 50])
def test_exceptions_on_few_answers_of_a_role_are_failed_grades_that_are_counted(bad, seed):
    health = graded(reads_json, lambda role, n: WRONG if n < bad else RIGHT, dice=random.Random(seed))
    health.check()
    (raised, held) = sorted(health.graders(), key=lambda grader: grader.name, reverse=True)
    assert (raised.name, raised.graded, raised.raised, raised.passed) == ("exception", 3 * bad, 3 * bad, 0)
    assert raised.reason.startswith("JSONDecodeError: Expecting value")
    assert "(test_health.py:" in raised.reason
    assert held.name == "assert"
    assert (held.passed, held.everybody, held.nobody) == (3 * (100 - bad), 100 - bad, 0)
    assert f"candidate: grading raised an exception on {bad} of 100 answers" in " ".join(health.notes())


@pytest.mark.parametrize("seed", range(3))
def test_exceptions_on_most_answers_of_every_role_are_a_mistake_of_the_suite(seed):
    health = graded(reads_json, lambda role, n: WRONG if n < 51 else RIGHT, dice=random.Random(seed))
    with pytest.raises(SuiteError, match=r"153 of 300 answers[\s\S]*JSONDecodeError \(test_health.py:\d+\), 153 times"):
        health.check()


@pytest.mark.parametrize("innocent", ROLES)
def test_a_role_that_gets_through_proves_the_test_function(innocent):
    health = graded(reads_json, lambda role, n: RIGHT if role == innocent else WRONG)
    health.check()
    assert len(health.notes()) == 2


def test_a_body_that_raises_on_each_of_the_first_answers_is_not_tried_on_the_rest():
    health = Health("test_numbers", [case.id for case in CASES])
    with pytest.raises(SuiteError, match="every one of the first 60 answers"):
        graded(reads_json, lambda role, n: WRONG, health)
    assert ALL_OF_THE_FIRST == 20


def test_an_answer_that_is_not_json_is_never_a_mistake_of_the_suite():
    health = graded(asks_for_json, lambda role, n: WRONG)
    health.check()
    (grader,) = health.graders()
    assert (grader.name, grader.passed, grader.raised) == ("json", 0, 0)
    assert "the answer is not JSON" in grader.reason
    assert not health.notes()


@pytest.mark.parametrize(("body", "said"), [(needs_a_module, "no_such_module"), (misspells, "complection")])
def test_what_no_answer_can_be_blamed_for_is_an_error_at_the_first_case(body, said):
    with pytest.raises(SuiteError, match=rf"{said}[\s\S]*while grading case 'c0' \(cases.jsonl:1\) on base"):
        graded(body, lambda role, n: RIGHT)


def test_the_commonest_kind_of_reason_is_told_by_an_example():
    health = Health("test", ["c0"])
    for number in range(9):
        health.add(CASES[0], "base", [Grade("same", 0.0, False, f"'answer {number}' is not 'x'")])
    health.add(CASES[0], "base", [Grade("same", 0.0, False, "empty"), Grade("same", 1.0, True)])
    first, second = health.graders()
    assert (first.reason, first.of_this_kind, first.nobody) == ("'answer 0' is not 'x'", 9, 1)
    assert (second.name, second.everybody) == ("same 2", 1)
