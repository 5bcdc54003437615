"""Rules about shares: of the gap that is recovered, of the cost, and of the cases in which the candidate is faster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from distilltest.errors import SuiteError
from distilltest.gate.figures import declared, interval, upper
from distilltest.gate.means import counted, more_than_half
from distilltest.gate.rule import WORD, ClusteredValues, Measure, Rule, check_role, is_number, settled, weigh
from distilltest.gate.table import ResultsTable
from distilltest.gate.verdict import RuleVerdict, Status
from distilltest.gate.worst import filled, rows_without
from distilltest.statistics.difference_tests import TESTS, mean_test

if TYPE_CHECKING:
    from distilltest.statistics.observed import ObservedValues


@dataclass(frozen=True, slots=True)
class _Recovers(Rule):
    """A share f of the gap from base to teacher is recovered: candidate - (1 - f) base - f teacher > 0."""

    share: float
    base: str
    teacher: str

    @property
    def needs(self) -> tuple[str, ...]:
        return ("candidate", self.base, self.teacher)

    def describe(self) -> str:
        return f"recovers {declared(self.share)} % of the gap from {self.base} to {self.teacher}"

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The base may pass nothing."""
        return (Measure(self.teacher), Measure("candidate"))

    @property
    def helped_by(self) -> Mapping[str, bool]:
        return {"candidate": True, self.base: False, self.teacher: False}

    def sample(self, table: ResultsTable) -> ClusteredValues | None:
        whole, rows = self._rows(table)
        clusters = table.clusters_of(whole)
        return ClusteredValues(self._contrast(rows), clusters, 0.0) if clusters else None

    def decide_filled(self, table: ResultsTable, alpha: float, block_alpha: float, *, worst: bool) -> RuleVerdict:
        """As for every rule. In addition, the gap must be proven for every value of the missing answers."""
        from distilltest.statistics import recovered

        verdict = super(_Recovers, self).decide_filled(table, alpha, block_alpha, worst=worst)
        if not worst or verdict.status is not Status.PROMOTE:
            return verdict
        narrow, wide = (
            [t - b for _, b, t in self._rows(filled(table, dict(zip(self.needs, right, strict=True))))[1]]
            for right in ((False, True, False), (False, False, True))
        )
        if recovered.gap_is_shown(narrow, wide, alpha):
            return verdict
        return replace(verdict, status=Status.UNDECIDED, low=None, high=None, sentence=self._no_gap(len(narrow)))

    def _rows(self, table: ResultsTable) -> tuple[list[int], list[tuple[float, float, float]]]:
        """The rows in which all three roles have a value, and the values."""
        columns = list(zip(*(table.values[role] for role in self.needs), strict=True))
        whole = [row for row, values in enumerate(columns) if None not in values]
        return whole, [(c, b, t) for c, b, t in columns if c is not None and b is not None and t is not None]

    def _contrast(self, rows: Iterable[tuple[float, float, float]]) -> list[float]:
        return [c - (1 - self.share) * b - self.share * t for c, b, t in rows]

    def seen(self, table: ResultsTable) -> ObservedValues | None:
        from distilltest.statistics.observed import ObservedValues

        whole, rows = self._rows(table)
        clusters = table.clusters_of(whole)
        return ObservedValues(self._contrast(rows), 0.0, mean_test(clusters), clusters, equal=None)

    def _no_gap(self, n: int) -> str:
        return f"the gap between {self.base} and {self.teacher} is too small to say what share of it is recovered ({n} cases)"

    def decide(self, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
        from distilltest.statistics import recovered

        whole, rows = self._rows(table)
        clusters, n = table.clusters_of(whole), len(rows)
        candidate, base, teacher = ([row[i] for row in rows] for i in range(3))
        p, against = (
            recovered.shown(candidate, base, teacher, self.share, clusters, more=more) for more in (True, False)
        )
        p, against = 1.0 if p is None else p, 1.0 if against is None else against
        status = weigh(p, against, alpha, block_alpha)
        share = recovered.evaluate(candidate, base, teacher, alpha).share if n > 1 else None
        low, high = None, None
        if share is None:
            status, sentence = Status.UNDECIDED, self._no_gap(n)
        elif found := recovered.bounds(candidate, base, teacher, clusters, alpha, block_alpha):
            low, high = settled(status, *found, self.share)
            verb = {Status.PROMOTE: "recovers", Status.BLOCK: "recovers only", Status.UNDECIDED: "may recover"}[status]
            sentence = (
                f"the candidate {verb} {interval(low, high, self.share)} % of the gap from {self.base} "
                f"to {self.teacher}, asked for {declared(self.share)} % ({n} cases)"
            )
        else:
            sentence = f"the recovered share of the gap from {self.base} to {self.teacher} is unknown ({n} cases)"
        return RuleVerdict(
            rule=self.describe(),
            status=status,
            sentence=sentence,
            test=TESTS[mean_test(clusters)].name,
            p=p,
            estimate=share,
            low=low,
            high=high,
            limit=self.share,
            n=n,
        )


@dataclass(frozen=True, slots=True)
class _Costs(Rule):
    """The candidate's answers cost at most a share of another role's."""

    share: float
    role: str

    @property
    def needs(self) -> tuple[str, ...]:
        return ("candidate", self.role)

    @property
    def proves(self) -> bool:
        return False

    @property
    def reads_prices(self) -> bool:
        return True

    @property
    def reads_grades(self) -> bool:
        return False

    @property
    def beside_labels(self) -> str | None:
        return "what answers cost"

    def describe(self) -> str:
        return f"costs at most {declared(self.share)} % of {self.role}"

    def fill(self, table: ResultsTable, *, worst: bool) -> ResultsTable | str:
        """A missing answer costs at least nothing; its highest cost is unknown."""
        role = "candidate" if worst else self.role
        if missing := len(table.never(role)):
            return f"what answers of {role} to {missing} of {len(table.case_ids)} cases would cost is unknown"
        return table

    def decide(self, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
        ours, theirs = table.usd.get("candidate"), table.usd.get(self.role)
        silent = [role for role in self.needs if table.without_usage.get(role)]
        if silent:
            return RuleVerdict(
                self.describe(),
                Status.INCOMPLETE,
                f"what {' and '.join(silent)} cost is unknown: the server sent no usage with "
                f"{' and '.join(f'{table.without_usage[role]} answers' for role in silent)}",
            )
        if ours is None or not theirs:
            return RuleVerdict(
                self.describe(),
                Status.INCOMPLETE,
                f"the prices of candidate and {self.role} are not both known; add them to the file that `prices:` names",
            )
        share = ours / theirs
        status = Status.PROMOTE if share <= self.share else Status.BLOCK
        sentence = (
            f"the candidate costs {upper(share, self.share)} % of {self.role} "
            f"(limit {declared(self.share)} %; ${ours:.4f} against ${theirs:.4f})"
        )
        return RuleVerdict(self.describe(), status, sentence, "measured", n=len(table.case_ids))


@dataclass(frozen=True, slots=True)
class _Faster(Rule):
    """The candidate answers faster than another role, in more than half of the cases."""

    role: str

    @property
    def needs(self) -> tuple[str, ...]:
        return ("candidate", self.role)

    @property
    def reads_latencies(self) -> bool:
        return True

    @property
    def reads_grades(self) -> bool:
        return False

    @property
    def claims(self) -> bool:
        """Not a claim about answers: a fast answer may be wrong."""
        return False

    @property
    def beside_labels(self) -> str | None:
        return "how long answers take"

    def describe(self) -> str:
        return f"faster than {self.role}"

    def sample(self, table: ResultsTable) -> ClusteredValues | None:
        apart = self._apart(table)
        clusters = table.clusters_of(apart)
        return ClusteredValues([1.0 if d > 0 else -1.0 for d in apart.values()], clusters, 0.0) if clusters else None

    def fill(self, table: ResultsTable, *, worst: bool) -> ResultsTable | str:
        """If an answer is missing, the candidate was slower than in any other case, or faster."""
        ours, theirs = (list(table.latencies.get(role, ())) for role in self.needs)
        longest = max((each for each in (*ours, *theirs) if each is not None), default=None)
        if longest is None or not ours or not theirs:
            return self._unknown()
        for row in rows_without(table, self.needs):
            ours[row], theirs[row] = (1.0 + longest, 0.0) if worst else (0.0, 1.0 + longest)
        return replace(table, latencies={**table.latencies, "candidate": tuple(ours), self.role: tuple(theirs)})

    def _apart(self, table: ResultsTable) -> dict[int, float]:
        """Row → by how many seconds the candidate was faster, if the latencies differ."""
        columns = zip(table.latencies.get("candidate", ()), table.latencies.get(self.role, ()), strict=False)
        return {
            row: theirs - ours
            for row, (ours, theirs) in enumerate(columns)
            if ours is not None and theirs is not None and ours != theirs
        }

    def _unknown(self) -> str:
        return f"no latencies of candidate and {self.role} are known"

    def decide(self, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
        apart = self._apart(table)
        if not apart:
            return RuleVerdict(self.describe(), Status.INCOMPLETE, self._unknown())
        faster = [difference > 0 for difference in apart.values()]
        wins, n, clusters = sum(faster), len(faster), table.clusters_of(apart)
        weighed = (
            more_than_half(faster, clusters, alpha, block_alpha)
            if clusters
            else replace(counted(wins, n, 0.5, alpha, block_alpha), test="sign test")
        )
        status = weigh(weighed.p, weighed.against, alpha, block_alpha)
        low, high = settled(status, weighed.low, weighed.high, 0.5)
        middle = sorted(apart.values())[n // 2]
        sentence = (
            f"the candidate {WORD[status]} faster than {self.role} in {interval(low, high, 0.5)} % "
            f"of cases, by {1000 * abs(middle):.0f} ms {'less' if middle > 0 else 'more'} in the median "
            f"({wins} of {n} cases faster)"
        )
        return RuleVerdict(
            rule=self.describe(),
            status=status,
            sentence=sentence,
            test=weighed.test,
            p=weighed.p,
            estimate=wins / n,
            low=low,
            high=high,
            limit=0.5,
            n=n,
            wins=wins,
            losses=n - wins,
        )


def recovers(share: float, *, base: str = "base", teacher: str = "teacher") -> Rule:
    """The candidate recovers more than the given share of the gap from base to teacher (0.9 is ninety percent).

    Args:
        share: The share of the gap to recover, in (0, 1].
        base: The role at the lower end of the gap.
        teacher: The role at its upper end.

    Raises:
        SuiteError: The share is not in (0, 1], or the roles are not two different roles other than the candidate.
    """
    if not is_number(share) or not 0 < share <= 1:
        raise SuiteError(f"recovers({share!r}): the share is in (0, 1]; 0.9 is ninety percent.")
    check_role("recovers", base)
    check_role("recovers", teacher)
    if base == teacher:
        raise SuiteError(f"recovers(base={base!r}, teacher={teacher!r}): there is no gap between a role and itself.")
    return _Recovers(float(share), base, teacher)


def costs_at_most(share: float, *, of: str = "teacher") -> Rule:
    """The candidate's answers cost at most the given share of another role's, by the price file.

    Args:
        share: The candidate's cost as a share of the other role's; 0.2 is a fifth.
        of: The other role.

    Raises:
        SuiteError: The share is not above 0, or the role is not another role.
    """
    if not is_number(share) or share <= 0:
        raise SuiteError(f"costs_at_most({share!r}): the share is above 0; 0.2 is a fifth.")
    check_role("costs_at_most", of)
    return _Costs(float(share), of)


def faster_than(role: str) -> Rule:
    """The candidate answers faster than a role, case by case, in more than half of the cases.

    Stored answers keep their measured latency.

    Args:
        role: The role to compare with: ``base``, ``teacher``, ``promoted`` or one of your own.

    Raises:
        SuiteError: The role is not another role.
    """
    check_role("faster_than", role)
    return _Faster(role)
