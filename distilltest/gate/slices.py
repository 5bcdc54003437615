"""A guard over slices: no slice may show a regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum, sqrt
from typing import TYPE_CHECKING

from distilltest.errors import SuiteError
from distilltest.gate.comparison import Comparison
from distilltest.gate.rule import Measure, Rule, check_role, is_number, points
from distilltest.gate.table import ResultsTable
from distilltest.gate.verdict import RuleVerdict, SliceVerdict, Status
from distilltest.gate.worst import filled, rows_without

if TYPE_CHECKING:
    from distilltest.statistics.slices import Slice, Slices

DRAWN = 0.02
"""An upper bound on the difference between p-values near 0.10 that come from two random sets of 9,999 signs."""


@dataclass(frozen=True, slots=True)
class _NoSliceRegresses(Rule):
    """Blocks on evidence that the candidate is worse in any slice, with an error rate of at most 0.10 for all slices together."""

    role: str
    tags: tuple[str, ...] | None
    limit: float | None = None
    """How much worse a slice may be; None for not at all."""

    @property
    def needs(self) -> tuple[str, ...]:
        return ("candidate", self.role)

    @property
    def proves(self) -> bool:
        return False

    @property
    def measures(self) -> tuple[Measure, ...]:
        return (Measure(self.role),)

    @property
    def reads_tags(self) -> bool:
        return True

    def describe(self) -> str:
        return f"no slice worse than {self.role}" + (f" by {points(self.limit)} points" if self.limit else "")

    @property
    def helped_by(self) -> Mapping[str, bool]:
        return {"candidate": True, self.role: False}

    def decide_filled(self, table: ResultsTable, alpha: float, block_alpha: float, *, worst: bool) -> RuleVerdict:
        """As for every rule. But a worse answer can hide a drop elsewhere, so in the worst case no slice may come near a drop.

        The p-value of all slices together is at least that of fewer of them. So the slices without missing answers are weighed
        among themselves, and each other slice alone in its worst case, which gives its smallest p-value.
        """
        from distilltest.statistics.slices import FAMILY_LEVEL, largest_drop

        verdict = super(_NoSliceRegresses, self).decide_filled(table, alpha, block_alpha, worst=worst)
        if not worst or verdict.status is not Status.PROMOTE or self.limit is not None:
            return verdict  # with a margin each slice is weighed alone, and its worst case is that of its values
        missing = set(rows_without(table, self.needs))
        rows = self._rows(filled(table, {"candidate": False, self.role: True}))
        touched = sorted({tag for row, _, tags in rows if row in missing for tag in tags})
        untouched = {tag for *_, tags in rows for tag in tags}.difference(touched)
        for family in [untouched, *({tag} for tag in touched)]:
            inside = [(row, d, family.intersection(tags)) for row, d, tags in rows if family.intersection(tags)]
            clusters = table.clusters_of(row for row, *_ in inside)
            differences, sets = [d for _, d, _ in inside], [tags for *_, tags in inside]
            found = largest_drop(differences, sets, clusters, corrected=family is untouched)
            if found.slices and found.p <= FAMILY_LEVEL + DRAWN:
                tag = min(found.slices, key=lambda one: one.p).tag
                why = f"with other missing answers {tag} could show a regression against {self.role}"
                return replace(verdict, status=Status.UNDECIDED, p=found.p, sentence=why)
        return verdict

    def _rows(self, table: ResultsTable) -> list[tuple[int, float, tuple[str, ...]]]:
        """The row, difference and tags of each complete pair."""
        columns = zip(table.values["candidate"], table.values[self.role], table.tags, strict=False)
        return [
            (row, ours - theirs, tuple(tag for tag in tags if self.tags is None or tag in self.tags))
            for row, (ours, theirs, tags) in enumerate(columns)
            if ours is not None and theirs is not None
        ]

    def decide(self, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
        from distilltest.statistics.slices import largest_drop

        whole = self._rows(table)
        known = {tag for *_, tags in whole for tag in tags}
        unknown = sorted(set(self.tags or ()) - known)
        if unknown or not known:
            what = f"no case has the tag {unknown[0]!r}" if unknown else "the cases have no tags"
            return RuleVerdict(self.describe(), Status.INCOMPLETE, what)
        clusters = table.clusters_of(row for row, *_ in whole)
        found = (
            largest_drop([difference for _, difference, _ in whole], [tags for *_, tags in whole], clusters)
            if self.limit is None
            else self._beyond(self.limit, whole, clusters, table.binary)
        )
        worst = min(found.slices, key=lambda one: (one.p, one.difference))
        drops = [one for one in found.slices if one.tag in found.regressed]
        if drops:
            named = ", ".join(f"{one.tag} ({points(one.difference)} points in {one.cases} cases)" for one in drops)
            by = f" by more than {points(self.limit)} points" if self.limit else ""
            sentence = f"the candidate is worse than {self.role}{by} in {named}"
        else:
            limit = f" of more than {points(self.limit)} points" if self.limit else ""
            sentence = f"no slice of {len(found.slices)} shows a regression against {self.role}{limit}" + (
                f" (the largest drop: {worst.tag}, {points(worst.difference)} points in {worst.cases} cases)"
                if worst.difference < 0
                else ""
            )
        return RuleVerdict(
            rule=self.describe(),
            status=Status.BLOCK if drops else Status.PROMOTE,
            sentence=sentence,
            test=f"largest drop over slices, sign-flip{' of clusters' if clusters else ''}"
            if self.limit is None
            else "each slice against the margin, Holm's correction",
            p=found.p,
            n=len(whole),
            slices=_estimated(found.slices, whole, clusters),
        )

    def _beyond(
        self, limit: float, whole: Sequence[tuple[int, float, tuple[str, ...]]], clusters: Sequence[str], binary: bool
    ) -> Slices:
        """The slices that are worse by more than the margin, each by the test of a comparison, with Holm's correction."""
        from distilltest.statistics.shrinkage import stepped
        from distilltest.statistics.slices import FAMILY_LEVEL, Slice, Slices

        members = _members(whole)
        compared = [
            Comparison(
                self.role, tuple(whole[i][1] for i in inside), 0, binary, tuple(clusters[i] for i in inside if clusters)
            )
            for inside in members.values()
        ]
        level = FAMILY_LEVEL / len(members)
        p = stepped([pairs.swapped().p_value(-limit, level) for pairs in compared])
        found = tuple(
            Slice(tag, pairs.n, pairs.difference, each) for tag, pairs, each in zip(members, compared, p, strict=True)
        )
        return Slices(found, min(p), tuple(one.tag for one in found if one.p <= FAMILY_LEVEL))


