"""The Markdown report, for reviewers of a pull request."""

from __future__ import annotations

import json
from collections.abc import Iterable

from distilltest.evaluations.results import Change
from distilltest.gate.figures import difference, interval
from distilltest.reporting.gfm import block, code, prose, table
from distilltest.reporting.report import EvaluationReport, RoleLine, RunReport
from distilltest.reporting.text import (
    grader_rows,
    how_sure,
    interval_picture,
    judge_rows,
    label_lines,
    meaning,
    percent,
    role_rows,
    rule_rows,
    seconds,
    tokens_saved,
)
from distilltest.untrusted.edges import mapped
from distilltest.untrusted.secrets import mask

MOST = 40
"""The most changed cases of one kind to show."""
SHRUNKEN = (
    "Candidate minus other role, in points. The expected difference of a slice, with a 90 % interval, is drawn towards the "
    "overall mean, more so for smaller slices: the largest drop among many small slices is mostly luck."
)
LONG = 600
"""The most characters of an answer to show."""


def render(run: RunReport) -> str:
    """Render a run: the verdict, the numbers, the changed cases, and how to reproduce the run."""
    run = mapped(run, mask)
    parts = [f"# {run.verdict.status.value.capitalize()}", prose(run.verdict.sentence)]
    for report in run.evaluations:
        known = len(run.evaluations) == 1 and run.verdict.sentence.startswith(report.verdict.sentence)
        parts += _evaluation(report, with_sentence=not known)
    for name in run.not_judged:
        parts += [
            f"## {prose(name)}",
            "Not judged: no judge is configured. This evaluation says nothing about the candidate.",
        ]
    parts += _reproduce(run)
    return "\n\n".join(parts) + "\n"


def _evaluation(report: EvaluationReport, *, with_sentence: bool) -> list[str]:
    narrow = "" if report.evaluated == report.cases else f" of {report.cases}"
    trials = f", {report.trials} trials each" if report.trials > 1 else ""
    heads, rows = role_rows(report)
    parts = [
        f"## {prose(report.id)}",
        *([prose(report.verdict.sentence)] if with_sentence else []),
        "\n".join(f"- {line}" for line in meaning(report)),
        f"{report.evaluated}{narrow} cases of {code(report.dataset)}{trials}.",
        _numbers(heads, rows),
        *([saved] if (saved := tokens_saved(report)) else []),
        *map(prose, report.notes),
    ]
    heads, rows = rule_rows(report)
    parts += [_numbers(heads, rows), how_sure(report)]
    pictures = [(rule.rule, interval_picture(rule)) for rule in report.verdict.rules]
    width = max((len(name) for name, _ in pictures), default=0)
    drawn = [f"{name:<{width}}  {picture}".rstrip() for name, picture in pictures if picture]
    if drawn:
        note = (
            "Differences with their intervals. A rule is proven if its whole interval is to the right of the limit, `|`, "
            "and broken if the whole interval is to the left."
        )
        parts.append(f"{note}\n\n{block(drawn)}")
    if labels := label_lines(report):
        parts += ["### People's labels", "\n".join(f"- {prose(line)}" for line in labels)]
    if report.graders:
        parts += ["### Graders", _graders(report)]
    if report.judges:
        parts += ["### Judges", _numbers(*judge_rows(report))]
    if report.slices:
        roles = [line.role for line in report.roles]
        lines = [[line.tag, str(line.n), *(percent(line.rates.get(role)) for role in roles)] for line in report.slices]
        parts += ["### By tag", _numbers(["tag", "cases", *roles], lines)]
    for rule in report.verdict.rules:
        if rule.slices:
            rows = [
                [
                    one.tag,
                    str(one.cases),
                    difference(one.difference),
                    f"{difference(one.estimate)} ({interval(one.low, one.high)})",
                ]
                for one in rule.slices
            ]
            parts += [
                f"### {prose(rule.rule).capitalize()}",
                SHRUNKEN,
                _numbers(["tag", "cases", "seen", "expected"], rows),
            ]
    return parts + _changes(report)


