"""Which outcomes a rule tests: the graders', or, if labels are declared, people's labels.

Only this module chooses, so that no rule can fall back to a judge that people were asked to check. Declared labels decide every
rule about the quality of answers:

- Fewer than 200 labelled cases (pairs) are tested alone, with the test that suits them.
- From 200 on (for clustered cases, in at least 100 clusters), a judge's grades sharpen the labels for rules about a mean
  (``statistics.prediction_powered``). Other rules use the labels alone.
- A rule that a single case can break (``always``) also counts failed grades of unlabelled answers.
- Without any labels, the rule is undecided.
- A new answer, to a case with a label of an earlier answer, has the least favourable value. Otherwise a candidate whose changed
  answers are all worse would gain because they have no labels.

Labels do not affect rules about costs, latencies and preferences. Each verdict says what decided it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from distilltest.gate.rule import Rule
from distilltest.gate.table import ResultsTable
from distilltest.gate.verdict import RuleVerdict, Status
from distilltest.gate.worst import NAMED, how_many, rows_without

ENOUGH_LABELS = 200
"""A judge's grades sharpen the labels from this number of labelled cases on."""
ENOUGH_CLUSTERS = 100
"""A judge's grades sharpen clustered labels from this effective number of clusters on. With fewer, the test of clusters on the
labels alone proves more."""
_NEW = ", unlabelled new answers at their worst"


