"""What is learned from examples: templates with slots, and which of them a new request asks for.

A value of the request that the answer repeats becomes a slot, so that ``git switch -c docs`` becomes the template
``git switch -c {0}``. Which template suits a request is kernel ridge regression over words, pairs of words and the lexicon's
concepts; the slots are filled with values of the new request, by their form and by the words around them.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations
from math import log
from typing import TYPE_CHECKING

from distilltest.embedded.lexicon import concepts, plain
from distilltest.embedded.slots import Token, tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RIDGE = 0.3
"""How much the regression distrusts a single example."""
CONCEPT, PAIR = 5.0, 0.4
"""Weights of a concept and of a pair of words against a word's 1. Chosen by five-fold cross-validation on the training split."""
STRICT = ("quoted", "url", "email", "hash", "number", "path", "stash")
"""Kinds whose form leaves no doubt that they are values."""


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
    features: frozenset[str]
    weight: float = 1.0


class Memory:
    """Examples, and the regression over them."""

    def __init__(self, pairs: Sequence[tuple[str, str, float]]) -> None:
        self._plain: set[str] = set()
        self._values: set[str] = set()
        self._cues: dict[str, float] = {}
        examples = self._read(pairs)
        counts = Counter(feature for example in examples for feature in example.features)
        total = len(examples) + 1
        self._columns = {feature: column for column, feature in enumerate(sorted(counts))}
        self._weights = [_weight(f) * (log(total / counts[f]) + 0.1) for f in self._columns]
        self._voters: dict[str, list[tuple[Slot, ...]]] = {}
        for example in examples:
            self._voters.setdefault(example.template, []).append(example.slots)
        self._templates = sorted(self._voters)
        self._fit(examples)

    def answers(self, request: str) -> Iterable[str]:
        """What it would answer, the best first."""
        said = tokens(request)
        for template in self._ranked(said):
            filled = self._fill(template, said)
            if filled is not None:
                yield filled

    # learning

    def _read(self, pairs: Sequence[tuple[str, str, float]]) -> list[Example]:
        keywords = _keywords([answer for _, answer, _ in pairs])
        taken: Counter[str] = Counter()
        passed: Counter[str] = Counter()
        learned = []
        for request, answer, weight in pairs:
            said = tokens(request)
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
        return [
            Example(
                template,
                tuple(Slot(said[i].kind, said[i].before, said[i].after) for i in places),
                _features(t for i, t in enumerate(said) if i not in places or t.kind != "word"),
                weight,
            )
            for said, template, places, weight in learned
        ]

    def _fit(self, examples: Sequence[Example]) -> None:
        import numpy as np

        self._rows = np.array([self._vector(example.features) for example in examples])
        wanted = np.zeros((len(examples), len(self._templates)))
        for row, example in enumerate(examples):
            wanted[row, self._templates.index(example.template)] = example.weight
        kernel = (self._rows @ self._rows.T) ** 2
        self._solution = np.linalg.solve(kernel + RIDGE * np.eye(len(examples)), wanted)

    def _vector(self, features: frozenset[str]) -> NDArray[np.float64]:
        import numpy as np

        vector = np.zeros(len(self._columns))
        for feature in features:
            column = self._columns.get(feature)
            if column is not None:
                vector[column] = self._weights[column]
        length = float(np.linalg.norm(vector))
        return vector / length if length else vector

    # answering

    def _ranked(self, said: list[Token]) -> list[str]:
        """Templates that suit the request, the best first."""
        named = [t for t in said if t.kind != "word" or self._looks_like_value(t)]
        features = _features(t for t in said if t.kind != "word" or t not in named)
        scores = (self._rows @ self._vector(features)) ** 2 @ self._solution
        strict = Counter(t.kind for t in said if t.kind in STRICT)
        suited = []
        for template, score in zip(self._templates, scores.tolist(), strict=True):
            if score > 0:
                agreement = max(_agreement(slots, len(named), strict) for slots in self._voters[template])
                suited.append((-score * agreement, template))
        return [template for _, template in sorted(suited)]

    def _looks_like_value(self, token: Token) -> bool:
        """Whether a plain word is a name here: by what it was in the examples, and by the words around it."""
        word = token.value.casefold()
        known = (1.5 if word in self._values else 0.0) - (2.5 if word in self._plain else 0.0)
        unknown = 2.0 if word not in self._values and word not in self._plain else 0.0
        return known + unknown + self._context(token) > 0

    def _context(self, token: Token) -> float:
        return sum(self._cues.get(cue, -1.0) for cue in (f"<{token.before}", f">{token.after}")) / 2

    def _fill(self, template: str, said: list[Token]) -> str | None:
        voters = self._voters[template]
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


def _features(said: Iterable[Token]) -> frozenset[str]:
    """Stems, pairs of neighbours, and ``#CONCEPT`` for what the whole speaks of."""
    kept = list(said)
    words = [_stem(t.value.casefold()) if t.kind == "word" else f"<{t.kind}>" for t in kept]
    shown = ('""' if t.kind == "quoted" else t.value if t.kind == "word" else f"<{t.kind}>" for t in kept)
    spoken = concepts(plain(" ".join(shown)))
    return frozenset([*words, *(f"{a} {b}" for a, b in pairwise(words)), *(f"#{concept}" for concept in spoken)])


def _weight(feature: str) -> float:
    return CONCEPT if feature.startswith("#") else PAIR if " " in feature else 1.0


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
