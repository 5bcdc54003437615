"""``--stop-early`` decides at planned analyses, stops when every rule is decided, and reports the savings."""

import json

import pytest

from distilltest.statistics.spending import share


def verdict(project):
    return json.loads((project.reports()[-1].parent / "report.json").read_text())["evaluations"][0]


def test_a_clear_winner_is_promoted_before_all_cases_are_asked_in_an_order_that_is_random_and_always_the_same(project):
    project.cases(400)
    project.server.knows = {"base": lambda n: False, "teacher": lambda n: n % 2 == 0, "candidate": lambda n: True}
    result = project.run("--stop-early")
    assert result.ret == 0
    found = verdict(project)
    assert found["evaluated"] < 400
    assert sum(project.server.calls.values()) == 3 * found["evaluated"]
    assert f"{3 * (400 - found['evaluated']):,} calls were saved" in result.stdout.str()
    assert found["verdict"]["status"] == "promote"
    assert "stopped early: every rule is proven" in found["verdict"]["sentence"]
    asked = {number for _, number in project.server.calls}
    assert asked != set(range(len(asked))), "the order is random"
    project.run("--stop-early", "--fresh")
    assert {number for _, number in project.server.calls} == asked, "and always the same"


def test_a_broken_candidate_is_blocked_early(project):
    project.cases(400)
    project.server.knows["candidate"] = lambda n: False
    assert project.run("--stop-early").ret == 1
    assert verdict(project)["evaluated"] == 100


def test_what_cannot_be_proven_any_more_ends_undecided(project):
    project.cases(200)
    project.server.knows = dict.fromkeys(("base", "teacher", "candidate"), lambda n: n % 2 == 0)
    assert project.run("--stop-early").ret == 10
    found = verdict(project)
    assert found["evaluated"] < 200
    assert "would hardly be proven by the rest" in found["verdict"]["sentence"]


def test_a_run_without_it_looks_once(project):
    project.server.knows["candidate"] = lambda n: True
    project.run()
    assert verdict(project)["evaluated"] == 120
    assert not any("look" in note or "early" in note for note in verdict(project)["notes"])


def test_who_looked_early_first_is_held_to_that_level_at_the_end(project, monkeypatch):
    for number, (name, value) in enumerate({"user.name": "Ada", "user.email": "ada@example.org"}.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", name)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
    project.cases(400)
    project.server.knows["candidate"] = lambda n: True
    project.run("--stop-early")
    said = project.run().stdout.str()
    found = verdict(project)
    assert found["evaluated"] == 400
    assert found["alpha"] == pytest.approx(0.0265, abs=1e-4)
    assert found["configured_alpha"] == 0.05
    assert "This candidate was judged with --stop-early first: the level at the end stays 0.0265." in said
    project.server.knows["second"] = lambda n: True
    project.run("--candidate", "second")
    assert verdict(project)["alpha"] == pytest.approx(0.05 * share(2)), "another candidate has looks of its own"
    assert project.distilltest("promote", "candidate").returncode == 0


def test_who_was_judged_at_the_end_first_is_judged_there_again(project):
    project.cases(400)
    project.server.knows["candidate"] = lambda n: True
    project.run("--limit", "100")
    project.run()
    asked = sum(project.server.calls.values())
    said = project.run("--stop-early").stdout.str()
    found = verdict(project)
    assert (found["evaluated"], found["alpha"]) == (400, pytest.approx(0.05 * share(1)))
    assert "stopped early" not in found["verdict"]["sentence"]
    assert "it is judged at the end again, without --stop-early" in said
    assert sum(project.server.calls.values()) == asked
