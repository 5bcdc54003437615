"""Words, numbers and tables that the terminal and the Markdown report share."""

from __future__ import annotations

from distilltest.errors import brief
from distilltest.gate import RuleVerdict, Status
from distilltest.gate.figures import declared, interval, upper
from distilltest.reporting.report import EvaluationReport, RoleLine

REASON = 80
"""The most characters of a grader's reason in a table."""
WIDTH = 41
"""The width of an interval's picture in characters."""


def percent(value: float | None) -> str:
    """A rate in percent.

    >>> percent(0.934), percent(None)
    ('93.4 %', '-')
    """
    return "-" if value is None else f"{100 * value:.1f} %"


def rate(line: RoleLine) -> str:
    """A rate with its interval."""
    if line.rate is None:
        return "not graded" if line.compared else "-"
    return f"{percent(line.rate)} ({interval(line.low or 0.0, line.high or 0.0)})"


def money(usd: float | None) -> str:
    """US dollars, with more digits for small sums."""
    return "-" if usd is None else f"${usd:.2f}" if usd >= 1 else f"${usd:.4f}"


def cost(line: RoleLine) -> str:
    """A role's cost, marked as "at least" if some calls lack usage."""
    if not line.without_usage:
        return money(line.usd)
    return f"at least {money(line.usd_at_least)}" if line.usd_at_least else "unknown"


def tokens(line: RoleLine) -> str:
    """A role's tokens per call: in / out."""
    if line.without_usage and not line.prompt_tokens + line.completion_tokens:
        return "unknown"
    return f"{line.prompt_tokens:.0f} / {line.completion_tokens:.0f}" + (
        f" ({line.without_usage} unknown)" if line.without_usage else ""
    )


def counts(line: RoleLine, unit: str = "") -> str:
    """The number of a role's cases, and of odd answers by kind."""
    same = line.identical if line.answers >= 10 and 2 * line.identical > line.answers else 0
    odd = (
        (line.compared if line.n else 0, "not graded"),
        (line.missing, "missing"),
        (line.cut_off, "cut off"),
        (line.refused, "refused"),
        (line.empty, "empty"),
        (same, "the same"),
    )
    return ", ".join([f"{line.n or line.compared}{unit}", *(f"{count} {what}" for count, what in odd if count)])


def seconds(value: float) -> str:
    """A duration: in milliseconds below a second."""
    return f"{1000 * value:.0f} ms" if value < 1 else f"{value:.1f} s"


def role_rows(report: EvaluationReport) -> tuple[list[str], list[list[str]]]:
    """The head and rows of the table of roles."""
    name = "pass rate" if report.metric == "pass" else "mean score"
    confidence = f"{100 * (1 - 2 * report.alpha):.0f} %"
    heads = [
        "role",
        "model",
        f"{name} ({confidence} interval)",
        *_trial_heads(report),
        "cases",
        "tokens in / out",
        "cost",
        "latency p50 / p95",
    ]
    rows = [
        [
            line.role,
            line.model,
            rate(line),
            *([percent(line.any_passes), percent(line.all_pass)] if report.trials > 1 else []),
            counts(line),
            tokens(line),
            cost(line),
            f"{seconds(line.latency_median)} / {seconds(line.latency_95)}",
        ]
        for line in report.roles
    ]
    return heads, rows


def _trial_heads(report: EvaluationReport) -> list[str]:
    """The heads for "at least one of k trials passes" and "all of them pass"."""
    return [f"pass@{report.trials}", f"pass^{report.trials}"] if report.trials > 1 else []


def rule_rows(report: EvaluationReport) -> tuple[list[str], list[list[str]]]:
    """The head and rows of the table of rules."""
    heads = ["rule", "says", "difference or rate in points", "must be above", "won / lost", "cases", "p"]
    return heads, [_rule_row(rule) for rule in report.verdict.rules]


def _rule_row(rule: RuleVerdict) -> list[str]:
    return [
        rule.rule,
        str(rule.status),
        _estimate(rule),
        "-" if rule.limit is None else declared(rule.limit),
        f"{rule.wins} / {rule.losses}" if rule.role or rule.preferred_to else "-",
        str(rule.n),
        "-" if rule.p is None else "< 0.0001" if rule.p < 0.0001 else f"{rule.p:.4f}",
    ]


def _estimate(rule: RuleVerdict) -> str:
    """The estimate with its interval, if they are known."""
    if rule.estimate is None:
        return "-"
    shown = f"{100 * rule.estimate:{'+' if rule.role else ''}.1f}"
    if rule.low is None or rule.high is None:
        return shown
    return f"{shown} ({interval(rule.low, rule.high, *([] if rule.limit is None else [rule.limit]))})"


