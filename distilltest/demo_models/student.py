"""The student: retrieval with slot transfer. It knows only its examples and the lexicon.

Learning and answering are in ``retrieval.py``, preference tuning is in ``preferences.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

from distilltest.demo_models.preferences import LearnedPair, Settings, loss, strengthened, tune
from distilltest.demo_models.retrieval import TemplateRetriever

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

    pairs: list[tuple[str, str]] = field(default_factory=list)
    """(request, answer): the weights of the model are its examples."""
    preferences: list[LearnedPair] = field(default_factory=list)
    """The pairs learned by preference tuning."""

    @cached_property
    def _memory(self) -> TemplateRetriever:
        return TemplateRetriever(self.pairs, self.preferences)

    @classmethod
    def untrained(cls) -> Self:
        """The student before tuning, which knows a few keywords."""
        return cls()

    def taught(self, examples: Sequence[tuple[str, str]]) -> Student:
        """A student that has also learned these (request, answer) pairs."""
        return Student([*self.pairs, *examples], self.preferences)

    def preferring(
        self, pairs: Sequence[LearnedPair], settings: Settings, held_out: Sequence[LearnedPair] = ()
    ) -> Iterator[tuple[Student, float, float | None]]:
        """Tune on preferences; yield after each epoch the student, its loss on the pairs and its loss on the held-out pairs."""
        memory = TemplateRetriever(self.pairs, [*self.preferences, *pairs])
        known = len(self.preferences)
        tilts = memory.tilts([(p.request, p.preferred, p.rejected) for p in pairs])[:, known:]
        others = memory.tilts([(p.request, p.preferred, p.rejected) for p in held_out])[:, known:]
        for strengths in tune(tilts, settings):
            student = Student(self.pairs, [*self.preferences, *strengthened(pairs, strengths)])
            valid = loss(others, strengths, settings.beta) if held_out else None
            yield student, loss(tilts, strengths, settings.beta), valid

    def to_json(self) -> dict[str, Any]:
        """Convert the student to JSON values."""
        return {
            "pairs": self.pairs,
            "preferences": [[p.request, p.preferred, p.rejected, p.strength] for p in self.preferences],
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Create a student from JSON values."""
        return cls(
            [(request, answer) for request, answer, *_ in content["pairs"]],
            [LearnedPair(*values) for values in content.get("preferences", ())],
        )

    def answer(self, request: str) -> str:
        """Answer a request, deterministically."""
        if self.pairs or self.preferences:
            for answer in self._memory.answers(request):
                return answer
        words = request.casefold()
        return next((answer for pattern, answer in _UNTRAINED if pattern.search(words)), "git help")

    def edit_loss(self, examples: Sequence[tuple[str, str]]) -> float:
        """The mean normalised edit distance between its answers and the expected ones, in [0, 1]."""
        from rapidfuzz.distance import Levenshtein

        distances = [Levenshtein.normalized_distance(self.answer(request), wanted) for request, wanted in examples]
        return sum(distances) / max(1, len(distances))

    def token_accuracy(self, examples: Sequence[tuple[str, str]]) -> float:
        """The share of words that are right and in the right position."""
        right = total = 0
        for request, wanted in examples:
            said, asked = self.answer(request).split(), wanted.split()
            total += max(len(said), len(asked))
            right += sum(a == b for a, b in zip(said, asked, strict=False))
        return right / max(1, total)
