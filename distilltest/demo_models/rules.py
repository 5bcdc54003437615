"""The rules of the rule book (``rules.txt``), and how well a request fits one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from distilltest.demo_models.lexicon import data_lines

NEED, MISSING, HELP, FORBIDDEN = 2.0, 3.0, 0.5, 2.0
"""What a met need, a missing one, a help and a forbidden concept count."""


@dataclass(frozen=True, slots=True)
class CommandRule:
    """A command, and what a request that means it speaks of."""

    command: str
    needs: tuple[frozenset[str], ...]
    helps: frozenset[str]
    forbids: frozenset[str]

    @classmethod
    def parse(cls, line: str) -> CommandRule:
        """Read one line of the table."""
        command, _, words = line.partition(" = ")
        words, _, forbids = words.partition(" - ")
        needs, _, helps = words.partition(" + ")
        return cls(
            command.strip(),
            tuple(frozenset(need.split("|")) for need in needs.split()),
            frozenset(helps.split()),
            frozenset(forbids.split()),
        )

    def score(self, spoken: frozenset[str]) -> float:
        """How well a request that speaks of these concepts fits."""
        met = sum(1 for need in self.needs if need & spoken)
        return (
            NEED * met
            - MISSING * (len(self.needs) - met)
            + HELP * len(self.helps & spoken)
            - FORBIDDEN * len(self.forbids & spoken)
        )


@cache
def rules() -> tuple[CommandRule, ...]:
    """In the order of the table; of two that fit equally well, the first one answers."""
    return tuple(CommandRule.parse(line) for line in data_lines("rules.txt"))
