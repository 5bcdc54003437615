"""The verdict on a table of results: a pure function.

All rules must hold, so each is tested at alpha without a correction (an intersection-union test). A rule is broken if there is
evidence against it at alpha divided by the number of rules. The verdict is *incomplete* if the run was narrowed, or if values are
missing that another run may supply. For values that can never be known, the worst case decides (see ``worst``): *promote* if it
proves every rule, *block* if even the best case breaks one, else *incomplete*, with the names of the cases.
A rule does not apply until a model has its role. The verdict is also *incomplete* if no rule applies, if no claim about the
candidate's answers is proven, or if a role that a rule relies on shows no competence (see ``competence``).
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
    """Decide on the results of an evaluation, a notebook or another runner.

    Args:
        rules: The rules, at least one. All must hold.
        table: The results of an evaluation. Or give arrays instead.
        candidate: A value in [0, 1] for each case, None for a missing one, such as a failed call. If all values of all roles are
            0 or 1, they count as pass and fail.
        base: The values of the base, in the same order of cases.
        teacher: The values of the teacher.
        alpha: The one-sided level of each rule, in (0, 0.5).
        clusters: The cluster of each case; None for independent cases.
        tags: The tags of each case.
        human: Role → people's labels of its answers, in the same order, None for an unlabelled answer. The labels decide: alone,
            or, from 200 labelled pairs on, sharpened by the values, which then are a judge's grades. The labelled cases must be
            a random sample.
        worst_case: Treat every None in the arrays as unknowable (a prompt over the context length, for example), and decide by
            the worst case for the candidate. Otherwise a None makes the verdict incomplete.
        **roles: The values of further roles.

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
    decide_one = _decide_bounds if bounded else _decide_rule
    verdicts = tuple(
        _agreeing(
            with_competence(
                rule, decide_one(rule, table, alpha, alpha / len(applicable)), tested.basis(rule, table), alpha
            )
        )
        if rule in applicable
        else _not_yet(rule, table)
        for rule in rules
    )
    status, sentence = _say(rules, verdicts, table, bounded)
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
        verdicts,
        missing={role: table.missing(role) for role in table.values if table.missing(role)},
        worst_case=bounded,
        unanswerable=tuple(unanswered(table)[:LISTED]),
        transient=bool(transient),
    )


def _agreeing(verdict: RuleVerdict) -> RuleVerdict:
    """The rule's verdict, with a note about labels, and with an interval that agrees with the final status."""
    verdict = tested.said(verdict)
    decided = verdict.status in (Status.PROMOTE, Status.BLOCK, Status.UNDECIDED)
    if not decided or verdict.low is None or verdict.high is None or verdict.limit is None:
        return verdict
    low, high = settled(verdict.status, verdict.low, verdict.high, verdict.limit)
    return replace(verdict, low=low, high=high)


def _say(
    rules: Sequence[Rule], verdicts: Sequence[RuleVerdict], table: ResultsTable, bounded: bool
) -> tuple[Status, str]:
    """The status that follows from the rules, and the sentence."""
    status = combine([each.status for each in verdicts])
    said = "; ".join(dict.fromkeys(each.sentence for each in verdicts if each.status is status)) or "no rule applies"
    if status is Status.PROMOTE and (why := without_claim(rules, verdicts)):
        status, said = Status.INCOMPLETE, why
    later = "; ".join(each.sentence for each in verdicts if each.status is Status.NOT_APPLICABLE)
    notes = [later] if later else []
    if status is Status.BLOCK and nobody_passes(table):
        notes.append(no_role_passes(table))
    if bounded and status is not Status.INCOMPLETE:
        even = f"; {assumed(table, worst=status is Status.PROMOTE)}" if status is not Status.UNDECIDED else ""
        notes.append(f"{how_many(table)}{even}")
    elif any(
        each.status is Status.INCOMPLETE and rows_without(table, rule.needs)
        for rule, each in zip(rules, verdicts, strict=True)
        if bounded
    ):
        said = f"{how_many(table)} and never will, and the verdict depends on this: {advice(table)} In the worst case: {said}"
    elif bounded:
        notes.append(how_many(table))
    return status, f"{status}: {said}" + "".join(f" ({note})" for note in notes)


def _decide_bounds(rule: Rule, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
    """Decide for every value that missing answers could have had: proven in the worst case, broken in the best, or incomplete."""
    if not rows_without(table, rule.needs):
        return _decide_rule(rule, table, alpha, block_alpha)
    if none := tested.no_worst_case(rule, table):
        return none
    if table.human and not rule.beside_labels:
        return _decide_rule(rule, table, alpha, block_alpha)
    return tested.beside(rule, table, _decide_worst(rule, table, alpha, block_alpha))


def _decide_worst(rule: Rule, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
    worst = rule.decide_filled(table, alpha, block_alpha, worst=True)
    if worst.status is Status.PROMOTE:
        return worst
    best = rule.decide_filled(table, alpha, block_alpha, worst=False)
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


def _decide_rule(rule: Rule, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
    for role in rule.needs:
        if role not in table.values:
            return RuleVerdict(rule.describe(), Status.INCOMPLETE, f"there are no results of {role}")
    cases = [v for v in zip(*(table.values[role] for role in rule.needs), strict=True) if None not in v]
    if not cases and rule.reads_grades:
        return RuleVerdict(rule.describe(), Status.INCOMPLETE, f"no case has results of {' and '.join(rule.needs)}")
    return tested.decide(rule, table, alpha, block_alpha)


def _not_yet(rule: Rule, table: ResultsTable) -> RuleVerdict:
    role = next(role for role in rule.needs if role in table.vacant)
    sentence = f"nothing is {role} yet; the rule {rule.describe()!r} holds from the first promotion on"
    return RuleVerdict(rule.describe(), Status.NOT_APPLICABLE, sentence)


def _obstacles(rules: Sequence[Rule], table: ResultsTable) -> list[str]:
    """Reasons why no table like this one can get a verdict."""
    roles = list(dict.fromkeys(role for rule in rules for role in rule.needs))
    found = [f"there are no results of {role}" for role in roles if role not in table.values]
    if not table.case_ids:
        found.append("there are no cases")
    graded = dict.fromkeys(role for rule in rules if rule.reads_grades for role in rule.needs)
    found += [
        f"{len(rows)} answers of {role} were only compared and have no grade, and a rule needs their grades"
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
    """Values that repeated calls may supply. A failed call says nothing about quality, so it decides nothing."""
    found = []
    for role in table.values:
        if table.missing(role) > len(table.never(role)):
            kinds = ", ".join(f"{count} x {kind}" for kind, count in sorted(table.failures.get(role, {}).items()))
            found.append(
                f"{role} lacks {table.missing(role)} of {len(table.case_ids)} cases" + (f" ({kinds})" if kinds else "")
            )
    return found
