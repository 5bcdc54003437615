"""An evaluation is one item; its gate is the test; the exit code says what happened."""

import json

import pytest

from distilltest.exit_codes import COULD_NOT_RUN, INCOMPLETE, UNDECIDED


def test_a_good_candidate_is_promoted(project):
    result = project.run()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*promote*"])
    result.assert_outcomes(passed=1)
    report = json.loads((project.reports()[0].parent / "report.json").read_text())
    assert report["verdict"]["status"] == "promote"


def test_a_bad_candidate_is_blocked_and_the_worst_cases_are_shown(project):
    project.server.knows["candidate"] = lambda n: n % 3 == 0
    result = project.run()
    assert result.ret == 1
    result.assert_outcomes(failed=1)
    out = result.stdout.str()
    assert "block" in out
    assert "number 1" in out
    assert "answer 1" in out
    assert "no idea" in out
    assert "Traceback" not in out
    failure = out[out.index("FAILURES") : out.index("= distilltest")].splitlines()
    assert len(failure) <= 24  # twenty of ours between pytest's headings


def test_too_few_cases_are_undecided(project):
    project.cases(30)
    assert project.run().ret == UNDECIDED


@pytest.mark.parametrize(
    "options",
    [["-k", "numbers"], ["--limit", "19"], ["--tag", "odd", "--tag", "even"], ["--case", "q-1"]],
    ids=["k", "limit", "tag", "case"],
)
def test_a_narrowed_run_never_promotes(project, options):
    project.small()
    result = project.run(*options)
    assert result.ret in (INCOMPLETE, UNDECIDED)
    result.assert_outcomes(failed=1)


def test_a_deselected_evaluation_narrows_the_run(project):
    project.small()
    project.write(
        "suites/test_more.py",
        (project.root / "suites/test_numbers.py").read_text().replace("test_numbers", "test_more"),
    )
    assert project.run("--deselect", "suites/test_more.py::test_more").ret == INCOMPLETE


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=str)
def test_marks_narrow_a_run_only_if_they_leave_out_an_evaluation(project, options):
    project.small()
    text = (project.root / "suites/test_numbers.py").read_text()
    slow = text.replace("@evaluation(", "@pytest.mark.xfail(False, reason='')\n@evaluation(").replace(
        "from", "import pytest\nfrom", 1
    )
    assert project.run("-m", "not xfail", *options).ret == 0
    project.write("suites/test_more.py", slow.replace("test_numbers", "test_more"))
    result = project.run("-m", "not xfail", *options)
    assert result.ret == INCOMPLETE
    result.stdout.fnmatch_lines(["*only a part was run (-m 'not xfail')*"])


@pytest.mark.parametrize("good", [True, False])
@pytest.mark.parametrize(
    "options", [["-p", "no:terminal"], ["-n", "2"], ["-q"], ["-v"], ["-p", "no:cacheprovider"]], ids=str
)
def test_how_it_is_printed_changes_no_exit_code(project, options, good):
    project.small()
    if not good:
        project.server.knows |= {"base": lambda n: True, "candidate": lambda n: False}
    assert project.run(*options).ret == (0 if good else 1)


def test_two_workers_write_the_same_report(project):
    project.small()
    for name in ("a", "b"):
        project.write(
            f"suites/test_{name}.py",
            (project.root / "suites/test_numbers.py").read_text().replace("test_numbers", f"test_{name}"),
        )
    assert project.run().ret == 0
    assert project.run("-n", "2").ret == 0
    first, second = (json.loads((path.parent / "report.json").read_text()) for path in project.reports())
    assert first["verdict"] == second["verdict"]
    assert [e["id"] for e in first["evaluations"]] == [e["id"] for e in second["evaluations"]]
    assert [e["verdict"] for e in first["evaluations"]] == [e["verdict"] for e in second["evaluations"]]


def test_failed_calls_are_incomplete_and_never_a_score(project):
    project.small()

    def broken(model, number):
        return (500, {"error": {"message": "overloaded"}}) if number == 5 else (200, _right(model, number))

    project.server.special["candidate"] = broken
    result = project.run()
    assert result.ret == INCOMPLETE
    result.stdout.fnmatch_lines(["*incomplete*"])


def test_verbose_shows_a_line_for_each_role(project):
    project.small()
    result = project.run("-v")
    for role in ("base", "teacher", "candidate"):
        result.stdout.fnmatch_lines([f"    *{role}*"])


def test_another_failing_test_keeps_pytests_own_exit_code(project):
    project.cases(30)
    project.write("suites/test_plain.py", "def test_plain():\n    assert 1 == 2\n")
    assert project.run().ret == 1


def test_a_run_with_an_error_in_another_evaluation_is_never_reported_as_promoted(project):
    project.small()
    text = (project.root / "suites/test_numbers.py").read_text()
    project.write(
        "suites/test_other.py", text.replace("exact_match(completion.text, case.reference)", "raise KeyError")
    )
    assert project.run().ret == COULD_NOT_RUN
    report = json.loads((project.reports()[0].parent / "report.json").read_text())
    assert report["verdict"]["status"] == "incomplete"


def test_the_junit_file_carries_the_verdict(project):
    project.small()
    project.run("--junitxml", "junit.xml")
    assert 'name="distilltest_verdict" value="promote"' in (project.root / "junit.xml").read_text()


def _right(model, number):
    from plugin.answering_server import chat_answer

    return chat_answer(model, f"answer {number}")
