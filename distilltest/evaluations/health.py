"""Counting, while answers are graded, what shows that a grader is broken rather than a model bad."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from distilltest.errors import SuiteError
from distilltest.health import GraderHealth
from distilltest.records import Case, Grade

ALL_OF_THE_FIRST = 20
"""Where a test function raises on so many answers of each role and on nothing else, the rest need not be paid for."""
_KINDS = 1000
"""Kinds of reasons that are told apart; a grader with more has no reason that dominates."""
_DETAIL = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\d+(?:\.\d+)?""")
"""What differs from answer to answer in reasons of one kind."""
_PASSED, _FAILED = 1, 2


class _Tally:
    """One grader's counts."""

    def __init__(self, cases: int) -> None:
        self.seen = bytearray(cases)
        """For each case, whether some answer passed and whether some failed."""
        self.graded = self.passed = self.raised = 0
        self.kinds = Counter[str]()
        self.examples = dict[str, str]()


class Health:
    """The counts of one evaluation."""

    def __init__(self, name: str, case_ids: Sequence[str]) -> None:
        """Start at nothing.

        Args:
            name: What the test function is called.
            case_ids: All that may be asked.
        """
        self._name = name
        self._rows = {case: row for row, case in enumerate(case_ids)}
        self._tallies = dict[str, _Tally]()
        self._graded, self._raised = Counter[str](), Counter[str]()
        """Role → answers."""
        self._exceptions = Counter[str]()
        self._first = ""

    def expect(self, role: str) -> None:
        """A role will be asked: without an answer of it, nothing can be said of all roles."""
        self._graded[role] += 0

    def add(self, case: Case, role: str, grades: Sequence[Grade]) -> None:
        """Count the grades of one answer.

        Raises:
            SuiteError: The test function has raised on every answer so far, and these are enough to say so.
        """
        names = Counter[str]()
        row, raised = self._rows[case.id], ""
        for grade in grades:
            names[grade.name] += 1
            name = f"{grade.name} {names[grade.name]}" if names[grade.name] > 1 else grade.name
            tally = self._tallies.get(name)
            if tally is None:
                tally = self._tallies[name] = _Tally(len(self._rows))
            tally.graded += 1
            raised = raised or grade.raised
            tally.raised += bool(grade.raised)
            if grade.passed:
                tally.passed += 1
                tally.seen[row] |= _PASSED
                continue
            tally.seen[row] |= _FAILED
            kind = _DETAIL.sub("…", grade.reason)
            if kind in tally.kinds or len(tally.kinds) < _KINDS:
                tally.kinds[kind] += 1
                tally.examples.setdefault(kind, grade.reason)
            if grade.raised and not self._first:
                self._first = f"{grade.reason}\nwhile grading case {case.id!r} ({case.place}) on {role}"
        self._graded[role] += 1
        if raised:
            self._raised[role] += 1
            self._exceptions[raised] += 1
            counts = self._graded.items()
            if all(count >= ALL_OF_THE_FIRST and count == self._raised[of] for of, count in counts):
                raise self._mistake("every one of the first")

    def check(self) -> None:
        """Complain where the test function raises on most answers: which is known only when all are graded.

        "Most" is asked of every role by itself. An untuned base that never writes JSON raises on all of its answers, and that is
        its fault; if no role gets through, it is the suite's.

        Raises:
            SuiteError: It does, on more than half of the answers of each role.
        """
        counts = [(role, count) for role, count in self._graded.items() if count]
        if counts and all(2 * self._raised[role] > count for role, count in counts):
            raise self._mistake(f"{self._raised.total()} of")

    def graders(self) -> tuple[GraderHealth, ...]:
        """What came of each grader, in the order of the body."""
        return tuple(_health(name, tally) for name, tally in self._tallies.items())

    def notes(self) -> list[str]:
        """Exceptions, as sentences; nothing where there were none."""
        return [
            f"{role}: grading raised an exception on {count} of {self._graded[role]} answers, which count as failed"
            f" (most often, over all roles: {self._exceptions.most_common(1)[0][0]})."
            for role, count in self._raised.items()
        ]

    def _mistake(self, how_many: str) -> SuiteError:
        commonest, count = self._exceptions.most_common(1)[0]
        each = ", ".join(f"{role} {self._raised[role]} of {total}" for role, total in self._graded.items() if total)
        return SuiteError(
            f"{self._name}: grading raised an exception on {how_many} {self._graded.total()} answers ({each}), most often "
            f"{commonest}, {count} times. No role gets through, so it is a mistake of the suite and says nothing about the "
            "models: mend the test function. Where an answer may lack what it reads, let it check first; completion.json() makes "
            f"an answer that is not JSON a failed grade.\nThe first: {self._first}"
        )


def _health(name: str, tally: _Tally) -> GraderHealth:
    kind, count = tally.kinds.most_common(1)[0] if tally.kinds else ("", 0)
    seen = Counter(tally.seen)
    return GraderHealth(
        name=name,
        graded=tally.graded,
        passed=tally.passed,
        cases=len(tally.seen) - seen[0],
        nobody=seen[_FAILED],
        everybody=seen[_PASSED],
        reason=tally.examples.get(kind, ""),
        of_this_kind=count,
        raised=tally.raised,
    )
