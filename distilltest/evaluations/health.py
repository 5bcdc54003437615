"""Counts, kept while answers are graded, that tell a broken grader from a bad model."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from distilltest.errors import SuiteError, brief
from distilltest.gate.health import AnswerHealth, GraderHealth
from distilltest.records import Case, Completion, Grade

ALL_OF_THE_FIRST = 20
"""If a test function raises on all of this many first answers of each role, the evaluation ends without the rest."""
_KINDS = 1000
"""Kinds of reasons counted per grader; with more kinds, none is the main reason."""
_DETAIL = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\d+(?:\.\d+)?""")
"""The parts of a reason that vary between answers: quoted strings and numbers."""
_PASSED, _FAILED = 1, 2
_ONLY_FAIL = frozenset(("exception", "completion.json"))
"""Grades that exist only for failures; answers without them passed."""
_TEXTS = 1000
"""Different answers per role whose texts are kept, to show the commonest."""
FEW = 10
"""With fewer answers, a grader that passes or fails all of them gets no note."""


class _Tally:
    """One grader's counts."""

    def __init__(self, cases: int) -> None:
        self.seen = bytearray(cases)
        """For each case, whether some answer passed and whether some failed."""
        self.graded = self.passed = self.raised = 0
        self.kinds = Counter[str]()
        self.examples = dict[str, tuple[int, str, str]]()
        """Kind → row, role and reason of its first example in the order of the dataset, whichever answer arrived first."""


class _RoleAnswers:
    """The answers of one role."""

    def __init__(self) -> None:
        self.marks = array("q")
        """The hash of each answer, eight bytes each."""
        self.texts = dict[int, str]()
        self.empty = 0

    def add(self, answer: Completion) -> None:
        calls = tuple([(call.name, call.arguments) for call in answer.tool_calls]) if answer.tool_calls else ()
        mark = hash((answer.text, answer.refusal, calls))
        self.marks.append(mark)
        if mark not in self.texts and len(self.texts) < _TEXTS:
            self.texts[mark] = brief(answer.text or answer.refusal or ", ".join(name for name, _ in calls), 80)
        self.empty += not (answer.text.strip() or answer.refusal or calls)

    def health(self) -> AnswerHealth:
        runs = ((sum(1 for _ in same), mark) for mark, same in groupby(sorted(self.marks)))
        identical, mark = max(runs, default=(0, 0))
        text = self.texts.get(mark, "")
        return AnswerHealth(len(self.marks), self.empty, identical, text)


class Health:
    """The counts of one evaluation."""

    def __init__(self, name: str, case_ids: Sequence[str]) -> None:
        """Start with zero counts.

        Args:
            name: The name of the test function.
            case_ids: The ids of all cases of the dataset.
        """
        self._name = name
        self._rows = {case: row for row, case in enumerate(case_ids)}
        self._tallies = dict[str, _Tally]()
        self._role_answers = dict[str, _RoleAnswers]()
        self._through = bytearray(len(self._rows))
        """Per case, whether an answer had none of the grades that exist only for failures."""
        self._graded, self._raised = Counter[str](), Counter[str]()
        """Role → answers."""
        self._exceptions = Counter[str]()
        self._first = ""

    def expect(self, role: str) -> None:
        """Announce a role, so that no conclusion about all roles is drawn before it has answered."""
        self._graded[role] += 0

    def add(self, case: Case, role: str, answer: Completion, grades: Sequence[Grade]) -> None:
        """Count an answer and its grades. An answer that a judge failed to grade has none.

        Raises:
            SuiteError: The test function raised on every one of the first answers.
        """
        answers = self._role_answers.get(role)
        if answers is None:
            answers = self._role_answers[role] = _RoleAnswers()
        answers.add(answer)
        if not grades:
            return
        names: dict[str, int] = {}
        row, raised = self._rows[case.id], ""
        for grade in grades:
            name = grade.name
            names[name] = count = names.get(name, 0) + 1
            if count > 1:
                name = f"{name} {count}"
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
                example = (row, role, grade.reason)
                tally.examples[kind] = min(tally.examples.get(kind, example), example)
            if grade.raised and not self._first:
                self._first = f"{grade.reason}\nwhile grading case {case.id!r} ({case.place}) on {role}"
        self._graded[role] += 1
        if _ONLY_FAIL.isdisjoint(names):
            self._through[row] = 1
        if raised:
            self._raised[role] += 1
            self._exceptions[raised] += 1
            counts = self._graded.items()
            if all(count >= ALL_OF_THE_FIRST and count == self._raised[of] for of, count in counts):
                raise self._mistake("every one of the first")

    def check(self) -> None:
        """Fail if the test function raises on most answers of every role. Call this once all answers are graded.

        If it raises for one role only, the role may be at fault, such as an untuned base that never writes JSON. If it raises for
        every role, the suite is.

        Raises:
            SuiteError: The test function raised on more than half of the answers of each role.
        """
        counts = [(role, count) for role, count in self._graded.items() if count]
        if counts and all(2 * self._raised[role] > count for role, count in counts):
            raise self._mistake(f"{self._raised.total()} of")

    def graders(self) -> tuple[GraderHealth, ...]:
        """The health of each grader, in the order of the body."""
        return tuple(self._health(name, tally) for name, tally in self._tallies.items())

    def answers(self) -> dict[str, AnswerHealth]:
        """Role → the health of its answers."""
        return {role: answers.health() for role, answers in self._role_answers.items()}

    def fails_nothing(self) -> bool:
        """Whether every grade of every answer passes, so that it is unknown whether any answer can fail."""
        return self._graded.total() >= FEW and all(tally.passed == tally.graded for tally in self._tallies.values())

    def notes(self) -> list[str]:
        """Sentences about exceptions, and about graders that never fail or never pass."""
        found = self.graders() if self._graded.total() >= FEW else ()
        notes = [
            f'{grader.name} fails all {grader.graded} answers that it graded, most often: "{grader.reason}" '
            f"({grader.of_this_kind} times). Check that it can pass."
            for grader in found
            if not grader.passed
        ]
        if found and all(grader.passed == grader.graded for grader in found):
            each = "every grader passes" if len(found) > 1 else f"{found[0].name} passes"
            notes.append(
                f"Here {each} all {self._graded.total()} answers, and so does not distinguish the roles. Check that it can fail."
            )
        return [*notes, *self._on_exceptions()]

    def _on_exceptions(self) -> list[str]:
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
            f"{commonest}, {count} times. No role gets through, so this is an error in the suite and says nothing about the "
            "models: fix the test function. If an answer may lack what it reads, let it check first; completion.json() turns "
            f"an answer that is not JSON into a failed grade.\nThe first: {self._first}"
        )

    def _health(self, name: str, tally: _Tally) -> GraderHealth:
        kind, count = tally.kinds.most_common(1)[0] if tally.kinds else ("", 0)
        seen = tally.seen
        graded, passed = tally.graded, tally.passed
        if name in _ONLY_FAIL:
            through = self._through
            seen = bytearray(of | (_PASSED if ok else 0) for of, ok in zip(seen, through, strict=True))
            graded, passed = self._graded.total(), self._graded.total() - (tally.graded - tally.passed)
        found = Counter(seen)
        return GraderHealth(
            name=name,
            graded=graded,
            passed=passed,
            cases=len(seen) - found[0],
            nobody=found[_FAILED],
            everybody=found[_PASSED],
            reason=tally.examples[kind][2] if kind else "",
            of_this_kind=count,
            raised=tally.raised,
        )
