"""The outcomes of one evaluation, stored in columns: 300,000 take 15 MB instead of 85 MB as objects."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from math import isnan, nan
from operator import le
from typing import TYPE_CHECKING, Any, overload

from distilltest.records import NO_PREFERENCES, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

_CUT_OFF, _REFUSED, _USAGE_KNOWN, _UNLABELLED = 1, 2, 4, 8
_NO_GRADE = -1
_AT_A_TIME = 2000
"""Outcomes that iteration turns into objects at a time."""


def of_role(outcomes: Iterable[Outcome], role: str) -> Iterator[Outcome]:
    """The outcomes of one role, in order."""
    if isinstance(outcomes, Outcomes):
        return outcomes.of(role)
    return (outcome for outcome in outcomes if outcome.role == role)


@dataclass
class Answers:
    """Totals over all answers of one role. Failed calls have no answer."""

    latencies: array[float] = field(default_factory=lambda: array("d"))
    """Seconds, one per answer."""
    counted: int = 0
    """Answers with known token counts."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cut_off: int = 0
    refused: int = 0

    @property
    def silent(self) -> int:
        """Answers without token counts from the server."""
        return len(self.latencies) - self.counted

    @classmethod
    def of(cls, outcomes: Iterable[Outcome], role: str) -> Answers:
        """The totals of a role. They are shared: do not change them."""
        if isinstance(outcomes, Outcomes):
            return outcomes.answers(role)
        return cls.added(_answer(o) for o in of_role(outcomes, role) if o.failure is None or o.latency)

    @classmethod
    def added(cls, rows: Iterable[tuple[int, int, int, int, float]]) -> Answers:
        """Add up rows of flags, tokens (prompt, completion, cached) and seconds."""
        found = cls()
        for flags, prompt, completion, cached, latency in rows:
            found.latencies.append(latency)
            if flags & _USAGE_KNOWN:
                found.counted += 1
                found.prompt_tokens += prompt
                found.completion_tokens += completion
                found.cached_tokens += cached
            if flags & (_CUT_OFF | _REFUSED):
                found.cut_off += flags & _CUT_OFF != 0
                found.refused += flags & _REFUSED != 0
        return found


def _answer(outcome: Outcome) -> tuple[int, int, int, int, float]:
    return _flags(outcome), outcome.prompt_tokens, outcome.completion_tokens, outcome.cached_tokens, outcome.latency


def _flags(outcome: Outcome) -> int:
    odd = outcome.cut_off * _CUT_OFF | outcome.refused * _REFUSED | outcome.unlabelled * _UNLABELLED
    return odd | outcome.usage_known * _USAGE_KNOWN


def case_means(outcomes: Iterable[Outcome], metric: str, trials: int) -> Iterator[tuple[str, float]]:
    """Case id and the mean over its trials, for cases in which every trial has a value.

    Args:
        outcomes: The outcomes of one role, in order of the cases.
        metric: ``pass`` or ``score``.
        trials: Trials per case.
    """
    for case_id, of_case in groupby(outcomes, key=lambda outcome: outcome.case_id):
        values = [value for outcome in of_case if (value := outcome.value(metric)) is not None]
        if len(values) == trials:
            yield case_id, sum(values) / trials if trials > 1 else values[0]


