"""The verdict on a table of results: a pure function that nothing about printing can skip.

All rules must hold, so each is tested at alpha without a correction (an intersection-union test); evidence against a rule is
asked for at alpha divided by the number of rules. Where values are missing or the run was narrowed, the verdict is *incomplete*.
A rule about a role that nothing plays yet does not apply; a gate in which no rule applies is *incomplete*.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from math import isnan

from distilltest.errors import SuiteError
from distilltest.gate.rule import Rule
from distilltest.gate.verdict import RuleVerdict, Status, Verdict, combine
from distilltest.table import ResultsTable


def decide(
    rules: Sequence[Rule] | Rule,
    table: ResultsTable | None = None,
    *,
    candidate: Sequence[float | None] | None = None,
    base: Sequence[float | None] | None = None,
    teacher: Sequence[float | None] | None = None,
    alpha: float = 0.05,
    clusters: Sequence[Hashable] | None = None,
    tags: Sequence[Iterable[str]] | None = None,
    human: Mapping[str, Sequence[float | None]] | None = None,
    **roles: Sequence[float | None],
) -> Verdict:
    """The verdict on results: of an evaluation, of a notebook, of another runner.

    Args:
        rules: All must hold; at least one.
        table: The results of an evaluation; or give arrays instead.
        candidate: A value in [0, 1] for each case, None where there is none (a call that failed, say). Where all values of all
            roles are 0 or 1, they are taken for pass and fail.
        base: The same for the base, aligned with the candidate's by case; and for the teacher, and for roles of your own.
        teacher: The same.
        alpha: The level of each rule, one-sided, in (0, 0.5).
        clusters: What ties cases together, one a case; None for independent cases.
        tags: The tags of each case.
        human: Role → what people said of its answers, aligned, None where nobody has; with 200 labelled pairs or more the gate
            corrects the values by them, which then are a judge's.
        **roles: Further roles.

    Raises:
        SuiteError: There are no rules.
        ValueError: A value is not a number in [0, 1], the arrays differ in length, or alpha is not in (0, 0.5).

    >>> from distilltest import better_than, decide
    >>> decide(better_than("base"), candidate=[1] * 20, base=[0] * 15 + [1] * 5).status
    <Status.PROMOTE: 'promote'>
    """
    rules = [rules] if isinstance(rules, Rule) else list(rules)
    if table is None:
        given = {"base": base, "teacher": teacher, "candidate": candidate, **roles}
        columns = {role: column for role, column in given.items() if column is not None}
        table = _table(columns, clusters, tags, human or {})
    if not rules:
        raise SuiteError("A gate without rules could never block.")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha = {alpha} is not in (0, 0.5)")
    for role, values in [*table.values.items(), *table.human.items()]:
        for case, value in zip(table.case_ids, values, strict=True):
            if value is not None and not (not isnan(value) and 0.0 <= value <= 1.0):
                raise ValueError(f"the value of case {case!r} on {role} is {value}, not a number in [0, 1]")
    applicable = [rule for rule in rules if not set(rule.needs) & set(table.vacant)]
    judged = tuple(
        _judge(rule, table, alpha, alpha / len(applicable)) if rule in applicable else _not_yet(rule, table)
        for rule in rules
    )
    missing = _missing(applicable, table)
    if missing:
        return Verdict(Status.INCOMPLETE, f"incomplete: {missing}", judged)
    status = combine([rule.status for rule in judged])
    said = "; ".join(r.sentence for r in judged if r.status is status) or "no rule applies"
    later = "; ".join(r.sentence for r in judged if r.status is Status.NOT_APPLICABLE)
    sentence = f"{status}: {said}" + (f" ({later})" if later else "")
    if status is Status.PROMOTE and table.narrowed:
        return Verdict(
            Status.INCOMPLETE,
            f"incomplete: only a part was run ({table.narrowed}); run everything to promote. This part says {sentence}",
            judged,
        )
    if table.narrowed:
        sentence += f" (only a part was run: {table.narrowed})"
    return Verdict(status, sentence, judged)


def _table(
    columns: Mapping[str, Sequence[float | None]],
    clusters: Sequence[Hashable] | None,
    tags: Sequence[Iterable[str]] | None,
    human: Mapping[str, Sequence[float | None]],
) -> ResultsTable:
    lengths = {role: len(column) for role, column in columns.items()}
    lengths |= {f"human[{role!r}]": len(column) for role, column in human.items()}
    lengths |= {} if clusters is None else {"clusters": len(clusters)}
    lengths |= {} if tags is None else {"tags": len(tags)}
    if not columns or len(set(lengths.values())) != 1:
        shown = ", ".join(f"{name} {length}" for name, length in lengths.items()) or "no role"
        raise ValueError(f"results need at least one role, all aligned by case; the lengths are {shown}")
    values = {
        role: tuple(None if value is None else float(value) for value in column) for role, column in columns.items()
    }
    return ResultsTable(
        case_ids=tuple(str(number) for number in range(next(iter(lengths.values())))),
        values=values,
        binary=all(value in (None, 0.0, 1.0) for column in values.values() for value in column),
        clusters=() if clusters is None else tuple(map(str, clusters)),
        tags=() if tags is None else tuple(tuple(each) for each in tags),
        human={role: tuple(None if v is None else float(v) for v in column) for role, column in human.items()},
    )


def _judge(rule: Rule, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
    for role in rule.needs:
        if role not in table.values:
            return RuleVerdict(rule.describe(), Status.INCOMPLETE, f"there are no results of {role}")
    cases = [v for v in zip(*(table.values[role] for role in rule.needs), strict=True) if None not in v]
    if not cases:
        return RuleVerdict(rule.describe(), Status.INCOMPLETE, f"no case has results of {' and '.join(rule.needs)}")
    return rule.judge(table, alpha, block_alpha)


def _not_yet(rule: Rule, table: ResultsTable) -> RuleVerdict:
    role = next(role for role in rule.needs if role in table.vacant)
    sentence = f"nothing is {role} yet; the rule {rule.describe()!r} holds from the first promotion on"
    return RuleVerdict(rule.describe(), Status.NOT_APPLICABLE, sentence)


def _missing(rules: Sequence[Rule], table: ResultsTable) -> str:
    """What is missing, empty where nothing is. Infrastructure is not quality: a missing value decides nothing."""
    roles = list(dict.fromkeys(role for rule in rules for role in rule.needs))
    parts = [f"there are no results of {role}" for role in roles if role not in table.values]
    if not table.case_ids:
        parts.append("there are no cases")
    trained = [case for case in table.leaked if case in set(table.case_ids)]
    if trained:
        parts.append(
            f"the candidate was trained on {len(trained)} of {len(table.case_ids)} cases ({', '.join(trained[:5])}"
            f"{', …' if len(trained) > 5 else ''}); take them out of its training file, or evaluate it with --without-leaked"
        )
        return "; ".join(parts)
    for role in table.values:
        if table.missing(role):
            kinds = ", ".join(f"{count} x {kind}" for kind, count in sorted(table.failures.get(role, {}).items()))
            parts.append(
                f"{role} lacks {table.missing(role)} of {len(table.case_ids)} cases" + (f" ({kinds})" if kinds else "")
            )
    return "; ".join(parts) + ". Run again: only what is missing is asked" if parts else ""
