"""Reports of the four verdicts, compared with gold files.

After an intended change, update them with ``UPDATE_GOLD=1 python -m pytest tests/reporting``, and read the difference.
"""

import os
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from reporting import any_run

from distilltest import at_least, better_than, no_slice_regresses, not_worse_than
from distilltest.evaluations.results import Change, EvaluationResult, RunInfo, ShownAnswer
from distilltest.gate import Verdict, decide
from distilltest.gate.table import ResultsTable
from distilltest.records import Model, Outcome
from distilltest.reporting import json as json_report
from distilltest.reporting import markdown, terminal
from distilltest.reporting.report import EvaluationReport, RunReport

GOLD = Path(__file__).parent / "gold"
N = 200
RATES = {
    "promote": (0.3, 0.9, 0.93),
    "block": (0.3, 0.9, 0.55),
    "undecided": (0.3, 0.9, 0.87),
    "incomplete": (0.3, 0.9, 0.9),
}


def outcomes(verdict):
    seed = random.Random(7)
    for number in range(N):
        luck = seed.random()
        for role, rate in zip(("base", "teacher", "candidate"), RATES[verdict], strict=True):
            if verdict == "incomplete" and role == "candidate" and number % 50 == 3:
                yield Outcome(
                    f"c{number}",
                    role,
                    0,
                    None,
                    None,
                    f"{role} {number}",
                    failure="rate limited",
                    failure_message="HTTP 429: slow down.",
                )
                continue
            passed = luck < rate
            tokens = {"prompt_tokens": 40 if role == "candidate" else 400, "completion_tokens": 12}
            yield Outcome(
                f"c{number}", role, 0, passed, float(passed), f"{role} {number}", **tokens, latency=0.1 + luck / 10
            )


def run_report(verdict):
    found = tuple(outcomes(verdict))
    roles = ("base", "teacher", "candidate")
    table = ResultsTable.from_outcomes([f"c{i}" for i in range(N)], roles, found, "pass")
    rules = [better_than("base"), not_worse_than("teacher", margin=0.05), at_least(0.7)]
    change = Change(
        "c3", "lost" if verdict != "incomplete" else "failed", "teacher" if verdict != "incomplete" else "",
        "list | files in `src` with <b>tags</b>", "git ls-files src", ("inspecting",),
        (
            ShownAnswer("candidate", "git ls-files\n# | not *this*", False, "'git ls-files' is not 'git ls-files src'"),
            ShownAnswer("base", "git help", False),
            ShownAnswer("teacher", "git ls-files src", True),
        ),
    )  # fmt: skip
    result = EvaluationResult(
        id="suites/test_git.py::test_command",
        dataset="fixtures/git.jsonl",
        dataset_fingerprint="d" * 64,
        cases=N,
        evaluated=N,
        prompts=dict.fromkeys(roles, "fixtures/prompt.yaml"),
        prompt_fingerprints=dict.fromkeys(roles, "e" * 64),
        models={role: Model(role, "openai", "https://x/v1", f"{role}-model", {"temperature": 0}) for role in roles},
        metric="pass",
        trials=1,
        alpha=0.05,
        verdict=decide(rules, table, alpha=0.05),
        outcomes=found,
        changes=(change,),
        tags={f"c{i}": ("even",) for i in range(0, N, 2)},
        usd={"base": 0.01, "teacher": 0.5, "candidate": 0.03},
        seconds=12.3456,
    )
    info = RunInfo(
        "20261121-093000-1f3a",
        "2026-11-21T09:30:00+00:00",
        "pytest suites/",
        {"distilltest": "0.1.0"},
        "abc123",
        600,
        0,
        4,
        12.5,
    )
    return RunReport.of(info, [EvaluationReport.of(result)])


@pytest.mark.parametrize("verdict", RATES)
@pytest.mark.parametrize(("kind", "render"), [("md", markdown.render), ("txt", terminal.summary)])
def test_the_report_matches_the_gold_file(verdict, kind, render):
    report = run_report(verdict)
    assert report.verdict.status == verdict
    gold = GOLD / f"{verdict}.{kind}"
    text = render(report).rstrip() + "\n"
    if os.environ.get("UPDATE_GOLD"):
        gold.parent.mkdir(exist_ok=True)
        gold.write_text(text, encoding="utf-8")
    assert text == gold.read_text(encoding="utf-8")


@pytest.mark.parametrize("verdict", RATES)
def test_a_failure_message_has_at_most_twenty_lines(verdict):
    (evaluation,) = run_report(verdict).evaluations
    assert len(terminal.failure(evaluation).splitlines()) <= 20


def test_a_report_survives_json():
    import orjson

    report = run_report("block")
    content = orjson.loads(json_report.render(report))
    assert [EvaluationReport.from_json(e) for e in content["evaluations"]] == list(report.evaluations)


def test_several_trials_show_how_often_one_and_how_often_all_pass():
    passed = {
        "c0": (True, True, True),
        "c1": (True, False, False),
        "c2": (False, False, False),
        "c3": (True, True, False),
    }
    found = tuple(
        Outcome(case, "candidate", trial, right, float(right), f"{case}{trial}")
        for case, trials in passed.items()
        for trial, right in enumerate(trials)
    )
    table = ResultsTable.from_outcomes(list(passed), ["candidate"], found, "pass", trials=3)
    result = EvaluationResult(
        id="suites/test_git.py::test_command",
        dataset="d.jsonl",
        dataset_fingerprint="d",
        cases=4,
        evaluated=4,
        prompts={"candidate": "p.yaml"},
        prompt_fingerprints={"candidate": "p"},
        models={"candidate": Model("candidate", "s", "https://x/v1", "m")},
        metric="pass",
        trials=3,
        alpha=0.05,
        verdict=decide([at_least(0.7)], table, alpha=0.05),
        outcomes=found,
        changes=(),
    )
    report = EvaluationReport.of(result)
    (line,) = report.roles
    assert (line.rate, line.any_passes, line.all_pass) == (0.5, 0.75, 0.25)
    shown = terminal.summary(RunReport.of(run_report("block").info, [report]))
    assert "pass@3" in shown
    assert "pass^3" in shown
    assert "75.0 %" in shown


def test_expected_differences_of_slices_are_rounded_like_all_differences():
    names = [f"c{i}" for i in range(437)]
    columns = {
        "teacher": tuple(float(i % 7 > 0) for i in range(437)),
        "candidate": tuple(float(i % 9 > 0) for i in range(437)),
    }
    table = ResultsTable(tuple(names), columns, tags=tuple((("a", "b", "c")[i % 3],) for i in range(437)))
    (rule,) = decide(no_slice_regresses("teacher"), table).rules
    result = any_run.run_of(
        replace(table, values=columns | {"base": columns["teacher"]}), Verdict(rule.status, "it is so", (rule,))
    )
    rows = re.findall(
        r"^\| [abc] \| \d+ \| (\S+) \| (\S+) \((\S+) to (\S+)\) \|$", markdown.render(result), re.MULTILINE
    )
    assert len(rows) == 3
    for row in rows:
        assert all(re.fullmatch(r"[+-]?\d+(\.\d)?", figure) for figure in row), row
    seen = {one.tag: one.difference for one in rule.slices}
    assert [float(row[0]) for row in rows] == [round(100 * seen[tag], 1) for tag in "abc"]