def decide(rule: Rule, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
    """The verdict on a rule, by the outcomes that it must test."""
    if not table.human:
        return rule.verdict(table, alpha, block_alpha)
    if rule.beside_labels:
        return beside(rule, table, rule.verdict(table, alpha, block_alpha))
    scope = rule.scope(table)
    if not scope.case_ids:
        return rule.verdict(scope, alpha, block_alpha)
    known, new = _rows(scope, rule.needs)
    if not known:
        return _nothing(rule, scope, len(new))
    labelled = sorted(known + new)
    graded = [row for row in labelled if all(scope.values[role][row] is not None for role in rule.needs)]
    sharpened = rule.sharpened and len(graded) >= ENOUGH_LABELS and _spread(scope.clusters_of(graded))

    def weighed(*, worst: bool) -> RuleVerdict:
        filled = _filled(scope, rule, new, worst=worst)
        found = rule.verdict(filled if sharpened else _alone(filled, rule.needs, labelled), alpha, block_alpha)
        if rule.spares_none and found.status is Status.PROMOTE:
            strict = rule.verdict(_overlaid(filled, rule.needs), alpha, block_alpha)
            return strict if strict.status is Status.BLOCK else found
        return found

    found = weighed(worst=True)
    how = _how(rule, scope, known, new, sharpened=sharpened)
    if new and found.status is not Status.PROMOTE:
        best = weighed(worst=False)
        if found.status is best.status is Status.BLOCK:
            found = best
        else:
            differ = found.status is not best.status
            why = f"the verdict depends on {len(new)} new answers that have no label" if differ else found.sentence
            found = replace(found, status=Status.UNDECIDED, sentence=why)
    test = found.test + (_NEW if new else "")
    return replace(found, test=test, labels=how, labelled=len(known))


def said(verdict: RuleVerdict) -> RuleVerdict:
    """The verdict with a note about labels in its sentence."""
    if not verdict.labels or verdict.labels in verdict.sentence:
        return verdict
    return replace(verdict, sentence=f"{verdict.sentence}; {verdict.labels}")


def basis(rule: Rule, table: ResultsTable) -> ResultsTable:
    """The outcomes that show the competence of a rule's roles: people's labels if they decide the rule."""
    if not table.human or rule.beside_labels:
        return table
    known, new = _rows(table, rule.needs)
    if not known:
        return table
    human = {role: tuple(0.0 if v is None else v for v in column) for role, column in table.human.items()}
    return _alone(replace(table, human=human), rule.needs, sorted(known + new))


def beside(rule: Rule, table: ResultsTable, verdict: RuleVerdict) -> RuleVerdict:
    """The verdict on a rule that labels do not decide, with a note if labels are declared."""
    if not table.human or not rule.beside_labels:
        return verdict
    why = f"people's labels are not used: they do not say {rule.beside_labels}"
    return replace(verdict, labels=why)


def no_worst_case(rule: Rule, table: ResultsTable) -> RuleVerdict | None:
    """Why a rule that labels decide has no worst case for unanswerable cases; None if it has one, or needs none."""
    if not table.human or rule.beside_labels or not rows_without(rule.scope(table), rule.needs):
        return None
    why = f"{how_many(table)}; people cannot label them, and labels of a random sample decide this rule"
    return RuleVerdict(rule.describe(), Status.INCOMPLETE, why, labels=why, labelled=0)


def _spread(clusters: Sequence[str]) -> bool:
    """Whether there are enough clusters; always true for independent cases."""
    from distilltest.statistics.clusters import Weights

    return not clusters or Weights.of(clusters).effective >= ENOUGH_CLUSTERS


def _how(rule: Rule, table: ResultsTable, known: Sequence[int], new: Sequence[int], *, sharpened: bool) -> str:
    """A sentence about how labels decided."""
    count, unit = len(known), _unit(rule.needs)
    if sharpened:
        how = f"the judge was corrected by {count} {unit} that people labelled"
    else:
        how = f"tested on the {count} of {len(table.case_ids)} {unit} that people labelled, without the judge"
        if rule.sharpened:
            spread = f" in at least {ENOUGH_CLUSTERS} clusters" if table.clusters_of(known) else ""
            how += f" (with {ENOUGH_LABELS} or more{spread}, its grades of all cases sharpen them)"
    if new:
        how += f"; {len(new)} labelled cases have new, unlabelled answers, which count against the claim"
    seen = {tag for row in (*known, *new) for tag in table.tags[row]} if rule.reads_tags and table.tags else set[str]()
    unseen = sorted({tag for tags in table.tags for tag in tags} - seen) if rule.reads_tags else []
    if unseen:
        how += f"; no case of {', '.join(unseen[:NAMED])}{', …' if len(unseen) > NAMED else ''} is labelled"
    return how


def _unit(roles: Sequence[str]) -> str:
    return "answers" if len(roles) == 1 else "pairs" if len(roles) == 2 else "cases"


def _rows(table: ResultsTable, roles: Sequence[str]) -> tuple[list[int], list[int]]:
    """The rows with a label for every role, and the rows in which roles without a label have a new answer."""
    known, new = [], []
    for row in range(len(table.case_ids)):
        fresh = [row in table.unlabelled.get(role, ()) for role in roles]
        there = [role in table.human and table.human[role][row] is not None for role in roles]
        if all(there):
            known.append(row)
        elif all(a or b for a, b in zip(fresh, there, strict=True)):
            new.append(row)
    return known, new


def _filled(table: ResultsTable, rule: Rule, new: Sequence[int], *, worst: bool) -> ResultsTable:
    """The table in which each new answer has the least favourable label for the claim, or the most favourable."""
    if not new:
        return table
    human = dict(table.human)
    for role in rule.needs:
        column = list(human.get(role, (None,) * len(table.case_ids)))
        for row in new:
            if column[row] is None:
                column[row] = float(rule.helped_by.get(role, True) is not worst)
        human[role] = tuple(column)
    return replace(table, human=human)


def _overlaid(table: ResultsTable, roles: Sequence[str]) -> ResultsTable:
    """The table with people's labels as values, and grades where there is no label."""
    values = dict(table.values)
    for role in roles:
        said = table.human.get(role, (None,) * len(table.case_ids))
        values[role] = tuple(
            grade if people is None else people for grade, people in zip(values[role], said, strict=True)
        )
    return replace(table, values=values, human={}, unlabelled={})


def _alone(table: ResultsTable, roles: Sequence[str], rows: Sequence[int]) -> ResultsTable:
    """The table with people's labels as its only values, so that no rule can read a judge's grades."""
    nobody = (None,) * len(table.case_ids)
    said: Mapping[str, Sequence[float | None]] = {role: table.human.get(role, nobody) for role in roles}
    binary = all(said[role][row] in (0.0, 1.0) for role in roles for row in rows)
    alone = replace(table, values=said, human={}, unlabelled={}, binary=binary, by_people=True, graders=())
    return alone.cut(rows)


def _nothing(rule: Rule, table: ResultsTable, new: int) -> RuleVerdict:
    roles = ", ".join(f"--against {role}" for role in rule.needs if role != "candidate")
    unit = _unit(rule.needs)
    why = (
        f"people's labels decide this rule, and none of {len(table.case_ids)} {unit} is labelled"
        + (f" ({new} have labels, but of other answers)" if new else "")
        + f"; `distilltest judge sample EVALUATION{roles and f' {roles}'} --out FILE` writes a sheet to fill in"
    )
    return RuleVerdict(rule.describe(), Status.UNDECIDED, why, labels=why, labelled=0)
