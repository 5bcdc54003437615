"""The bodies of evaluations."""

from distilltest.exit_codes import COULD_NOT_RUN, UNDECIDED


def test_an_assert_is_a_grade_with_pytests_explanation(project):
    project.suite("assert completion.text == case.reference", parameters="case, completion")
    assert project.run().ret == 0
    project.server.knows["candidate"] = lambda n: False
    result = project.run("--fresh")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*'no idea' == 'answer *"])


def test_an_async_body_is_graded(project):
    project.suite(
        "import asyncio\n    await asyncio.sleep(0)\n    exact_match(completion.text, case.reference)",
        define="async def",
    )
    assert project.run().ret == 0


def test_ordinary_fixtures_and_parametrize_work(project):
    project.write(
        "suites/test_numbers.py",
        """
import pytest
from distilltest import better_than, evaluation

made = []

@pytest.fixture
def suffix():
    made.append(1)
    yield ""
    assert len(made) <= 2  # once for the item, not once for each case

@pytest.mark.parametrize("operation", ["eq", "like"])
@evaluation(dataset="cases.jsonl", prompt="prompt.yaml", gate=[better_than("base")])
def test_numbers(case, completion, string_check, suffix, operation):
    string_check(completion.text + suffix, case.reference, operation)

class TestInClass:
    @evaluation(dataset="cases.jsonl", prompt="prompt.yaml", gate=[better_than("base")])
    def test_method(self, case, completion, exact_match):
        assert isinstance(self, TestInClass)
        exact_match(completion.text, case.reference)
""",
    )
    result = project.run()
    assert result.ret == 0
    result.assert_outcomes(passed=3)
    assert max(project.server.calls.values()) == 1  # three evaluations share their requests


def test_alternatives_of_the_case_count(project):
    project.cases(120, reference="unlike", alternatives=["no idea"])
    project.suite(gate="[at_least(0.9)]")
    assert project.run().ret in (1, UNDECIDED)
    project.server.knows["candidate"] = lambda n: False
    assert project.run("--fresh").ret == 0


def test_an_exception_in_the_body_is_an_error_that_names_the_case(project):
    project.suite("raise KeyError('oops')", parameters="completion")
    result = project.run()
    assert result.ret == COULD_NOT_RUN
    result.stdout.fnmatch_lines(
        ["*No role gets through*", "The first: KeyError: 'oops'*", "while grading case 'q-*cases.jsonl:*"]
    )
    assert "distilltest/evaluations" not in result.stdout.str()


def test_skipping_in_the_body_is_not_a_pass(project):
    project.suite("import pytest; pytest.skip('not today')", parameters="completion")
    result = project.run()
    assert result.ret == COULD_NOT_RUN
    result.stdout.fnmatch_lines(["*would look like a pass*"])


def test_a_body_that_records_nothing_is_an_error(project):
    project.suite("len(completion.text)", parameters="completion")
    result = project.run()
    assert result.ret == COULD_NOT_RUN
    result.stdout.fnmatch_lines(["*recorded no grade*Call a grader*"])


def test_a_function_without_completion_is_refused_when_it_is_collected(project):
    project.suite("pass", parameters="case")
    result = project.run()
    assert result.ret == 2
    result.stdout.fnmatch_lines(["*takes `completion`*"])
    assert not project.server.calls


def test_a_missing_reference_is_named(project):
    project.cases(10, reference=None)
    result = project.run()
    assert result.ret == COULD_NOT_RUN
    result.stdout.fnmatch_lines(["*cases.jsonl:*has no reference*"])


def test_the_fixtures_explain_themselves(project):
    result = project.run("--fixtures")
    result.stdout.fnmatch_lines(["exact_match*", "*case's alternatives*"])


def test_a_fixture_that_needs_the_case_is_an_error_with_a_remedy(project):
    project.write(
        "suites/conftest.py", "import pytest\n\n@pytest.fixture\ndef early(case):\n    return case.reference\n"
    )
    project.suite("exact_match(completion.text, early)", parameters="completion, exact_match, early")
    result = project.run()
    assert result.ret == COULD_NOT_RUN
    result.stdout.fnmatch_lines(["*only while the test function's body runs*"])