def _members(whole: Sequence[tuple[int, float, tuple[str, ...]]]) -> dict[str, list[int]]:
    """Tag → the positions of its cases."""
    found: dict[str, list[int]] = {tag: [] for tag in sorted({tag for *_, tags in whole for tag in tags})}
    for i, (*_, tags) in enumerate(whole):
        for tag in set(tags):
            found[tag].append(i)
    return found


def _estimated(
    slices: Sequence[Slice], whole: Sequence[tuple[int, float, tuple[str, ...]]], clusters: Sequence[str]
) -> tuple[SliceVerdict, ...]:
    """The slices with estimates shrunk towards their mean."""
    from distilltest.statistics.shrinkage import shrunken

    members = _members(whole)
    errors = []
    for one in slices:
        sums: dict[object, float] = {}
        for i in members[one.tag]:
            cluster = clusters[i] if clusters else i
            sums[cluster] = sums.get(cluster, 0.0) + whole[i][1] - one.difference
        # As if one more case had differed: without any difference, the error is still not 0.
        errors.append(sqrt(fsum(each * each for each in sums.values()) + 1.0) / (one.cases + 1.0))
    found = shrunken([one.difference for one in slices], errors)
    return tuple(
        SliceVerdict(one.tag, one.cases, one.difference, *each, p=one.p)
        for one, each in zip(slices, found, strict=True)
    )


def no_slice_regresses(
    role: str = "teacher", *, margin: float | None = None, tags: Sequence[str] | None = None
) -> Rule:
    """No slice shows evidence that the candidate is worse than a role, or worse by more than a margin. Slices may overlap.

    This rule is a guard: a small slice without evidence does not block. Declare a ``critical_slice`` to demand proof.

    Args:
        role: The role to compare with: ``base``, ``teacher``, ``promoted`` or one of your own.
        margin: How much worse a slice may be, as a share in (0, 1); None for not at all.
        tags: The tags of the slices; None for every tag of the dataset.

    Raises:
        SuiteError: The role is not another role, the margin is not in (0, 1), or the tags are not a list of strings.
    """
    check_role("no_slice_regresses", role)
    if margin is not None and (not is_number(margin) or not 0 < margin < 1):
        raise SuiteError(
            f"no_slice_regresses({role!r}, margin={margin!r}): the margin is a share in (0, 1); 0.05 is five points. "
            "Leave it out to block on evidence of any drop."
        )
    if tags is not None and (isinstance(tags, str) or not tags or not all(isinstance(tag, str) for tag in tags)):
        raise SuiteError(f"no_slice_regresses(tags={tags!r}): a list of tags, or None for all.")
    return _NoSliceRegresses(role, None if tags is None else tuple(tags), None if margin is None else float(margin))
