"""The report on the terminal."""

from __future__ import annotations

from tabulate import tabulate

from distilltest.evaluations.results import Change
from distilltest.gate import Status
from distilltest.reporting.report import EvaluationReport, RunReport
from distilltest.reporting.text import (
    counts,
    grader_rows,
    how_sure,
    interval_picture,
    judge_rows,
    label_lines,
    meaning,
    rate,
    role_rows,
    rule_rows,
    seconds,
    tokens_saved,
)
from distilltest.untrusted.edges import mapped, shown_line

LINES = 20
"""The most lines of a failure message."""
WIDTH = 100
_WORDS = {"lost": "lost", "not preferred": "not preferred"}
"""Kinds of changes against the candidate → their words before "to base"."""


def summary(run: RunReport) -> str:
    """The whole run: tables of roles and rules for each evaluation, and the verdict."""
    run = mapped(run, shown_line)
    parts = []
    for report in run.evaluations:
        of_all = "" if report.evaluated == report.cases else f" of {report.cases}"
        trials = f", {report.trials} trials each" if report.trials > 1 else ""
        parts.append(f"{report.id}   {report.evaluated}{of_all} cases of {report.dataset}{trials}")
        heads, rows = role_rows(report)
        parts.append(tabulate(rows, heads, tablefmt="simple", disable_numparse=True))
        if saved := tokens_saved(report):
            parts.append(saved)
        parts += report.notes
        heads, rows = rule_rows(report)
        pictures = [interval_picture(rule) for rule in report.verdict.rules]
        if any(pictures):
            heads = [*heads, "interval, | is the limit"]
            rows = [[*row, picture.rstrip()] for row, picture in zip(rows, pictures, strict=True)]
        parts.append(tabulate(rows, heads, tablefmt="simple", disable_numparse=True, preserve_whitespace=True))
        if lines := label_lines(report):
            parts.append("\n".join(["people's labels:", *(f"  {line}" for line in lines)]))
        parts.append(how_sure(report))
        if report.graders:
            heads, rows = grader_rows(report)
            parts.append(tabulate(rows, heads, tablefmt="simple", disable_numparse=True))
        if report.judges:
            heads, rows = judge_rows(report)
            parts.append(tabulate(rows, heads, tablefmt="simple", disable_numparse=True))
        if len(run.evaluations) > 1:
            parts.append("\n".join([report.verdict.sentence, *meaning(report)]))
    parts += [f"{name}   not judged: no judge is configured" for name in run.not_judged]
    info = run.info
    retries = f" ({info.retried} of them retries)" if info.retried else ""
    calls = [f"{info.sent} request{'' if info.sent == 1 else 's'} sent{retries}"]
    calls += [f"{info.from_store} answer{'' if info.from_store == 1 else 's'} from the store"]
    calls += [f"{info.shared} from another process or worker"] if info.shared else []
    calls += [f"{info.failed} call{'' if info.failed == 1 else 's'} failed"] if info.failed else []
    parts.append(", ".join([*calls, seconds(info.seconds)]))
    only = meaning(run.evaluations[0]) if len(run.evaluations) == 1 else []
    parts.append("\n".join([run.verdict.sentence, *only]))
    return "\n\n".join(parts)


def role_lines(report: EvaluationReport) -> list[str]:
    """One line per role."""
    report = mapped(report, shown_line)
    width = max((len(line.role) for line in report.roles), default=0)
    return [f"{line.role:<{width}}  {rate(line)}  {counts(line, ' cases')}  {line.model}" for line in report.roles]


def failure(report: EvaluationReport) -> str:
    """Why an evaluation does not promote, in at most twenty lines: the verdict, the numbers and the worst cases."""
    report = mapped(report, shown_line)
    lines = [_cut(report.verdict.sentence, 4 * WIDTH), *meaning(report), *(f"  {line}" for line in role_lines(report))]
    if report.verdict.status is Status.INCOMPLETE:
        chosen = [change for change in report.changes if change.kind == "failed"]
        reasons = [s.reason for change in chosen for s in change.samples if s.reason and s.passed is None]
        lines += [f"  {_cut(reason)}" for reason in list(dict.fromkeys(reasons))[:3]]
        word = "without an answer"
    else:
        chosen = [change for change in report.changes if change.kind in _WORDS]
        word = ""
    for change in chosen:
        block = _case(change, word or _WORDS[change.kind])
        if len(lines) + len(block) > LINES - 1:
            lines.append("  … the report has more")
            break
        lines += block
    return "\n".join(lines)


def _case(change: Change, word: str) -> list[str]:
    against = f" to {change.against}" if change.against else ""
    block = [f"{word}{against}: {change.case_id}  {_cut(change.request)}"]
    if change.reference:
        block.append(f"  reference: {_cut(change.reference)}")
    block += [f"  {sample.role}: {_cut(sample.text)}" for sample in change.samples]
    ours = change.samples[0]
    if ours.reason and not ours.reason.startswith(repr(ours.text)[:20]):  # which would repeat the lines above
        block.append(f"  why: {_cut(ours.reason)}")
    return block


def _cut(text: str, width: int = WIDTH) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else f"{text[: width - 1]}…"
