"""Custom graders and Python graders: in threads, and with models to ask."""

import json
import threading

import pytest
from graders.benches import bench, completion, config, grades

from distilltest import Grade, GraderFailed
from distilltest.errors import ConfigError, SuiteError
from distilltest.evaluations.grading import BoundBody, GradingCall
from distilltest.graders import python_grader, python_pool
from distilltest.pytest_plugin.fixtures.custom import CustomGrader, grader
from distilltest.pytest_plugin.fixtures.deterministic import Multi, PythonGrader
from distilltest.pytest_plugin.fixtures.threads import MOST, GradeInThread
from distilltest.records import Case


def own(function, **options):
    return CustomGrader(function, function.__name__, **options)


def is_short(case, completion, words=3):
    passed = len(completion.text.split()) <= words
    return Grade("is_short", float(passed), passed, f"{threading.current_thread().name}")


def test_plain_graders_run_beside_each_other():
    together = threading.Barrier(4, timeout=20)

    def meets(case, completion):
        together.wait()  # ends only if four answers are graded at once
        return Grade("meets", 1.0, True)

    bound = BoundBody.of(lambda meets: meets(), "test_it", {"meets": own(meets)})
    case = Case("q", {"id": "q"})
    calls = [bound.run(GradingCall(case, completion(str(n)), "base", 0, bench())) for n in range(4)]
    assert all(call.grades[0].given().passed for call in calls)


def test_no_more_threads_than_a_bound_and_none_is_left():
    most, at_once, lock, full = [0], [0], threading.Lock(), threading.Event()

    def work():
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
            if at_once[0] == MOST:
                full.set()
        full.wait(20)
        with lock:
            at_once[0] -= 1
        return Grade("g", 1.0, True)

    found = [GradeInThread("g", work) for _ in range(5 * MOST)]
    assert [one.given().score for one in found] == [1.0] * (5 * MOST)
    assert most[0] == MOST


def test_a_plain_body_may_use_the_grade_of_a_thread():
    def body(is_short, completion):
        grade = is_short(words=2)
        assert (grade.passed, grade.score) == (False, 0.0)
        assert grade.reason == "distilltest-grader"

    found = grades(body, "one two three", place=bench(), is_short=own(is_short))
    assert [(grade.name, grade.passed) for grade in found] == [("is_short", False), ("assert", True)]


def test_a_grader_that_must_run_alone_stays_in_the_body():
    (grade,) = grades(lambda given: given(), "one", place=bench(), given=own(is_short, parallel=False))
    assert grade.reason == threading.current_thread().name
    assert callable(grader(parallel=False))


@pytest.mark.parametrize("define", ["plain", "async"])
def test_what_a_grader_raises_is_a_failed_grade_unless_the_answer_is_not_to_blame(define):
    def graded(raised):
        def plain(case, completion):
            raise raised

        async def later(case, completion):
            raise raised

        return grades(lambda given: given(), "x", place=bench(), given=own(plain if define == "plain" else later))

    (grade,) = graded(KeyError("term"))
    assert (grade.passed, grade.raised.startswith("KeyError")) == (False, True)
    (grade,) = graded(AssertionError("too long"))
    assert (grade.passed, grade.reason) == (False, "too long")
    with pytest.raises(GraderFailed, match="the database is away") as caught:
        graded(GraderFailed("the database is away"))
    assert caught.value.kind == "grader failed"
    with pytest.raises(SuiteError, match="install the module"):
        graded(ModuleNotFoundError("No module named 'x'"))


@pytest.mark.parametrize("text", ["no JSON", '{"a": 1}'])
def test_an_answer_that_is_not_json_fails_the_grade(text):
    def has_a(case, completion):
        return Grade("has_a", float("a" in completion.json()), True)

    (grade,) = grades(lambda given: given(), text, place=bench(), given=own(has_a))
    assert (grade.name, grade.passed) == ("has_a", text != "no JSON")


async def agrees(case, completion, models):
    teacher = await models.answer("teacher")
    if teacher is None:
        return Grade("agrees", 1.0, True, "nobody to agree with")
    vectors = [await models.embed(text) for text in (completion.text, teacher.text)]
    question = f"Does it agree with {teacher.text!r}?"
    said = await models.label(question, completion.text, labels=["yes", "no"], passing_labels=["yes"])
    number = await models.score("How well?", completion.text, span=(1, 5), votes=2)
    return Grade("agrees", number.score, said.passed, f"{said.name} {vectors[0] == vectors[1]}")


def test_a_grader_may_ask_judges_embeddings_and_other_roles():
    def reply(request):
        return "yes" if "agree with" in json.dumps(request.messages) else 4

    place = bench(reply, teacher="ab")
    (grade,) = grades(lambda given: given(), "ab", place=place, given=own(agrees))
    assert (grade.name, grade.score, grade.passed, grade.reason) == ("agrees", 0.75, True, "agrees True")
    assert len(place.engine.requests) == 1 + 2 + 1 + 2  # every call goes through the engine, which stores and counts it
    assert [(use.grader, use.asked) for use in place.uses()] == [("label_model", 1), ("score_model", 1)]
    (grade,) = grades(lambda given: given(), "ab", place=bench(teacher=None), given=own(agrees))
    assert grade.reason == "nobody to agree with"


def test_wrong_use_of_models_is_an_error():
    with pytest.raises(SuiteError, match="it must be an `async def`"):

        @grader
        def asks(case, completion, models):
            return Grade("asks", 1.0, True)

    place = bench(teacher="ab", project=config(judges={}))
    with pytest.raises(ConfigError, match="No judge"):
        grades(lambda given: given(), "ab", place=place, given=own(agrees))


def test_python_graders_run_beside_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr(python_pool, "BESIDE", 2)
    source = "import os\ndef grade(sample, item):\n    return os.getpid() / 2**22"
    with python_pool.worker(source, 2**31, 60) as one, python_pool.worker(source, 2**31, 60) as other:
        assert one is not other
        kept = {one, other}
    with python_pool.worker(source, 2**31, 60) as again:
        assert again in kept


def test_a_python_grader_is_a_grade_for_plain_bodies_and_formulas():
    source = "def grade(sample, item):\n    return len(sample['output_text']) / 10"

    def body(python_grader, multi):
        grade = python_grader(source)
        assert grade.score == 0.5
        multi({"a": grade}, "2 * a")

    found = grades(body, "five!", place=bench(), python_grader=PythonGrader(), multi=Multi())
    assert [(grade.name, grade.score) for grade in found] == [("multi", 1.0), ("assert", 1.0)]
    assert python_grader(source, {"output_text": "five!"}, {}).score == 0.5
