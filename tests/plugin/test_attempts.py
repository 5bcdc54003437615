"""Candidates that were gated on a dataset before this one make the gate stricter, and the report says so."""

import json

import pytest


def evaluation(project):
    return json.loads((project.reports()[-1].parent / "report.json").read_text())["evaluations"][0]


@pytest.fixture
def candidates(project):
    for name in ("second", "third"):
        project.server.knows[name] = lambda n: n % 40 != 2
    return project


def test_the_third_candidate_is_held_to_a_third_of_the_level(candidates):
    candidates.run()
    assert evaluation(candidates)["alpha"] == 0.05
    candidates.run("--candidate", "second")
    result = candidates.run("--candidate", "third")
    assert evaluation(candidates)["alpha"] == pytest.approx(0.05 / 3)
    assert "Attempt 3 on this dataset since the last promotion" in result.stdout.str()


def test_a_candidate_keeps_its_number(candidates):
    candidates.run()
    candidates.run("--candidate", "second")
    candidates.run()
    assert evaluation(candidates)["alpha"] == 0.05
    candidates.run("--candidate", "second")
    assert evaluation(candidates)["alpha"] == 0.025


def test_another_prompt_is_another_attempt(candidates):
    candidates.run()
    candidates.write("prompt.yaml", 'messages:\n  - {role: user, content: "Please: {{ item.question }}"}\n')
    candidates.run()
    assert evaluation(candidates)["alpha"] == 0.025


def test_another_dataset_begins_anew(candidates):
    candidates.run()
    candidates.cases(121)
    candidates.run("--candidate", "second")
    assert evaluation(candidates)["alpha"] == 0.05


@pytest.mark.parametrize("trial", [["--limit", "10"], ["--candidate", "ghost"]], ids=["a few cases", "no answers"])
def test_a_trial_of_the_suite_does_not_count(candidates, trial):
    candidates.run(*trial)
    candidates.run("--candidate", "second")
    assert evaluation(candidates)["alpha"] == 0.05


def test_most_of_the_dataset_counts(candidates):
    candidates.run("--limit", "100")
    candidates.run("--candidate", "second")
    assert evaluation(candidates)["alpha"] == 0.025


def test_a_run_for_another_purpose_does_not_count_and_never_promotes(candidates, monkeypatch):
    monkeypatch.setenv("DISTILLTEST_PURPOSE", "learning curve")
    result = candidates.run()
    assert result.ret == 11
    assert "this run is for a learning curve" in result.stdout.str()
    monkeypatch.delenv("DISTILLTEST_PURPOSE")
    candidates.run("--candidate", "second")
    assert evaluation(candidates)["alpha"] == 0.05
