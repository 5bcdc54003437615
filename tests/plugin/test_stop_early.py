"""``--stop-early`` looks at planned points, stops when all is decided, and says what was saved."""

import json


def verdict(project):
    return json.loads((project.reports()[-1].parent / "report.json").read_text())["evaluations"][0]


def test_a_clear_winner_is_promoted_before_all_cases_are_asked(project):
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


def test_the_order_is_random_and_always_the_same(project):
    project.cases(400)
    project.server.knows = {"base": lambda n: False, "teacher": lambda n: n % 2 == 0, "candidate": lambda n: True}
    project.run("--stop-early")
    asked = {number for _, number in project.server.calls}
    assert asked != set(range(len(asked)))
    project.run("--stop-early", "--fresh")
    assert {number for _, number in project.server.calls} == asked


def test_a_run_without_it_looks_once(project):
    project.cases(400)
    project.server.knows["candidate"] = lambda n: True
    project.run()
    assert verdict(project)["evaluated"] == 400
    assert verdict(project)["notes"] == []