MEANING = {
    Status.PROMOTE: (
        "every rule of this evaluation is proven",
        "if all evaluations promote, `distilltest promote` puts the candidate into production and records it",
    ),
    Status.BLOCK: (
        "the candidate does not meet a rule, and more cases are unlikely to change that",
        "read the lost cases, improve the training data or the prompt, and try another candidate",
    ),
    Status.UNDECIDED: (
        "these cases neither prove nor refute a rule: the candidate may or may not be good enough",
        "evaluate on more, new cases, accept a wider margin, or improve the candidate; repeating this run gives the same verdict",
    ),
    Status.INCOMPLETE: (
        "the results say nothing about the candidate, because something is missing or looks broken",
        "fix what the verdict names, and run again: answers are stored, and only missing ones are requested",
    ),
}
"""Status → what it means, and what to do next, without statistical terms."""


def meaning(report: EvaluationReport) -> list[str]:
    """What the verdict of an evaluation means, and what to do next, as two sentences."""
    means, then = MEANING.get(report.verdict.status, MEANING[Status.INCOMPLETE])
    if report.verdict.transient:
        means = "answers are missing, so the results say nothing about the candidate"
        then = "run the same command again: only missing answers are requested"
    elif report.verdict.status is Status.INCOMPLETE and report.verdict.unanswerable:
        means = "some cases cannot be answered as they are, and the verdict depends on them"
        then = "shorten these cases, remove them from the dataset, or change the model; stored answers are not requested again"
    elif any(rule.status is Status.UNDECIDED and rule.labelled is not None for rule in report.verdict.rules):
        then = then.replace("evaluate on more, new cases", "let people label more answers")
    return [f"What it means: {means}.", f"What to do next: {then}."]


def how_sure(report: EvaluationReport) -> str:
    """A sentence that explains the level."""
    share = upper(report.level or report.alpha)
    return (
        f"How sure this is: of 100 candidates that do not meet a rule, at most {share} would pass it by luck; "
        f"and each end of an interval is wrong in at most {share} of 100 runs."
    )


def tokens_saved(report: EvaluationReport) -> str:
    """A sentence about the prompt tokens that the candidate's shorter prompt saves; empty without one."""
    roles = {line.role: line for line in report.roles}
    candidate, teacher = roles.get("candidate"), roles.get("teacher")
    if candidate is None or teacher is None or candidate.prompt_fingerprint == teacher.prompt_fingerprint:
        return ""
    if not 0 < candidate.prompt_tokens < teacher.prompt_tokens:
        return ""
    share = 100 * (1 - candidate.prompt_tokens / teacher.prompt_tokens)
    return (
        f"The candidate's prompt has {candidate.prompt_tokens:.0f} tokens a call, the teacher's {teacher.prompt_tokens:.0f}: "
        f"{share:.0f} % of the prompt tokens are saved."
    )


def judge_rows(report: EvaluationReport) -> tuple[list[str], list[list[str]]]:
    """The head and rows of the table of judges."""
    heads = ["judged by", "model", "grader", "prompt", "questions", "without a verdict", "agreement with people"]
    return heads, [
        [
            use.judge,
            use.model,
            use.grader,
            f"{use.prompt} {use.prompt_fingerprint[:8]}",
            str(use.asked),
            str(use.failed),
            use.agreement + (f"; same in both orders {percent(use.consistent)}" if use.consistent is not None else ""),
        ]
        for use in report.judges
    ]


def label_lines(report: EvaluationReport) -> list[str]:
    """For each rule, how people's labels were used; empty without labels."""
    return [f"{rule.rule}: {rule.labels}." for rule in report.verdict.rules if rule.labels]


def grader_rows(report: EvaluationReport) -> tuple[list[str], list[list[str]]]:
    """The head and rows of the table of graders. The last cell of a row is a reason."""
    heads = ["grader", "passes", "no role passes", "all roles pass", "raised", "fails most often because"]
    return heads, [
        [
            grader.name,
            f"{grader.passed} of {grader.graded} answers",
            f"{grader.nobody} of {grader.cases} cases",
            f"{grader.everybody} of {grader.cases} cases",
            str(grader.raised),
            f"{brief(grader.reason, REASON)} ({grader.of_this_kind} times)" if grader.reason else "-",
        ]
        for grader in report.graders
    ]


def interval_picture(rule: RuleVerdict) -> str:
    """A picture of an interval and its limit: the rule is proven if the whole interval is to the right of the limit.

    >>> from distilltest.gate import Status
    >>> interval_picture(RuleVerdict("", Status.PROMOTE, "", role="x", estimate=0.0, low=-0.02, high=0.02, limit=-0.05))
    '      |           ├───────┼───────┤      '
    """
    if rule.estimate is None or rule.low is None or rule.high is None or rule.limit is None:
        return ""
    marks = (rule.low, rule.high, rule.limit, rule.estimate)
    ends = (min(marks), max(marks))
    room = max(0.1 * (ends[1] - ends[0]), 0.005)
    left, right = ends[0] - 2 * room, ends[1] + 2 * room

    def column(value: float) -> int:
        return round((value - left) / (right - left) * (WIDTH - 1))

    line = [" "] * WIDTH
    for position in range(column(rule.low), column(rule.high) + 1):
        line[position] = "─"
    line[column(rule.low)], line[column(rule.high)] = "├", "┤"
    line[column(rule.estimate)] = "┼"
    line[column(rule.limit)] = "|"
    return "".join(line)
