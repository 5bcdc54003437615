"""How numbers look in every report."""

from __future__ import annotations

from distilltest.errors import brief
from distilltest.gate import RuleVerdict, Status
from distilltest.gate.figures import declared, interval, upper
from distilltest.reporting.report import EvaluationReport, RoleLine

REASON = 80
"""Characters of a grader's reason in a table."""
WIDTH = 41
"""Characters of an interval's picture."""


def percent(value: float | None) -> str:
    """A rate as people read it.

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
    """US dollars, with enough digits for small sums."""
    return "-" if usd is None else f"${usd:.2f}" if usd >= 1 else f"${usd:.4f}"


def cost(line: RoleLine) -> str:
    """A role's money; what is only known in part is never shown as if it were all."""
    if not line.without_usage:
        return money(line.usd)
    return f"at least {money(line.usd_at_least)}" if line.usd_at_least else "unknown"


def tokens(line: RoleLine) -> str:
    """A role's tokens per call, in and out."""
    if line.without_usage and not line.prompt_tokens + line.completion_tokens:
        return "unknown"
    return f"{line.prompt_tokens:.0f} / {line.completion_tokens:.0f}" + (
        f" ({line.without_usage} unknown)" if line.without_usage else ""
    )


def counts(line: RoleLine, unit: str = "") -> str:
    """How many cases a role has, and what is odd about its answers."""
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
    """Milliseconds below a second."""
    return f"{1000 * value:.0f} ms" if value < 1 else f"{value:.1f} s"


def role_rows(report: EvaluationReport) -> tuple[list[str], list[list[str]]]:
    """The table of roles: heads and rows."""
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
    """At least one of k trials passes, all of them pass."""
    return [f"pass@{report.trials}", f"pass^{report.trials}"] if report.trials > 1 else []


def rule_rows(report: EvaluationReport) -> tuple[list[str], list[list[str]]]:
    """The table of rules: heads and rows."""
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
    """The estimate with its interval, as far as they are known."""
    if rule.estimate is None:
        return "-"
    shown = f"{100 * rule.estimate:{'+' if rule.role else ''}.1f}"
    if rule.low is None or rule.high is None:
        return shown
    return f"{shown} ({interval(rule.low, rule.high, *([] if rule.limit is None else [rule.limit]))})"


MEANING = {
    Status.PROMOTE: (
        "every rule of this evaluation is proven",
        "where all evaluations promote, `distilltest promote` puts the candidate into production, on the record",
    ),
    Status.BLOCK: (
        "it is shown that the candidate does not meet a rule; more cases would hardly change that",
        "read the lost cases, mend the training data or the prompt, and try another candidate",
    ),
    Status.UNDECIDED: (
        "these cases neither prove the claim nor refute it: the candidate may be good enough, or not",
        "evaluate on more, new cases, accept a wider margin, or improve the candidate; the same run again says the same",
    ),
    Status.INCOMPLETE: (
        "nothing is said about the candidate, because something is missing or looks broken",
        "mend what the verdict names, and run again: every answer is stored, and only what is missing is asked",
    ),
}
"""What a verdict means, and what to do next, for a reader who never studied statistics."""


def meaning(report: EvaluationReport) -> list[str]:
    """What the verdict of an evaluation means, and what to do next."""
    means, then = MEANING.get(report.verdict.status, MEANING[Status.INCOMPLETE])
    if report.verdict.transient:
        means = "answers are missing, so nothing is said about the candidate"
        then = "run the same command again: only what is missing is asked"
    elif report.verdict.status is Status.INCOMPLETE and report.verdict.unanswerable:
        means = "some cases can never be answered as they are asked, and the verdict depends on them"
        then = "shorten these cases or take them out of the dataset, or change the model; what was answered is not asked twice"
    elif any(rule.status is Status.UNDECIDED and rule.labelled is not None for rule in report.verdict.rules):
        then = then.replace("evaluate on more, new cases", "let people label more answers")
    return [f"What it means: {means}.", f"What to do next: {then}."]


def how_sure(report: EvaluationReport) -> str:
    """What the level means, in a plain sentence."""
    share = upper(report.level or report.alpha)
    return (
        f"How sure this is: of 100 candidates that do not meet a rule, at most {share} would pass it by luck; "
        f"and each end of an interval is wrong in at most {share} of 100 runs."
    )


def tokens_saved(report: EvaluationReport) -> str:
    """What the candidate's own, shorter prompt saves, in a sentence; empty where it has none."""
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
    """The table of judges: heads and rows."""
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
    """Rule by rule, what people's labels did; nothing where none are declared."""
    return [f"{rule.rule}: {rule.labels}." for rule in report.verdict.rules if rule.labels]


def grader_rows(report: EvaluationReport) -> tuple[list[str], list[list[str]]]:
    """The table of graders: heads and rows; the last cell of a row is a reason."""
    heads = ["grader", "passes", "nobody passes", "everybody passes", "raised", "fails most often because"]
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
    """The interval of a difference on a line, with its limit: proven where all of it is right of the limit.

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