class Outcomes(Sequence[Outcome]):
    """A sequence of outcomes, stored in columns and turned into objects on access.

    Rare fields, such as failures and preferences, are in dictionaries beside the columns.
    """

    def __init__(self, case_ids: Sequence[str], roles: Sequence[str]) -> None:
        """Create an empty sequence.

        Args:
            case_ids: All cases, in the order that :meth:`sort` uses.
            roles: All roles, likewise.
        """
        self._cases, self._roles = tuple(case_ids), tuple(roles)
        self._case_numbers = {case: number for number, case in enumerate(self._cases)}
        self._role_numbers = {role: number for number, role in enumerate(self._roles)}
        # In the order of append(). b, h, i, q: integers of 1, 2, 4 and 8 bytes; d: doubles.
        kinds = {"case": "i", "role": "b", "trial": "h", "passed": "b", "score": "d", "flags": "b", "prompt": "i"}
        kinds |= {"completion": "i", "cached": "i", "latency": "d", "id": "q", "number": "i"}
        self._columns: dict[str, array[Any]] = {name: array(kind) for name, kind in kinds.items()}
        self._failures: dict[int, tuple[str, str]] = {}
        self._keys: dict[int, str] = {}
        self._human: dict[int, float] = {}
        self._preferences: dict[int, Mapping[str, float]] = {}
        self._answers: dict[str, Answers] = {}
        """Role → totals, cached because gate, notes and report need the same; cleared when an outcome is added."""

    def append(self, outcome: Outcome) -> None:
        """Add an outcome.

        Raises:
            KeyError: Its case or role is unknown.
        """
        o, number = outcome, len(self)
        self._answers.clear()
        values = (
            self._case_numbers[o.case_id],
            self._role_numbers[o.role],
            o.trial,
            _NO_GRADE if o.passed is None else o.passed,
            nan if o.score is None else o.score,
            _flags(o),
            o.prompt_tokens,
            o.completion_tokens,
            o.cached_tokens,
            o.latency,
            o.completion_id,
            number,
        )
        for column, value in zip(self._columns.values(), values, strict=True):
            column.append(value)
        if o.failure is not None:
            self._failures[number] = (o.failure, o.failure_message)
        if o.completion_key:
            self._keys[number] = o.completion_key
        if o.human is not None:
            self._human[number] = o.human
        if o.preferences:
            self._preferences[number] = o.preferences

    def extend(self, outcomes: Iterable[Outcome]) -> None:
        """Add outcomes.

        Raises:
            KeyError: A case or role is unknown.
        """
        for outcome in outcomes:
            self.append(outcome)

    def sort(self) -> None:
        """Sort by case, role and trial, so that results do not depend on the order in which answers arrive."""
        cases, roles, trials = (self._columns[name] for name in ("case", "role", "trial"))
        trial, role = max(trials, default=0) + 1, len(self._roles)
        places = array("q", ((c * role + r) * trial + t for c, r, t in zip(cases, roles, trials, strict=True)))
        if all(map(le, places, islice(places, 1, None))):
            return
        order = sorted(range(len(self)), key=places.__getitem__)
        for name, column in self._columns.items():  # one column at a time, to save memory
            self._columns[name] = array(column.typecode, map(column.__getitem__, order))

    def answers(self, role: str) -> Answers:
        """The totals of one role, added up once."""
        if role not in self._answers:
            self._answers[role] = Answers.added(self._answered(role))
        return self._answers[role]

    def _answered(self, role: str) -> Iterator[tuple[int, int, int, int, float]]:
        """Flags, tokens and seconds of the answers of one role, without failed calls."""
        wanted = self._role_numbers.get(role)
        columns = [
            self._columns[name] for name in ("role", "flags", "prompt", "completion", "cached", "latency", "number")
        ]
        for of, flags, prompt, completion, cached, latency, number in zip(*columns, strict=True):
            if of == wanted and (latency or number not in self._failures):
                yield flags, prompt, completion, cached, latency

    def of(self, role: str) -> Iterator[Outcome]:
        """The outcomes of one role, in this order."""
        wanted = self._role_numbers.get(role)
        for start in range(0, len(self), _AT_A_TIME):
            yield from self._made(start, start + _AT_A_TIME, wanted)

    def __iter__(self) -> Iterator[Outcome]:
        for start in range(0, len(self), _AT_A_TIME):
            yield from self._made(start, start + _AT_A_TIME)

    def __len__(self) -> int:
        return len(self._columns["number"])

    @overload
    def __getitem__(self, place: int) -> Outcome: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Outcome]: ...

    def __getitem__(self, place: int | slice) -> Outcome | Sequence[Outcome]:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        number = range(len(self))[place]
        return next(self._made(number, number + 1))

    def _made(self, start: int, end: int, of_role: int | None = None) -> Iterator[Outcome]:
        rows = zip(*(column[start:end].tolist() for column in self._columns.values()), strict=True)
        for case, role, trial, passed, score, flags, prompt, completion, cached, latency, row, number in rows:
            if of_role is not None and role != of_role:
                continue
            failure, message = self._failures.get(number, (None, "")) if self._failures else (None, "")
            yield Outcome(
                self._cases[case],
                self._roles[role],
                trial,
                None if passed == _NO_GRADE else passed == 1,
                None if isnan(score) else score,
                self._keys.get(number, "") if self._keys else "",
                failure,
                message,
                bool(flags & _CUT_OFF),
                bool(flags & _REFUSED),
                bool(flags & _USAGE_KNOWN),
                prompt,
                completion,
                cached,
                latency,
                row,
                self._preferences.get(number, NO_PREFERENCES) if self._preferences else NO_PREFERENCES,
                self._human.get(number) if self._human else None,
                bool(flags & _UNLABELLED),
            )
