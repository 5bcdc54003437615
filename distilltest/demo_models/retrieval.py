"""Learns answer templates with slots from examples, and picks and fills one for a new request.

A value of the request that the answer repeats becomes a slot: ``git switch -c docs`` becomes the template
``git switch -c {0}``. Kernel ridge regression over words, word pairs and the lexicon's concepts ranks the templates for a new
request. The slots are filled with values of the new request, chosen by their form and by the words around them. Preferences
shift the regression's scores (``preferences.py``).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations
from math import log
from typing import TYPE_CHECKING

from distilltest.demo_models.features import Space, features
from distilltest.demo_models.tokens import Token, tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from distilltest.demo_models.preferences import LearnedPair

RIDGE = 0.3
"""The ridge penalty."""
STRICT = ("quoted", "url", "email", "hash", "number", "path", "stash")
"""Kinds that are certainly values, because of their form."""


@dataclass(frozen=True, slots=True)
class TemplateSlot:
    """The kind and the context of the value that a slot takes."""

    kind: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class LearnedExample:
    """One learned line of a training file."""

    template: str
    """The answer with slots ``{0}``, ``{1}``, …"""
    slots: tuple[TemplateSlot, ...]
    features: frozenset[str]


def _example(said: list[Token], template: str, places: tuple[int, ...]) -> LearnedExample:
    return LearnedExample(
        template,
        tuple(TemplateSlot(said[i].kind, said[i].before, said[i].after) for i in places),
        features(t for i, t in enumerate(said) if i not in places or t.kind != "word"),
    )


Shape = tuple[int, tuple[str, ...]]
"""The number of slots, and the strict kinds among them."""


class TemplateRetriever:
    """Examples, the regression over them, and the preferences that shift its scores."""

    def __init__(self, pairs: Sequence[tuple[str, str]], preferences: Sequence[LearnedPair] = ()) -> None:
        self._plain: set[str] = set()
        self._values: set[str] = set()
        self._cues: dict[str, float] = {}
        better = [(preference.request, preference.preferred) for preference in preferences]
        worse = [(preference.request, preference.rejected) for preference in preferences]
        self._keywords = _keywords([answer for _, answer in (*pairs, *better, *worse)])
        read = self._read([*pairs, *better])
        examples, preferred = read[: len(pairs)], read[len(pairs) :]
        rejected = [self._example(request, answer) for request, answer in worse]
        self._voters: dict[str, list[tuple[TemplateSlot, ...]]] = {}
        for example in (*examples, *preferred, *rejected):
            self._voters.setdefault(example.template, []).append(example.slots)
        self._shapes = {t: {_shape(slots) for slots in voters} for t, voters in self._voters.items()}
        self._templates = sorted(self._voters)
        self._place = {template: place for place, template in enumerate(self._templates)}
        self._space = Space([example.features for example in examples])
        self._fit(examples)
        self._tilt(read, preferred, rejected, [preference.strength for preference in preferences])

    def answers(self, request: str) -> Iterable[str]:
        """Possible answers, best first."""
        said = tokens(request)
        for template in self._ranked(said):
            filled = self._fill(template, said)
            if filled is not None:
                yield filled

    def tilts(self, requests: Sequence[tuple[str, str, str]]) -> NDArray[np.float64]:
        """One row per (request, preferred, rejected): what each preference's strength adds to the margin between the answers."""
        import numpy as np

        rows = [self._tilted_row(*request) for request in requests]
        return np.array(rows).reshape(len(rows), len(self._signs))

    # learning

    def _read(self, pairs: Sequence[tuple[str, str]]) -> list[LearnedExample]:
        taken: Counter[str] = Counter()
        passed: Counter[str] = Counter()
        learned = []
        for request, answer in pairs:
            said = tokens(request)
            template, places = _template(said, answer, self._keywords)
            learned.append(_example(said, template, places))
            for place, token in enumerate(said):
                if token.kind == "word":
                    used = place in places
                    (self._values if used else self._plain).add(token.value.casefold())
                    for cue in (f"<{token.before}", f">{token.after}"):
                        (taken if used else passed)[cue] += 1
        for cue in taken | passed:
            self._cues[cue] = log((taken[cue] + 0.2) / (passed[cue] + 1.0))
        return learned

    def _example(self, request: str, answer: str) -> LearnedExample:
        said = tokens(request)
        return _example(said, *_template(said, answer, self._keywords))

    def _fit(self, examples: Sequence[LearnedExample]) -> None:
        import numpy as np

        rows = self._space.matrix([example.features for example in examples])
        wanted = np.zeros((len(examples), len(self._templates)))
        for row, example in enumerate(examples):
            wanted[row, self._place[example.template]] = 1.0
        kernel = (rows @ rows.T) ** 2
        self._by_feature = (
            rows.T.copy()
        )  # one row per feature: a request has few features, and only their rows are read
        self._solution = np.linalg.solve(kernel + RIDGE * np.eye(len(examples)), wanted)

    def _tilt(
        self,
        read: Sequence[LearnedExample],
        preferred: Sequence[LearnedExample],
        rejected: Sequence[LearnedExample],
        strengths: Sequence[float],
    ) -> None:
        """Set up the preferences in a separate space, so that preferences of strength 0 change nothing."""
        import numpy as np

        self._preference_space = Space([example.features for example in read]) if preferred else self._space
        self._preference_rows = self._preference_space.matrix([example.features for example in preferred])
        self._signs = np.zeros((len(preferred), len(self._templates)))
        for row, (better, worse) in enumerate(zip(preferred, rejected, strict=True)):
            self._signs[row, self._place[better.template]] += 1.0
            self._signs[row, self._place[worse.template]] -= 1.0
        self._strengths = np.array(strengths, dtype=float)

    def _tilted_row(self, request: str, preferred: str, rejected: str) -> NDArray[np.float64]:
        import numpy as np

        better, worse = self._example(request, preferred), self._example(request, rejected)
        near = (self._preference_rows @ self._preference_space.vector(better.features)) ** 2
        row = np.zeros(len(self._signs))
        for example, sign in ((better, 1.0), (worse, -1.0)):
            place = self._place.get(example.template)
            if place is not None:
                row += sign * near * self._signs[:, place]
        return row

    # answering

    def _ranked(self, said: list[Token]) -> list[str]:
        """The templates that fit the request, best first."""
        named = [t for t in said if t.kind != "word" or self._looks_like_value(t)]
        spoken = features(t for t in said if t.kind != "word" or t not in named)
        asked = self._space.vector(spoken)
        known = asked.nonzero()[0]
        scores = (asked[known] @ self._by_feature[known]) ** 2 @ self._solution
        if len(self._signs):
            near = (self._preference_rows @ self._preference_space.vector(spoken)) ** 2
            scores += (near * self._strengths) @ self._signs
        strict = Counter(t.kind for t in said if t.kind in STRICT)
        suited = []
        for template, score in zip(self._templates, scores.tolist(), strict=True):
            if score > 0:
                agreement = max(_agreement(shape, len(named), strict) for shape in self._shapes[template])
                suited.append((-score * agreement, template))
        return [template for _, template in sorted(suited)]

    def _looks_like_value(self, token: Token) -> bool:
        """Whether a plain word is a name here, given its uses in the examples and by the words around it."""
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


