"""Rules in distilltest.yaml apply to evaluations without rules."""

import pytest

from distilltest.exit_codes import COULD_NOT_RUN

SUITE = """
from distilltest import evaluation


@evaluation(dataset="cases.jsonl", prompt="prompt.yaml")
def test_numbers(case, completion, exact_match):
    exact_match(completion.text, case.reference)
"""


def with_gate(project, gate):
    project.write("suites/test_numbers.py", SUITE)
    with (project.root / "distilltest.yaml").open("a") as config:
        config.write(gate)


def test_the_rules_of_the_configuration_decide(project):
    with_gate(
        project,
        "gate:\n  rules:\n    - better_than: base\n    - not_worse_than: {role: teacher, margin: 0.05}\n"
        "    - no_slice_regresses\n",
    )
    result = project.run()
    assert result.ret == 0
    out = result.stdout.str()
    assert "not worse than teacher by 5 points" in out
    assert "no slice worse than teacher" in out


def test_without_rules_the_error_says_where_to_add_them(project):
    with_gate(project, "")
    result = project.run()
    assert result.ret == COULD_NOT_RUN
    assert "has no gate=" in result.stdout.str()
    assert "gate: {rules: [{better_than: base}]}" in result.stdout.str()


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ("gate: {rules: [{better_then: base}]}\n", "better_then"),
        ("gate: {rules: [{not_worse_than: teacher}]}\n", "missing a required argument: 'margin'"),
        ("gate: {rules: [{not_worse_than: {role: teacher, margin: 5}}]}\n", "the margin is a share in (0, 1)"),
        ("gate: {rules: [{at_least: {share: 0.9}}]}\n", "it takes score, role"),
    ],
)
def test_a_mistake_in_a_rule_is_named_with_its_line(project, gate, message):
    with_gate(project, gate)
    result = project.run()
    assert result.ret == COULD_NOT_RUN
    out = result.stdout.str()
    assert message in out
    assert "distilltest.yaml:7" in out
    assert "Traceback" not in out
