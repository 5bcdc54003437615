"""``--plan`` estimates what a run costs and can show, and sends nothing."""

import pytest

from distilltest.exit_codes import COULD_NOT_RUN


def test_a_plan_sends_nothing_and_runs_nothing(project):
    result = project.run("--plan")
    assert result.ret == 0
    assert sum(project.server.calls.values()) == 0
    assert not project.reports()
    out = result.stdout.str()
    assert "120 cases of cases.jsonl" in out
    assert "360 calls, 360 to send" in out
    assert "no tests ran" in out


def test_a_plan_uses_the_store_and_the_measured_share_of_differences(project):
    project.run()
    out = project.run("--plan").stdout.str()
    assert "360 calls, 0 to send" in out
    assert "5 % of cases differed last time" in out  # the teacher errs in 3 of 120, the candidate in 3 others
    assert "360 to send" in project.run("--plan", "--fresh").stdout.str()


def test_a_plan_estimates_the_cost_and_warns_about_a_small_budget(project):
    project.write(
        "prices.yaml", "".join(f"{role}: {{input: 1000, output: 1000}}\n" for role in ("base", "teacher", "candidate"))
    )
    with (project.root / "distilltest.yaml").open("a") as config:
        config.write("prices: prices.yaml\nbudget: {usd: 0.5}\n")
    out = project.run("--plan").stdout.str()
    assert "The budget of $0.5000 is too small" in out
    assert "360 to send, about $" in out


def test_a_plan_hints_that_a_margin_is_hopeless(project):
    project.cases(30)
    out = project.run("--plan").stdout.str()
    assert "unlikely to be proven with 30 cases; add " in out
    assert "Smallest difference by tag, in points: even (15 cases)" in out


def test_a_plan_counts_questions_to_judges(project):
    project.suite('criteria_match(completion.text, "It is right.")', parameters="case, completion, criteria_match")
    with (project.root / "distilltest.yaml").open("a") as config:
        config.write("judge: {server: local, model: judge}\n")
    assert "about 360 questions to judges" in project.run("--plan").stdout.str()


def test_a_plan_with_a_mistake_says_so_and_fails(project):
    project.suite(gate='[better_than("ghost")]')
    result = project.run("--plan")
    assert result.ret == COULD_NOT_RUN
    result.stdout.fnmatch_lines(["*a rule names the role 'ghost', which has no model*"])


def test_without_a_candidate_the_base_stands_in(project):
    config = (project.root / "distilltest.yaml").read_text()
    project.write("distilltest.yaml", "".join(line for line in config.splitlines(True) if "candidate" not in line))
    result = project.run("--plan")
    assert result.ret == 0
    assert "There is no candidate yet; the base stands in for it." in result.stdout.str()
    assert project.run().ret == COULD_NOT_RUN


@pytest.mark.parametrize("options", [["-n", "2"], ["-p", "no:terminal"]], ids=str)
def test_a_plan_works_with_other_options(project, options):
    result = project.run("--plan", *options)
    assert result.ret == 0
    assert sum(project.server.calls.values()) == 0
    if "no:terminal" not in options:
        assert "360 to send" in result.stdout.str()


@pytest.mark.parametrize(
    ("gate", "never"), [('[at_least(0.8, role="teacher")]', True), ('[at_least(0.8), better_than("base")]', False)]
)
def test_a_gate_of_guards_is_an_error_before_anything_is_sent(project, gate, never):
    project.suite(gate=gate)
    said = " ".join(project.run("--plan").stdout.str().split())
    assert ("This gate can never promote: 'teacher at least 80 %' can only block." in said) is never
