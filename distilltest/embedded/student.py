"""The student: retrieval with slot transfer. It knows what it was given as examples, and nothing else.

Learning: a value of the request that the answer repeats becomes a slot, so that ``git switch -c docs`` becomes the
template ``git switch -c {0}``. Answering: the most similar examples vote for a template, whose slots are filled with
values of the new request, by their form and by the words around them.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, permutations
from math import log, sqrt
from typing import Any, Self

from distilltest.embedded.slots import Token, tokens

NEIGHBOURS = 40
"""Examples that vote."""
POWER = 3
"""Of the similarity, in a vote: near examples outweigh many far ones."""
STRICT = ("quoted", "url", "email", "hash", "number", "path", "stash")
"""Kinds whose form leaves no doubt that they are values."""
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


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a template takes a value from."""

    kind: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Example:
    """What was learned from one line of a training file."""

    template: str
    """The answer with ``{0}``, ``{1}``, … for its slots."""
    slots: tuple[Slot, ...]
    features: tuple[str, ...]
    weight: float = 1.0


@dataclass
class Student:
    """A student, untrained or trained."""

    pairs: list[tuple[str, str, float]] = field(default_factory=list)
    """(request, answer, weight): the weights of the model are its examples."""
    _examples: list[Example] = field(default_factory=list)
    _index: dict[str, list[int]] = field(default_factory=dict)
    _rarity: dict[str, float] = field(default_factory=dict)
    _norms: list[float] = field(default_factory=list)
    _plain: set[str] = field(default_factory=set)
    _values: set[str] = field(default_factory=set)
    _cues: dict[str, float] = field(default_factory=dict)

    @classmethod
    def untrained(cls) -> Self:
        """A handful of keywords."""
        return cls()

    @classmethod
    def train(cls, examples: Sequence[tuple[str, str]]) -> Self:
        """Learn from (request, answer) pairs."""
        return cls._of([(request, answer, 1.0) for request, answer in examples])

    @classmethod
    def train_dpo(cls, base: Student, triples: Sequence[tuple[str, str, str]]) -> Self:
        """Learn preferences: (request, preferred answer, non-preferred answer) on top of what a student knows."""
        pairs = list(base.pairs)
        for request, preferred, rejected in triples:
            pairs += [(request, preferred, 1.5), (request, rejected, -1.5)]
        return cls._of(pairs)

    @classmethod
    def _of(cls, pairs: list[tuple[str, str, float]]) -> Self:
        student = cls(pairs=pairs)
        student._learn()
        return student

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"pairs": self.pairs}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Back from plain values."""
        return cls._of([(request, answer, weight) for request, answer, weight in content["pairs"]])

    def answer(self, request: str) -> str:
        """What it says to a request; the same to the same."""
        said = tokens(request)
        for template, slots in self._ranked(said):
            filled = self._fill(template, slots, said)
            if filled is not None:
                return filled
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

    # learning

    def _learn(self) -> None:
        keywords = _keywords([answer for _, answer, _ in self.pairs])
        parsed = [(tokens(request), answer, weight) for request, answer, weight in self.pairs]
        taken: Counter[str] = Counter()
        passed: Counter[str] = Counter()
        learned = []
        for said, answer, weight in parsed:
            template, places = _template(said, answer, keywords)
            learned.append((said, template, places, weight))
            for place, token in enumerate(said):
                if token.kind == "word":
                    used = place in places
                    (self._values if used else self._plain).add(token.value.casefold())
                    for cue in (f"<{token.before}", f">{token.after}"):
                        (taken if used else passed)[cue] += 1
        for cue in taken | passed:
            self._cues[cue] = log((taken[cue] + 0.2) / (passed[cue] + 1.0))
        for said, template, places, weight in learned:
            features = self._features(t for i, t in enumerate(said) if i not in places or t.kind != "word")
            slots = tuple(Slot(said[i].kind, said[i].before, said[i].after) for i in places)
            self._examples.append(Example(template, slots, features, weight))
        counts = Counter(feature for example in self._examples for feature in set(example.features))
        total = len(self._examples) + 1
        self._rarity = {feature: log(total / count) + 0.1 for feature, count in counts.items()}
        index: dict[str, list[int]] = defaultdict(list)
        for number, example in enumerate(self._examples):
            for feature in set(example.features):
                index[feature].append(number)
            self._norms.append(sqrt(sum(self._rarity[f] ** 2 for f in set(example.features))) or 1.0)
        self._index = dict(index)

    @staticmethod
    def _features(said: Iterable[Token]) -> tuple[str, ...]:
        words = [_stem(t.value.casefold()) if t.kind == "word" else f"<{t.kind}>" for t in said]
        kept = [w for w in words if w]
        return (*kept, *(f"{a} {b}" for a, b in pairwise(kept)))

    # answering

    def _ranked(self, said: list[Token]) -> list[tuple[str, list[tuple[Slot, ...]]]]:
        """Templates, the most voted first, with the slots of the examples that voted for them."""
        if not self._examples:
            return []
        features = set(self._features(t for t in said if t.kind != "word" or not self._looks_like_value(t)))
        scores: defaultdict[int, float] = defaultdict(float)
        for feature in features:
            for number in self._index.get(feature, ()):
                scores[number] += self._rarity[feature] ** 2
        norm = sqrt(sum(self._rarity.get(f, log(len(self._examples) + 1)) ** 2 for f in features)) or 1.0
        near = sorted(
            ((score / (norm * self._norms[n]), n) for n, score in scores.items()), key=lambda p: (-p[0], p[1])
        )
        named = len([t for t in said if t.kind != "word" or self._looks_like_value(t)])
        strict = Counter(t.kind for t in said if t.kind in STRICT)
        votes: defaultdict[str, float] = defaultdict(float)
        voters: defaultdict[str, list[tuple[Slot, ...]]] = defaultdict(list)
        for similarity, number in near[:NEIGHBOURS]:
            example = self._examples[number]
            votes[example.template] += example.weight * similarity**POWER * _agreement(example.slots, named, strict)
            voters[example.template].append(example.slots)
        best = sorted(votes, key=lambda template: (-votes[template], template))
        return [(template, voters[template]) for template in best if votes[template] > 0]

    def _looks_like_value(self, token: Token) -> bool:
        """Whether a plain word is a name here: by what it was in the examples, and by the words around it."""
        word = token.value.casefold()
        known = (1.5 if word in self._values else 0.0) - (2.5 if word in self._plain else 0.0)
        unknown = 2.0 if word not in self._values and word not in self._plain else 0.0
        return known + unknown + self._context(token) > 0

    def _context(self, token: Token) -> float:
        return sum(self._cues.get(cue, -1.0) for cue in (f"<{token.before}", f">{token.after}")) / 2

    def _fill(self, template: str, voters: list[tuple[Slot, ...]], said: list[Token]) -> str | None:
        slots = voters[0]
        if not slots:
            return template
        candidates = [t for t in said if t.kind != "word" or self._looks_like_value(t)]
        if len(candidates) < len(slots):
            unknown = (t for t in said if t not in candidates and t.value.casefold() not in self._plain)
            rest = sorted(unknown, key=lambda t: -self._context(t))
            candidates += rest[: len(slots) - len(candidates)]
        if len(candidates) < len(slots):
            return None
        best, chosen = float("-inf"), None
        for order in permutations(candidates[:7], len(slots)):
            fits = sum(_fit(slot, token) for example in voters[:4] for slot, token in zip(example, order, strict=False))
            fits -= 0.01 * sum(said.index(a) > said.index(b) for a, b in pairwise(order))
            if fits > best:
                best, chosen = fits, order
        if chosen is None or best < -1.5 * len(slots):
            return None
        for number, token in enumerate(chosen):
            template = template.replace(f"{{{number}}}", token.value)
        return template


def _agreement(slots: tuple[Slot, ...], named: int, strict: Counter[str]) -> float:
    """How well an example's slots suit the values of a request: whatever a request names is there for a reason."""
    apart = (Counter(slot.kind for slot in slots if slot.kind in STRICT) - strict).total()
    apart += (strict - Counter(slot.kind for slot in slots if slot.kind in STRICT)).total()
    return 0.3**apart * 0.5 ** abs(len(slots) - named)


