"""Competence: whether the roles that a rule relies on can do the task at all.

"Not worse than the teacher" also holds if a broken grader fails every answer of every role. So a rule promotes only if each role
that it relies on is proven, at the gate's level, to be better than a model that knows nothing:

- A model that is always wrong. It must not be within the margin, so the role must pass more than the margin.
- A model that always gives the same answer, if the cases tell what that passes, such as the most common reference of an
  ``exact_match``.

A role that gives one text to nearly every case is not trusted if the cases call for different texts, whatever a judge says.
A gate promotes only if at least one rule is a claim about the candidate's answers and is proven. See decision 0013.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from distilltest.gate.health import GraderHealth
from distilltest.gate.means import p_above
from distilltest.gate.rule import Measure, Rule, points
from distilltest.gate.table import ResultsTable
from distilltest.gate.verdict import RuleVerdict, Status

ONE_TEXT = 0.9
"""The share of identical answers that counts as "one text to nearly every case"."""
MANY_TEXTS = 0.5
"""Cases call for different texts if at most this share of references (or, without them, of another role's answers) is equal."""
MOSTLY = 0.5
"""The share of identical answers that a report notes."""
FEWEST_ANSWERS = 10
"""With fewer answers, equal ones may be chance."""


def with_competence(rule: Rule, verdict: RuleVerdict, table: ResultsTable, alpha: float) -> RuleVerdict:
    """The verdict on a rule; *incomplete* if the rule holds but a role that it relies on shows no competence."""
    if verdict.status is Status.UNDECIDED and nobody_passes(table):
        return replace(verdict, status=Status.INCOMPLETE, sentence=no_role_passes(table))
    if verdict.status is not Status.PROMOTE:
        return verdict
    for measure in rule.measures:
        why = _lack(measure, table, alpha)
        if why:
            return replace(verdict, status=Status.INCOMPLETE, sentence=why)
    return verdict


def without_claim(rules: Sequence[Rule], verdicts: Sequence[RuleVerdict]) -> str:
    """Why a gate whose rules all hold proves nothing about the candidate's answers; empty if a claim is proven."""
    pairs = list(zip(rules, verdicts, strict=True))
    if any(rule.claims and verdict.status is Status.PROMOTE for rule, verdict in pairs):
        return ""
    guards = " and ".join(f"{verdict.rule!r}" for rule, verdict in pairs if not rule.claims)
    later = " The rules that would prove something do not apply yet." if any(rule.claims for rule in rules) else ""
    return (
        f"nothing is proven about the candidate's answers: {guards} can only block.{later} "
        "Add a rule that asks for proof, such as better_than, not_worse_than or at_least"
    )


def never_promotes(rules: Sequence[Rule]) -> str:
    """Why a gate can never promote; empty if it can."""
    if any(rule.claims for rule in rules):
        return ""
    guards = " and ".join(repr(rule.describe()) for rule in rules)
    return (
        f"This gate can never promote: {guards} can only block. "
        "Add a rule that asks for proof, such as better_than, not_worse_than or at_least."
    )


def nobody_passes(table: ResultsTable) -> bool:
    """Whether there are results, and all results of all roles are 0."""
    columns = table.values.values()
    return not any(map(any, columns)) and any(value is not None for column in columns for value in column)


def no_role_passes(table: ResultsTable) -> str:
    """The sentence for a table in which no answer passes."""
    who = "no role passes" if len(table.values) > 1 else f"{next(iter(table.values))} does not pass"
    return (
        f"{who} any of {_cases(len(table.case_ids))}, so these results say nothing about the candidate; "
        f"look at the grader{_blamed(table.graders)}"
    )


def _lack(measure: Measure, table: ResultsTable, alpha: float) -> str:
    """Why a role shows no competence; empty if it does."""
    role, above, tag = measure
    if why := _one_text(role, table):
        return why
    if above is None:
        return ""
    part = table.only(tag) if tag else table
    where = f" with the tag {tag!r}" if tag else ""
    if nobody_passes(table):
        return no_role_passes(table)
    if table.cannot_fail and not table.by_people:
        return _never_fails(table)
    never = part.never(role)
    rows = [row for row, value in enumerate(part.values[role]) if value is not None or row in never]
    values = [part.values[role][row] or 0.0 for row in rows]
    clusters = part.clusters_of(rows)
    look = f"look at the grader, and at what {role} answers{_blamed(table.graders)}"
    if not any(values):
        return f"{_nothing(role, part)}{where}, so nothing is shown by a comparison with it; {look}"
    rate = f"{role} {'passes' if part.binary else 'scores'} {points(sum(values) / len(values))} % of {_cases(len(values))}{where}"
    if above and p_above(values, clusters, above, alpha, binary=part.binary) > alpha:
        return (
            f"{rate}, and a model that is always wrong would be within {points(above)} points of that: "
            f"it must be shown to be above {points(above)} %; {look}"
        )
    if part.constant is not None:
        guess = [part.constant.passes[row] for row in rows]
        ahead = [value - known for value, known in zip(values, guess, strict=True)]
        if p_above(ahead, clusters, 0.0, alpha) > alpha:
            return (
                f"{rate}, and a model that always answers {part.constant.text!r} would pass {points(sum(guess) / len(guess))} %: "
                f"it is not shown that {role} does better than that. Take cases whose right answers differ more, or more cases"
            )
    return ""


def _one_text(role: str, table: ResultsTable) -> str:
    """Why a role's answers are not trusted: one text to nearly every case, though the cases call for different ones."""
    if not repeats(role, table, ONE_TEXT):
        return ""
    ours = table.answers[role]
    what = "an empty answer" if ours.empty >= ours.identical else f"the same answer, {ours.commonest!r},"
    others = ""
    if table.same_reference is not None:
        others = ", whose references differ"
    elif len(table.answers) > 1:
        others = ", to which another role answers differently"
    return (
        f"{role} gives {what} to {ours.identical} of {ours.answers} requests{others}, so no grade of it shows that it does "
        "the task; look at its answers and at the grader. If this answer is right, say so: write it as the reference of the cases"
    )


def repeats(role: str, table: ResultsTable, share: float) -> bool:
    """Whether this share of a role's answers is identical, while references or other roles' answers differ."""
    ours = table.answers.get(role)
    if ours is None or ours.answers < FEWEST_ANSWERS or ours.identical < share * ours.answers:
        return False
    return _asked(role, table) <= MANY_TEXTS


def _asked(role: str, table: ResultsTable) -> float:
    """The share of right answers that may be equal: as the references, or without them as the most varied other role's answers.

    0 if unknown. The most varied role counts, because an untuned base may give one answer to everything.
    """
    if table.same_reference is not None:
        return table.same_reference
    return min(
        (each.identical / each.answers for of, each in table.answers.items() if of != role and each.answers), default=0
    )


def _never_fails(table: ResultsTable) -> str:
    names = " and ".join(grader.name for grader in table.graders) or "the grader"
    return (
        f"every answer to {_cases(len(table.case_ids))} passes, and so would an empty one, a refusal and nonsense: nothing "
        f"fails, whatever is said, so these results say nothing about the candidate; look at what {names} compares"
    )


def _nothing(role: str, table: ResultsTable) -> str:
    return f"{role} passes none of {_cases(len(table.case_ids))}"


def _cases(count: int) -> str:
    return f"{count} case{'' if count == 1 else 's'}"


def _blamed(graders: Sequence[GraderHealth]) -> str:
    """The grader that fails most answers, with its most common reason; empty if unknown."""
    worst = max(graders, key=lambda grader: grader.graded - grader.passed, default=None)
    if worst is None or worst.passed == worst.graded:
        return ""
    failed = worst.graded - worst.passed
    said = f', most often: "{worst.reason}" ({worst.of_this_kind} times)' if worst.reason else ""
    return f" ({worst.name} fails {failed} of {worst.graded} answers{said})"
