"""The verdict on a table of results: a pure function that nothing about printing can skip.

All rules must hold, so each is tested at alpha without a correction (an intersection-union test); evidence against a rule is
asked for at alpha divided by the number of rules. Where the run was narrowed, or values are missing that asking again may bring,
the verdict is *incomplete*. Values that can never be known are decided by the worst case (see ``worst``): *promote* if every rule
is proven there, *block* if one is broken even in the best case, else *incomplete*, naming the cases.
A rule about a role that nothing plays yet does not apply; a gate in which no rule applies is *incomplete*. So is one in which no
claim about the candidate's answers is proven, or in which the roles that a rule leans on show no competence (see ``competence``).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import isnan

from distilltest.config.model import ALPHA
from distilltest.errors import SuiteError
from distilltest.gate import tested
from distilltest.gate.competence import no_role_passes, nobody_passes, with_competence, without_claim
from distilltest.gate.rule import Rule, settled
from distilltest.gate.table import ResultsTable, Unanswerable
from distilltest.gate.verdict import RuleVerdict, Status, Verdict, combine
from distilltest.gate.worst import LISTED, advice, assumed, how_many, rows_without, unanswered


def decide(
    rules: Sequence[Rule] | Rule,
    table: ResultsTable | None = None,
    *,
    candidate: Sequence[float | None] | None = None,
    base: Sequence[float | None] | None = None,
    teacher: Sequence[float | None] | None = None,
    alpha: float = ALPHA,
    clusters: Sequence[Hashable] | None = None,
    tags: Sequence[Iterable[str]] | None = None,
    human: Mapping[str, Sequence[float | None]] | None = None,
    worst_case: bool = False,
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
        human: Role → what people said of its answers, aligned, None where nobody has. They decide: alone, or, with 200 labelled
            pairs or more, sharpened by the values, which then are a judge's. The labelled cases must be a random choice.
        worst_case: Every None of the arrays can never be known (a prompt over the context length, say): decide by the worst case
            for the candidate. Without it a None makes the verdict incomplete.
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
        table = _table(columns, clusters, tags, human or {}, worst_case)
    if not rules:
        raise SuiteError("A gate without rules could never block.")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha = {alpha} is not in (0, 0.5)")
    for role, values in [*table.values.items(), *table.human.items()]:
        for case, value in zip(table.case_ids, values, strict=True):
            if value is not None and not (not isnan(value) and 0.0 <= value <= 1.0):
                raise ValueError(f"the value of case {case!r} on {role} is {value}, not a number in [0, 1]")
    applicable = [rule for rule in rules if not set(rule.needs) & set(table.vacant)]
    obstacles = _obstacles(applicable, table)
    transient = _transient(table)
    bounded = not obstacles and not transient and any(table.unanswerable.values())
    judge = _judge_bounds if bounded else _judge
    judged = tuple(
        _agreeing(
            with_competence(rule, judge(rule, table, alpha, alpha / len(applicable)), tested.basis(rule, table), alpha)
        )
        if rule in applicable
        else _not_yet(rule, table)
        for rule in rules
    )
    status, sentence = _say(rules, judged, table, bounded)
    if obstacles or transient:
        never = (
            f". Besides, {how_many(table)} and never will: {advice(table)}" if any(table.unanswerable.values()) else ""
        )
        again = f"{'; '.join(transient)}. Run again: only what is missing is asked" if transient else ""
        said = "; ".join(each for each in (*obstacles, again) if each)
        status, sentence = Status.INCOMPLETE, f"incomplete: {said}{never}"
    elif status is Status.PROMOTE and table.narrowed:
        status = Status.INCOMPLETE
        sentence = (
            f"incomplete: only a part was run ({table.narrowed}); run everything to promote. This part says {sentence}"
        )
    elif table.narrowed:
        sentence += f" (only a part was run: {table.narrowed})"
    return Verdict(
        status,
        sentence,
        judged,
        missing={role: table.missing(role) for role in table.values if table.missing(role)},
        worst_case=bounded,
        unanswerable=tuple(unanswered(table)[:LISTED]),
        transient=bool(transient),
    )


def _agreeing(judged: RuleVerdict) -> RuleVerdict:
    """With what labels did in its sentence, and an interval that contradicts the verdict in nothing, whoever changed it last."""
    judged = tested.said(judged)
    decided = judged.status in (Status.PROMOTE, Status.BLOCK, Status.UNDECIDED)
    if not decided or judged.low is None or judged.high is None or judged.limit is None:
        return judged
    low, high = settled(judged.status, judged.low, judged.high, judged.limit)
    return replace(judged, low=low, high=high)


def _say(
    rules: Sequence[Rule], judged: Sequence[RuleVerdict], table: ResultsTable, bounded: bool
) -> tuple[Status, str]:
    """The verdict that the rules make, and its sentence."""
    status = combine([each.status for each in judged])
    said = "; ".join(dict.fromkeys(each.sentence for each in judged if each.status is status)) or "no rule applies"
    if status is Status.PROMOTE and (why := without_claim(rules, judged)):
        status, said = Status.INCOMPLETE, why
    later = "; ".join(each.sentence for each in judged if each.status is Status.NOT_APPLICABLE)
    notes = [later] if later else []
    if status is Status.BLOCK and nobody_passes(table):
        notes.append(no_role_passes(table))
    if bounded and status is not Status.INCOMPLETE:
        even = f"; {assumed(table, worst=status is Status.PROMOTE)}" if status is not Status.UNDECIDED else ""
        notes.append(f"{how_many(table)}{even}")
    elif any(
        each.status is Status.INCOMPLETE and rows_without(table, rule.needs)
        for rule, each in zip(rules, judged, strict=True)
        if bounded
    ):
        said = f"{how_many(table)} and never will, and the verdict depends on this: {advice(table)} In the worst case: {said}"
    elif bounded:
        notes.append(how_many(table))
    return status, f"{status}: {said}" + "".join(f" ({note})" for note in notes)


def _judge_bounds(rule: Rule, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
    """What holds whatever the answers that never come would have been: proven at worst, broken at best, else incomplete."""
    if not rows_without(table, rule.needs):
        return _judge(rule, table, alpha, block_alpha)
    if none := tested.no_worst_case(rule, table):
        return none
    if table.human and not rule.beside_labels:
        return _judge(rule, table, alpha, block_alpha)
    return tested.beside(rule, table, _judge_worst(rule, table, alpha, block_alpha))


def _judge_worst(rule: Rule, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
    worst = rule.judge_filled(table, alpha, block_alpha, worst=True)
    if worst.status is Status.PROMOTE:
        return worst
    best = rule.judge_filled(table, alpha, block_alpha, worst=False)
    if worst.status is best.status is Status.BLOCK:
        return best
    return replace(worst, status=Status.INCOMPLETE)


def _table(
    columns: Mapping[str, Sequence[float | None]],
    clusters: Sequence[Hashable] | None,
    tags: Sequence[Iterable[str]] | None,
    human: Mapping[str, Sequence[float | None]],
    worst_case: bool,
) -> ResultsTable:
    lengths = {role: len(column) for role, column in columns.items()}
    lengths |= {f"human[{role!r}]": len(column) for role, column in human.items()}
    lengths |= {} if clusters is None else {"clusters": len(clusters)}
    lengths |= {} if tags is None else {"tags": len(tags)}
    if not columns or len(set(lengths.values())) != 1:
        shown = ", ".join(f"{name} {length}" for name, length in lengths.items()) or "no role"
        raise ValueError(f"results need at least one role, all aligned by case; the lengths are {shown}")
    for row, each in enumerate(tags or ()):
        if isinstance(each, str) or not all(isinstance(tag, str) for tag in each):
            raise ValueError(
                f"tags[{row}] is {each!r}: give each case a list of its tags, [{each!r}] for one, [] for none"
            )
    for row, cluster in enumerate(() if clusters is None else clusters):
        if cluster is None or cluster != cluster:  # NaN is not itself
            raise ValueError(
                f"clusters[{row}] is {cluster!r}, which would tie unrelated cases together: name a cluster for each case, "
                f"one of its own (such as {f'case-{row}'!r}) for a case that stands alone"
            )
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
        unanswerable={
            role: {row: Unanswerable() for row, value in enumerate(column) if value is None}
            for role, column in values.items()
            if worst_case and None in column
        },
    )


def _judge(rule: Rule, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
    for role in rule.needs:
        if role not in table.values:
            return RuleVerdict(rule.describe(), Status.INCOMPLETE, f"there are no results of {role}")
    cases = [v for v in zip(*(table.values[role] for role in rule.needs), strict=True) if None not in v]
    if not cases and rule.reads_grades:
        return RuleVerdict(rule.describe(), Status.INCOMPLETE, f"no case has results of {' and '.join(rule.needs)}")
    return tested.judge(rule, table, alpha, block_alpha)


def _not_yet(rule: Rule, table: ResultsTable) -> RuleVerdict:
    role = next(role for role in rule.needs if role in table.vacant)
    sentence = f"nothing is {role} yet; the rule {rule.describe()!r} holds from the first promotion on"
    return RuleVerdict(rule.describe(), Status.NOT_APPLICABLE, sentence)


def _obstacles(rules: Sequence[Rule], table: ResultsTable) -> list[str]:
    """What keeps any table like this one from a verdict."""
    roles = list(dict.fromkeys(role for rule in rules for role in rule.needs))
    found = [f"there are no results of {role}" for role in roles if role not in table.values]
    if not table.case_ids:
        found.append("there are no cases")
    graded = dict.fromkeys(role for rule in rules if rule.reads_grades for role in rule.needs)
    found += [
        f"{len(rows)} answers of {role} were only compared and have no grade, which a rule is about"
        for role in graded
        if (rows := table.ungraded.get(role))
    ]
    trained = [case for case in table.leaked if case in set(table.case_ids)]
    if trained:
        found.append(
            f"the candidate was trained on {len(trained)} of {len(table.case_ids)} cases ({', '.join(trained[:5])}"
            f"{', …' if len(trained) > 5 else ''}); take them out of its training file, or evaluate it with --without-leaked"
        )
    return found


def _transient(table: ResultsTable) -> list[str]:
    """What is missing and may come when the calls are repeated. Infrastructure is not quality: it decides nothing."""
    found = []
    for role in table.values:
        if table.missing(role) > len(table.never(role)):
            kinds = ", ".join(f"{count} x {kind}" for kind, count in sorted(table.failures.get(role, {}).items()))
            found.append(
                f"{role} lacks {table.missing(role)} of {len(table.case_ids)} cases" + (f" ({kinds})" if kinds else "")
            )
    return found