def _fit(slot: Slot, token: Token) -> float:
    """How well a value stands where a slot stood."""
    names = ("word", "name", "version", "path", "head", "hash")
    same = 1.0 if slot.kind == token.kind else 0.3 if slot.kind in names and token.kind in names else -2.0
    return same + (1.0 if slot.before == token.before else 0.0) + (0.5 if slot.after == token.after else 0.0)


def _stem(word: str) -> str:
    """Fold the commonest endings; a small word stays as it is."""
    for ending in ("ing", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def _keywords(answers: list[str]) -> set[str]:
    """Words of answers that belong to the command: subcommands, and what follows only one subcommand again and again."""
    subcommands = {parts[1] for answer in answers if len(parts := answer.split()) > 1}
    followers: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for answer in answers:
        parts = answer.split()
        if len(parts) > 2:
            followers[parts[2]][parts[1]] += 1
    fixed = {word for word, after in followers.items() if len(after) == 1 and sum(after.values()) >= 3}
    return {"git", *subcommands, *fixed}


def _template(said: list[Token], answer: str, keywords: set[str]) -> tuple[str, tuple[int, ...]]:
    """Put slots where the answer repeats a value of the request; and which tokens those are, in the order of the slots."""
    by_value = {token.value: place for place, token in reversed(list(enumerate(said)))}
    found: list[tuple[int, int, int]] = []
    spans = sorted(by_value, key=len, reverse=True)
    free = [True] * len(answer)
    for value in spans:
        token = said[by_value[value]]
        if token.kind == "word" and (value in keywords or len(value) < 2):
            continue
        for match in re.finditer(rf"(?<![\w-]){re.escape(value)}(?![\w-])", answer):
            start, end = match.span()
            if start > 4 and end > start and all(free[start:end]):
                free[start:end] = [False] * (end - start)
                found.append((start, end, by_value[value]))
    parts, last, places = [], 0, []
    for number, (start, end, place) in enumerate(sorted(found)):
        parts += [answer[last:start], f"{{{number}}}"]
        places.append(place)
        last = end
    return "".join([*parts, answer[last:]]), tuple(places)
