"""The student: retrieval with slot transfer. It knows what it was given as examples, and a lexicon of English words.

Learning and answering are in ``memory.py``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

from distilltest.embedded.memory import Memory

PREFERENCE = 1.5
"""What a preference pair weighs against an example's 1."""
_UNTRAINED = [
    (re.compile(r"\bstatus\b"), "git status"),
    (re.compile(r"\bstash\b"), "git stash"),
    (re.compile(r"\bpull\b"), "git pull"),
    (re.compile(r"\bpush\b"), "git push"),
    (re.compile(r"\b(log|history|commits)\b"), "git log"),
    (re.compile(r"\bdiff\b|\bchanged\b"), "git diff"),
    (re.compile(r"\bbranch(es)?\b"), "git branch"),
    (re.compile(r"\btags?\b"), "git tag"),
]


@dataclass
class Student:
    """A student, untrained or trained."""

    pairs: list[tuple[str, str, float]] = field(default_factory=list)
    """(request, answer, weight): the weights of the model are its examples."""

    @cached_property
    def _memory(self) -> Memory:
        return Memory(self.pairs)

    @classmethod
    def untrained(cls) -> Self:
        """A handful of keywords."""
        return cls()

    @classmethod
    def train(cls, examples: Sequence[tuple[str, str]]) -> Self:
        """Learn from (request, answer) pairs."""
        return cls([(request, answer, 1.0) for request, answer in examples])

    @classmethod
    def train_dpo(cls, base: Student, triples: Sequence[tuple[str, str, str]]) -> Self:
        """Learn preferences: (request, preferred answer, non-preferred answer) on top of what a student knows."""
        pairs = list(base.pairs)
        for request, preferred, rejected in triples:
            pairs += [(request, preferred, PREFERENCE), (request, rejected, -PREFERENCE)]
        return cls(pairs)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"pairs": self.pairs}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Back from plain values."""
        return cls([(request, answer, weight) for request, answer, weight in content["pairs"]])

    def answer(self, request: str) -> str:
        """What it says to a request; the same to the same."""
        if self.pairs:
            for answer in self._memory.answers(request):
                return answer
        words = request.casefold()
        return next((answer for pattern, answer in _UNTRAINED if pattern.search(words)), "git help")

    def loss(self, examples: Sequence[tuple[str, str]]) -> float:
        """The mean normalised edit distance between what it says and what it should say, in [0, 1]."""
        from rapidfuzz.distance import Levenshtein

        distances = [Levenshtein.normalized_distance(self.answer(request), wanted) for request, wanted in examples]
        return sum(distances) / max(1, len(distances))

    def token_accuracy(self, examples: Sequence[tuple[str, str]]) -> float:
        """The share of words that it gets right, in their places."""
        right = total = 0
        for request, wanted in examples:
            said, asked = self.answer(request).split(), wanted.split()
            total += max(len(said), len(asked))
            right += sum(a == b for a, b in zip(said, asked, strict=False))
        return right / max(1, total)
