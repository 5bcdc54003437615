"""Filters for stored completions, as SQL with bound values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self


class Cursor(NamedTuple):
    """A place in the list of completions, for paging. It stays valid when completions are added or deleted."""

    created: float
    """Unix time at which the completion arrived."""
    key: str
    """The completion's key, which orders completions of the same time."""

    @property
    def text(self) -> str:
        """The cursor as a command-line argument.

        >>> Cursor(1763712000.25, "ab12").text
        '1763712000.25:ab12'
        """
        return f"{self.created!r}:{self.key}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse :attr:`text`.

        Raises:
            ValueError: It is not a cursor.
        """
        created, sign, key = text.partition(":")
        if not sign or not key:
            raise ValueError(f"{text!r} is not a cursor")
        return cls(float(created), key)


@dataclass(frozen=True, slots=True)
class CompletionFilter:
    """Selects completions that meet all given conditions; without conditions, all."""

    model: str | None = None
    """The requested model."""
    role: str | None = None
    """The role in the latest run that used the completion."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Labels; all must match."""
    since: float | None = None
    """Arrived at this Unix time or later."""
    until: float | None = None
    """Arrived before this Unix time."""
    evaluation: str | None = None
    """Used by this evaluation: a pytest node id, or its end after ``::`` or ``/``."""
    passed: bool | None = None
    """Passed or not in the latest run that used the completion (in ``evaluation``, if given)."""
    key: str | None = None
    """A prefix of the key."""
    text: str | None = None
    """Text in the request or the answer; ASCII case is ignored."""

    @property
    def everything(self) -> bool:
        """Whether there are no conditions."""
        return self == CompletionFilter()

    def where(self) -> tuple[str, list[Any]]:
        """The SQL condition on ``completion``, and its bound values in order."""
        conditions, values = ["1"], list[Any]()
        if self.model is not None:
            conditions.append("completion.origin IN (SELECT origin.id FROM origin WHERE origin.model = ?)")
            values.append(self.model)
        for column, moment in (("created >= ?", self.since), ("created < ?", self.until)):
            if moment is not None:
                conditions.append(f"completion.{column}")
                values.append(moment)
        for name, value in self.metadata.items():
            conditions.append(
                "EXISTS (SELECT 1 FROM json_each(completion.metadata) AS label WHERE label.key = ? AND label.value = ?)"
            )
            values += [name, value]
        if self.key is not None:
            conditions.append("completion.key BETWEEN ? AND ?")
            values += [bytes.fromhex(self.key[:64].ljust(64, filler)) for filler in "0f"]
        if self.text is not None:
            conditions.append(_MENTIONS)
            values += [self.text, self.text]
        if self.role is not None or self.evaluation is not None or self.passed is not None:
            condition, more = self._used()
            conditions.append(condition)
            values += more
        return " AND ".join(conditions), values

    def _used(self) -> tuple[str, list[Any]]:
        """The condition on outcomes of the latest run that used the completion (in the evaluation)."""
        of_latest, latest_values = "1", list[Any]()
        if self.evaluation is not None:
            of_latest, latest_values = evaluation_condition("latest.evaluation", self.evaluation)
        conditions = [
            "used.completion = completion.id",
            f"""judged.run = (
                SELECT max(latest.run) FROM outcome AS before {_INDEX} JOIN judged AS latest ON latest.id = before.judged
                WHERE before.completion = completion.id AND {of_latest}
            )""",  # noqa: S608  # the conditions are ours, the values are bound
        ]
        values = latest_values
        if self.evaluation is not None:
            condition, more = evaluation_condition("judged.evaluation", self.evaluation)
            conditions.append(condition)
            values = values + more
        for column, value in (("role", self.role), ("passed", self.passed)):
            if value is not None:
                conditions.append(f"used.{column} = ?")
                values = [*values, value]
        used = f"outcome AS used {_INDEX} JOIN judged ON judged.id = used.judged"
        return f"EXISTS (SELECT 1 FROM {used} WHERE {' AND '.join(conditions)})", values  # noqa: S608


_INDEX = "INDEXED BY outcome_by_completion"
"""Explicit, because SQLite would otherwise scan all outcomes of the run."""
_MENTIONS = """(
    EXISTS (
        SELECT 1 FROM json_tree(CAST(coalesce(completion.answer, completion.response) AS TEXT)) AS part
        WHERE part.type = 'text' AND part.key IN ('content', 'text', 'refusal', 'arguments')
        AND instr(lower(part.value), lower(?))
    ) OR EXISTS (
        SELECT 1 FROM json_tree(CAST(completion.request AS TEXT), '$.messages') AS part
        WHERE part.type = 'text' AND part.key IN ('content', 'text', 'arguments') AND instr(lower(part.value), lower(?))
    )
)"""


def evaluation_condition(column: str, text: str) -> tuple[str, list[Any]]:
    """The SQL condition that a node id is ``text`` or ends with it after ``::`` or ``/``."""
    endings = [f"::{text}", f"/{text}"]
    alternatives = [f"{column} = ?", *(f"substr({column}, ?) = ?" for _ in endings)]
    values: list[Any] = [text]
    for ending in endings:
        values += [-len(ending), ending]
    return f"({' OR '.join(alternatives)})", values