def _shape(slots: tuple[TemplateSlot, ...]) -> Shape:
    return len(slots), tuple(sorted(slot.kind for slot in slots if slot.kind in STRICT))


def _agreement(shape: Shape, named: int, strict: Counter[str]) -> float:
    """How well an example's slots match the values of a request. A value without a slot, or the reverse, lowers the score."""
    count, kinds = shape
    wanted = Counter(kinds)
    apart = sum(abs(wanted[kind] - strict[kind]) for kind in wanted.keys() | strict.keys())
    return 0.3**apart * 0.5 ** abs(count - named)


def _fit(slot: TemplateSlot, token: Token) -> float:
    """How well a value fits a slot."""
    names = ("word", "name", "version", "path", "head", "hash")
    same = 1.0 if slot.kind == token.kind else 0.3 if slot.kind in names and token.kind in names else -2.0
    return same + (1.0 if slot.before == token.before else 0.0) + (0.5 if slot.after == token.after else 0.0)


def _keywords(answers: list[str]) -> set[str]:
    """Words of answers that are never slots: subcommands, and words that repeatedly follow one subcommand and no other."""
    subcommands = {parts[1] for answer in answers if len(parts := answer.split()) > 1}
    followers: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for answer in answers:
        parts = answer.split()
        if len(parts) > 2:
            followers[parts[2]][parts[1]] += 1
    fixed = {word for word, after in followers.items() if len(after) == 1 and sum(after.values()) >= 3}
    return {"git", *subcommands, *fixed}


def _template(said: list[Token], answer: str, keywords: set[str]) -> tuple[str, tuple[int, ...]]:
    """Replace the values that the answer repeats by slots. Returns the template, and each slot's position among the tokens."""
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
