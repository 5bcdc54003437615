"""The rules of the rule book (``rules.txt``), and their scores."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from distilltest.demo_models.lexicon import data_lines

NEED, MISSING, HELP, FORBIDDEN = 2.0, 3.0, 0.5, 2.0
"""The weights of a met need, a missing need, a helpful concept and a forbidden concept."""


@dataclass(frozen=True, slots=True)
class CommandRule:
    """A command, and the concepts that speak for and against it."""

    command: str
    needs: tuple[frozenset[str], ...]
    helps: frozenset[str]
    forbids: frozenset[str]

    @classmethod
    def parse(cls, line: str) -> CommandRule:
        """Parse a line of ``rules.txt``."""
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
        """How well a request that expresses these concepts fits."""
        met = sum(1 for need in self.needs if need & spoken)
        return (
            NEED * met
            - MISSING * (len(self.needs) - met)
            + HELP * len(self.helps & spoken)
            - FORBIDDEN * len(self.forbids & spoken)
        )


@cache
def rules() -> tuple[CommandRule, ...]:
    """The rules in the order of the file; of two with equal scores, the first answers."""
    return tuple(CommandRule.parse(line) for line in data_lines("rules.txt"))
