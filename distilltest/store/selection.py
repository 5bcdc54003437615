"""Which of the stored completions are meant, as SQL with bound values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self


class Cursor(NamedTuple):
    """A place in the list of completions, for going on behind it: stable, whatever is added or deleted meanwhile."""

    created: float
    """Unix time at which the completion arrived."""
    key: str
    """Its key: what orders completions of one moment."""

    @property
    def text(self) -> str:
        """As a command line has it.

        >>> Cursor(1763712000.25, "ab12").text
        '1763712000.25:ab12'
        """
        return f"{self.created!r}:{self.key}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``text`` wrote.

        Raises:
            ValueError: It is no cursor.
        """
        created, sign, key = text.partition(":")
        if not sign or not key:
            raise ValueError(f"{text!r} is no cursor")
        return cls(float(created), key)


@dataclass(frozen=True, slots=True)
class CompletionFilter:
    """Completions that meet every condition that is given; without any, all of them."""

    model: str | None = None
    """Of this model, by the name it was asked under."""
    role: str | None = None
    """That the latest run which used them used in this role."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """With all of these labels."""
    since: float | None = None
    """That arrived at this Unix time or later."""
    until: float | None = None
    """That arrived before this Unix time."""
    evaluation: str | None = None
    """That this evaluation used: a pytest node id, or its end behind ``::`` or ``/``."""
    passed: bool | None = None
    """That passed, or did not, in the latest run which used them (of ``evaluation``, where it is given)."""
    key: str | None = None
    """Whose key begins so."""
    text: str | None = None
    """With this text in the request or the answer; large and small ASCII letters are alike."""

    @property
    def everything(self) -> bool:
        """Whether no condition is given."""
        return self == CompletionFilter()

    def where(self) -> tuple[str, list[Any]]:
        """The condition on a row of ``completion``, and the values that are bound to its marks, in order."""
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
        """The condition on outcomes: of the latest run that used the completion (in the evaluation)."""
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
"""Said, because SQLite would rather look through all outcomes of the run."""
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
    """Whether a node id is ``text`` or ends with it behind ``::`` or ``/``."""
    endings = [f"::{text}", f"/{text}"]
    alternatives = [f"{column} = ?", *(f"substr({column}, ?) = ?" for _ in endings)]
    values: list[Any] = [text]
    for ending in endings:
        values += [-len(ending), ending]
    return f"({' OR '.join(alternatives)})", values