def _changes(report: EvaluationReport) -> list[str]:
    titles = {
        "lost": "Cases lost: the candidate fails, {other} passes",
        "failed": "Cases without an answer",
        "won": "Cases won: the candidate passes, {other} fails",
        "not preferred": "Cases in which the answer of {other} was preferred",
        "preferred": "Cases in which the candidate's answer was preferred to that of {other}",
    }
    parts = []
    groups: dict[tuple[str, str], list[Change]] = {}
    for change in report.changes:
        groups.setdefault((change.kind, change.against), []).append(change)
    counts = {("lost", rule.role): rule.losses for rule in report.verdict.rules}
    counts |= {("won", rule.role): rule.wins for rule in report.verdict.rules}
    counts |= {("not preferred", rule.preferred_to): rule.losses for rule in report.verdict.rules if rule.preferred_to}
    counts |= {("preferred", rule.preferred_to): rule.wins for rule in report.verdict.rules if rule.preferred_to}
    for (kind, other), changes in groups.items():
        total = counts.get((kind, other), len(changes))
        if report.verdict.worst_case:  # the rules also count missing answers, which are in another group
            total = len(changes)
        title = titles[kind].format(other=prose(other)) if kind in titles else prose(kind)
        shown = changes[:MOST]
        note = f"The first {len(shown)} of {total}; the store has all." if total > len(shown) else ""
        roles = [sample.role for sample in shown[0].samples]
        rows = [
            [*map(_long, (c.case_id, c.request, c.reference)), *(_answer(c, role) for role in roles)] for c in shown
        ]
        parts.append(f"### {title} ({total})")
        body = table(["case", "request", "reference", *_words(roles)], rows)
        # Won cases are many and need no review: fold them.
        folded = f"<details><summary>show</summary>\n\n{body}\n\n</details>" if kind in ("won", "preferred") else body
        parts += [note, folded] if note else [folded]
    return parts


def _graders(report: EvaluationReport) -> str:
    heads, rows = grader_rows(report)
    cells = [[*_words(row[:-1]), "-" if row[-1] == "-" else code(row[-1], cell=True)] for row in rows]
    return table(_words(heads), cells)


def _answer(change: Change, role: str) -> str:
    sample = next((s for s in change.samples if s.role == role), None)
    if sample is None:
        return ""
    mark = "✓" if sample.passed else "✗" if sample.passed is False else "–"
    return f"{mark} {_long(sample.text)}"


def _reproduce(run: RunReport) -> list[str]:
    info = run.info
    rows = [
        ["run", info.id],
        ["started", info.started],
        ["command", info.command],
        ["suite's commit", info.git_commit or "not in a git repository"],
        *([name, version] for name, version in info.versions.items()),
        ["requests sent", f"{info.sent}, {info.retried} of them retries" if info.retried else str(info.sent)],
        *([["answers from another process or worker", str(info.shared)]] if info.shared else []),
        ["answers from the store", str(info.from_store)],
        ["calls failed", str(info.failed)],
        ["time", seconds(info.seconds)],
    ]
    for report in run.evaluations:
        rows.append(["dataset", f"{report.dataset}  {report.dataset_fingerprint[:16]}"])
        rows += [
            [
                f"{line.role}",
                _asked(line),
            ]
            for line in report.roles
        ]
        tests = ", ".join(dict.fromkeys(rule.test for rule in report.verdict.rules if rule.test))
        rows.append(["tests", f"{tests}, α = {report.level or report.alpha:.4g}"])
    return [
        "## How to reproduce this run",
        table(["what", "value"], [[prose(what, cell=True), _long(value)] for what, value in _distinct(rows)]),
    ]


def _asked(line: RoleLine) -> str:
    parameters = ", ".join(f"{name} {json.dumps(value, ensure_ascii=False)}" for name, value in line.parameters.items())
    model = f"{line.model} on {line.server}" + (f" ({parameters})" if parameters else "")
    return f"{model}, {line.prompt} {line.prompt_fingerprint[:16]}"


def _distinct(rows: Iterable[list[str]]) -> list[list[str]]:
    return [list(row) for row in dict.fromkeys(tuple(row) for row in rows)]


def _numbers(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table with prose in its cells."""
    return table(_words(heads), [_words(row) for row in rows])


def _words(texts: Iterable[str]) -> list[str]:
    return [prose(text, cell=True) for text in texts]


def _long(text: str) -> str:
    """A text as code, cut if it is long."""
    if len(text) <= LONG:
        return code(text, cell=True)
    return f"{code(text[:LONG], cell=True)} … ({len(text)} characters)"
