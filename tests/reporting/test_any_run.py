"""Every rule on every kind of data is rendered in every format; a format that fails affects no other."""

import json
import re
from dataclasses import replace
from typing import get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reporting.any_run import KINDS, ROLES, run_of, runs

from distilltest.gate import RuleVerdict, Status, Verdict
from distilltest.gate.table import ResultsTable
from distilltest.reporting import formats, markdown, terminal
from distilltest.reporting.report import EvaluationReport, RunReport

slow = settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
WRONG = re.compile(r"\b(None|nan|inf|Status\.\w+)\b|(?<![\d.])-0(?![\d.])|e-\d\d")
"""Raw values that must never reach a reader."""


def check(run):
    """Every format is rendered, and they agree."""
    made = formats.render_all(run)
    assert made.broken == ()
    (report,) = run.evaluations
    page, said = made.files["report.md"].decode(), terminal.failure(report)
    for text in (made.summary, page, said, *terminal.role_lines(report)):
        assert not WRONG.search(text), text
    assert made.run.verdict.sentence in made.summary
    assert len(said.splitlines()) <= terminal.LINES
    for rule in report.verdict.rules:
        assert rule.rule in made.summary
    content = json.loads(made.files["report.json"])
    assert [EvaluationReport.from_json(each) for each in content["evaluations"]] == list(run.evaluations)
    assert content["verdict"] == {"status": str(run.verdict.status), "sentence": run.verdict.sentence}


@pytest.mark.parametrize("kind", KINDS)
@slow
@given(st.data())
def test_any_rule_on_any_data_is_rendered_in_every_format(kind, data):
    check(data.draw(runs(kind)))


maybe = st.one_of(st.none(), st.floats(-1.0, 1.0).map(lambda value: value + 0.0))
BY_TYPE = {
    str: st.sampled_from(["", "teacher"]),
    Status: st.sampled_from(Status),
    int: st.integers(0, 99),
    int | None: st.one_of(st.none(), st.integers(0, 10**7)),
    float: st.floats(0.0, 1.0),
    float | None: maybe,
    bool: st.booleans(),
}
NAMES = {"rule": "a rule of one's own", "sentence": "it is so"}


def any_of(kind):
    """Any value of a field's type, including fields added later."""
    if kind in BY_TYPE:
        return BY_TYPE[kind]
    if get_origin(kind) is tuple:
        return st.lists(any_of(get_args(kind)[0]), max_size=2).map(tuple)
    names = get_type_hints(kind)
    return st.builds(
        kind, **{name: st.just(NAMES[name]) if name in NAMES else any_of(of) for name, of in names.items()}
    )


verdicts = any_of(RuleVerdict)
TABLE = ResultsTable(("case 0",), dict.fromkeys(ROLES, (1.0,)), tags=(("a",),))


@settings(deadline=None, max_examples=60)
@given(st.lists(verdicts, min_size=1, max_size=3), st.sampled_from(Status))
def test_values_that_a_rule_leaves_out_are_shown_as_unknown(rules, status):
    check(run_of(TABLE, Verdict(status, f"{status}: it is so", tuple(rules))))


def promoting():
    return run_of(TABLE, Verdict(Status.PROMOTE, "promote: it is so", ()))


def broken(run: RunReport) -> str:
    raise TypeError("unsupported format string")


@pytest.mark.parametrize(("name", "left"), [("report.md", "report.json"), ("report.json", "report.md")])
def test_a_format_that_fails_affects_no_other_and_does_not_promote(monkeypatch, tmp_path, name, left):
    files = tuple(replace(each, render=broken) if each.name == name else each for each in formats.FILES)
    monkeypatch.setattr(formats, "FILES", files)
    made = formats.render_all(promoting())
    assert made.run.verdict.status is Status.INCOMPLETE
    assert made.run.verdict.sentence.startswith(f"incomplete: {name} could not be made; the evaluations say promote")
    assert made.run.verdict.sentence in made.summary
    (why,) = made.broken
    assert why.startswith(f"{name} could not be made. Internal error: TypeError: unsupported format string")
    made.write(tmp_path, private=False)
    assert "could not be made" in (tmp_path / left).read_text()
    plain = tmp_path / "report.md"
    assert "Internal error" in plain.read_text() or name != "report.md"


def test_a_summary_that_fails_leaves_the_verdict_on_the_terminal(monkeypatch):
    monkeypatch.setattr(terminal, "summary", broken)
    made = formats.render_all(promoting())
    assert made.run.verdict.sentence in made.summary
    assert b"could not be made" in made.files["report.md"]
    assert b"could not be made" in made.files["report.json"]


def test_a_block_stays_a_block_where_a_report_fails(monkeypatch):
    monkeypatch.setattr(markdown, "render", broken)
    made = formats.render_all(run_of(TABLE, Verdict(Status.BLOCK, "block: it is so", ())))
    assert made.run.verdict.status is Status.BLOCK
    assert b"block: it is so" in made.files["report.md"]
