"""Preferences in whole sessions: they do not grade one answer, and roles that nothing needs are not asked."""

from collections import Counter

import pytest
from plugin.test_judges import preferring, says

from distilltest.exit_codes import COULD_NOT_RUN

HEAD = "from distilltest import always, at_least, better_than, evaluation, not_worse_than, preferred_to\n"


@pytest.fixture
def judged(project):
    config = (project.root / "distilltest.yaml").read_text()
    project.write("distilltest.yaml", config + "judge: {server: local, model: judge, temperature: 0}\n")
    project.server.scripted["judge"] = preferring
    return project


def suite(project, body, gate, parameters="case, completion, preference, exact_match", define="def"):
    project.suite(body, parameters=parameters, gate=gate, define=define)
    path = project.root / "suites/test_numbers.py"
    path.write_text(HEAD + path.read_text().split("\n", 1)[1])


def asked(project):
    return Counter(model for model, _ in project.server.calls.elements())


def report(project):
    return project.reports()[-1].read_text()


def test_three_identical_roles_are_equal_whatever_is_compared_beside_a_grader(judged):
    for role in ("base", "teacher", "candidate"):
        judged.server.knows[role] = lambda n: n % 5 != 0
    suite(
        judged,
        'exact_match(completion.text, case.reference)\n    preference("teacher")',
        '[not_worse_than("base", margin=0.05), not_worse_than("teacher", margin=0.05)]',
    )
    result = judged.run()
    assert result.ret == 0, result.stdout.str()
    text = (
        (judged.root / "suites/test_numbers.py").read_text().replace('prompt.yaml",', 'prompt.yaml", metric="score",')
    )
    judged.write("suites/test_numbers.py", text)
    result = judged.run()
    assert result.ret == 0, result.stdout.str()
    result.stdout.fnmatch_lines(["*teacher * 80.0 % *"])


def test_a_report_of_preferences_alone_shows_no_grades(judged):
    judged.server.knows["candidate"] = lambda n: n % 4 != 0
    suite(judged, 'preference("teacher")', '[preferred_to("teacher")]')
    result = judged.run()
    assert result.ret == 1
    assert asked(judged)["base"] == 0  # no rule and no grader needs it
    assert asked(judged)["teacher"] == 120
    page = report(judged)
    assert "pass rate" in page
    assert "not graded" in page
    assert "100.0 %" not in page.split("### Judges")[0]
    assert "3 / 30" in page  # won and lost
    assert "Cases in which the answer of teacher was preferred (30)" in page
    assert "Cases in which the candidate's answer was preferred to that of teacher (3)" in page
    assert "base" not in page.split("## How to reproduce this run")[0]
    result.stdout.fnmatch_lines(["*not preferred to teacher: q-0*"])


def test_ties_alone_are_neither_a_win_nor_a_pass(judged):
    judged.server.scripted["judge"] = lambda _: says("tie")
    suite(judged, 'preference("teacher")', '[preferred_to("teacher")]')
    assert judged.run().ret == 10
    assert "0 / 0" in report(judged)
    assert "100.0 %" not in report(judged).split("### Judges")[0]


@pytest.mark.parametrize("rule", ['better_than("base")', "at_least(0.5)", "always()"])
def test_a_rule_about_grades_without_any_grades_is_an_error_at_the_first_answer(judged, rule):
    suite(judged, 'preference("teacher")', f'[preferred_to("teacher"), {rule}]')
    judged.server.knows["teacher"] = judged.server.knows["candidate"] = lambda n: True
    result = judged.run()
    assert result.ret == COULD_NOT_RUN
    result.stdout.fnmatch_lines(["*the rule *is about grades of*has none: preference() only compares*"])


def test_an_async_body_may_await_a_preference_on_every_role(judged):
    suite(
        judged,
        'exact_match(completion.text, case.reference)\n    await preference("teacher")',
        '[better_than("base"), not_worse_than("teacher", margin=0.1)]',
        define="async def",
    )
    assert judged.run().ret == 0


def test_roles_that_nothing_needs_are_neither_asked_nor_planned_nor_shown(judged):
    suite(judged, "exact_match(completion.text, case.reference)", '[better_than("base")]')
    planned = judged.run("--plan")
    planned.stdout.fnmatch_lines(["*240 calls, 240 to send*"])
    planned.stdout.no_fnmatch_line("teacher *")
    assert judged.run().ret == 0
    assert asked(judged) == {"base": 120, "candidate": 120}
    assert "| teacher |" not in report(judged)


def test_a_role_that_is_named_is_asked_and_one_that_nothing_plays_is_an_error(judged):
    grade = "exact_match(completion.text, case.reference)"
    judged.suite(grade, gate='[better_than("base")]', roles='["teacher"]')
    assert judged.run().ret == 0
    assert asked(judged)["teacher"] == 120
    judged.suite(grade, gate='[better_than("base")]', roles='["teecher"]')
    result = judged.run()
    assert result.ret == COULD_NOT_RUN
    result.stdout.fnmatch_lines(["*roles= names the role 'teecher', which has no model*"])
    judged.suite(grade, gate='[better_than("base")]', roles='"teacher"')
    judged.run().stdout.fnmatch_lines(["*roles='teacher' must be a list of names*"])


def test_a_role_that_only_a_computed_name_compares_with_is_asked_when_it_is_needed(judged):
    suite(
        judged, 'exact_match(completion.text, case.reference)\n    preference("tea" + "cher")', '[better_than("base")]'
    )
    assert judged.run().ret == 0
    assert asked(judged)["teacher"] == 120


def test_an_assert_that_holds_is_left_out_of_the_score_and_one_that_fails_makes_it_zero(judged):
    judged.cases(20)

    def score(body):
        judged.suite(body, parameters="case, completion, text_similarity", gate="[at_least(0.3)]", metric='"score"')
        code = judged.run().ret
        return code, next(line for line in report(judged).splitlines() if line.startswith("| candidate")).split("|")[3]

    similar = 'text_similarity(completion.text, "answer", "fuzzy_match")'
    alone = score(similar)
    assert score(f"{similar}\n    assert len(completion.text) < 100") == alone
    code, shown = score(f"{similar}\n    assert len(completion.text) < 1")
    assert code == 1
    assert "0.0 %" in shown
