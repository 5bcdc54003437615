"""The teacher: a rule book that turns requests in plain English into git commands. It is good, but not perfect.

A rule has a command, the concepts that a request must express, and those that count for or against the command. Example
requests add to the scores. The rule with the best score answers. Values (branches, files, hashes, quoted texts, ...) are
recognised by their form and taken in the order of the request.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import islice

from distilltest.demo_models.lexicon import concepts, data_lines, plain
from distilltest.demo_models.retrieval import TemplateRetriever
from distilltest.demo_models.rules import rules
from distilltest.demo_models.tokens import Token, tokens

LIKENESS, SUGGESTIONS = 4.0, 15
"""How much the likeliest answer by the book's own examples adds to its rule's score; the nth likeliest adds 1/n of it."""
LEAST = 2.0
"""The minimum score; below it the answer is :data:`UNKNOWN`."""
UNUSED, UNUSED_NAME, USED = 3.0, 1.5, 1.0
"""What a certain value or a name that the command does not use subtracts from the score, and what a used one adds."""
_DOTTED = re.compile(
    r"(?:user|core|pull|push|init|alias|merge|fetch|color|diff|commit|remote|branch|credential|rebase)\.\w+\Z",
    re.IGNORECASE,
)
_MASKED = ("hash", "number", "url", "email", "path", "stash", "version", "name")
UNKNOWN = "I don't know a git command for that."
_GIT_WORDS = frozenset(
    "fast-forward fast-forwards cherry-pick cherry-picked cherry-picking one-line one-liner single-line no-ff ff-only "
    "top-level dry-run up-to-date merge-base re-apply un-stage check-out force-push work-tree roll-back no-edit "
    "line-by-line non-fast-forward read-only".split()
)
_REMOTES = (
    "origin",
    "upstream",
    "backup",
    "mirror",
    "fork",
    "company",
    "archive",
    "heroku",
    "public",
    "github",
    "gitlab",
)
_NUMBERS = {
    "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
    "ten": "10", "couple": "2", "dozen": "12", "first": "0",
}  # fmt: skip
_CUES = re.compile(
    r"\b(?:branch|called|named|name|into|onto|from|to|on|off|of|with|in|at|against|and|than|remote|tag|file|than|delete|merge|rebase|"
    r"checkout|switch|fetch|push|stage|add|unstage|blame|track|by|key|folder|directory|author|it|between|are|for|key|rename|"
    r"remove|alias|drop|show|my|the|clone|discard|restore|as|tip|user|over|pick|revert|that|as|call|within|behind)\s+\Z",
    re.IGNORECASE,
)
_COMMON = frozenset(
    """
    a about above access across add added adding address after again ahead alias all alone along already also
    always am an and another any anything are around as aside at author authored authors away back bad based
    annotated lightweight cleaning remember lot carefully differ news setting date stale collapse repositories
    modifications index one squashed squashing be because been before begin behind being best better between
    bisect bit blame both branch branches bring broke brought bug but by call called can cancel change changed
    changes changing check checkout cherry clean clear clone code colleague combine command commit commited
    commits committed compare config conflict conflicts contents copy could count create created creating
    current currently cut deal delete deleted describe detached did diff difference different directories
    directory discard do does doing don't done down draft drop each edit edits either email empty end entire
    entry even ever every everybody everyone everything exactly example exist existing expired fast feature
    fetch few file files find finish finished first fix folder folders follow for force forget forward found
    fresh from full get gets getting git give given global globally go goes going gone good got graph had half
    hand has hash have haven't head hello help here hey hi hide history hold hotfix how i i'd i'll i'm i've id
    if ignore in include included including inside instead interactive into is it its it's itself job just keep
    keeping key kind know last latest later left let lets like line lines list local locally log long look
    looking lost made main mainly make many me mean merge merged merging mess message messages middle mind mine
    mistake modified moment more most move my myself name named names near need needs never new newest next no
    not nothing now number of off oh ok old on once only onto open operation or order origin other our out over
    own page parent part parts past patch path people pick picked piece place plain please point pop possible pr
    press pretend preserve preview previous print probably progress project prune publish pull push pushed put
    quick quickly ran range rather re read real really rebase rebasing recent recently record reflog release
    remaining remote remotes remove removed removing rename repo repos repository reset resolve restore result
    return revert review right roll root run safely same save saved say search see select send server set
    shallow short should show side since single skip skipping so some somebody someone something sort specific
    squash stack stage staged staging start started starting stash stashed stashes state stats status step still
    stop stuff such sure switch tag tagged tags take team tell temporarily than thanks that that's the their
    them then there these they thing things think this those throw time tip to today together too top total
    touch touched touching track tracked tracking tree try turn two type uncommitted under undo unstage unstaged
    until untracked up update upstream url us use user using version versions very view wait want wanted was way
    we week well went were what what's when where whether which while who whole whom whose why will wip with
    within without won't word work working worktree would wrong wrote yes yesterday yet you your u pls plz whats
    lemme gimme wanna gonna submodule submodules bases unmerged pruning editor addresses nearest thats im tree trees
    handy whatever content contents revision revisions disk stale expire closest common ancestor pruned temporarily
    """.split()
)


@dataclass(frozen=True)
class Values:
    """The values in a request by kind, in the order of the text."""

    quoted: tuple[str, ...]
    hashes: tuple[str, ...]
    numbers: tuple[str, ...]
    urls: tuple[str, ...]
    emails: tuple[str, ...]
    files: tuple[str, ...]
    names: tuple[str, ...]
    """Other words that are not common: branches, remotes, tags, people."""
    words: tuple[str, ...] = ()
    """An alias and its meaning: the words beside ``alias``, ``make``, ``for``, ``to`` and ``mean``."""
    remotes: tuple[str, ...] = ()
    """Names of remotes: well-known ones, and names beside the word ``remote``."""
    digits: bool = False
    """Whether the numbers were written in digits."""
    bases: tuple[str, ...] = ()
    """Starting points of new things: the values after ``from``, ``off``, ``at`` and ``on``."""

    @classmethod
    def of(cls, request: str) -> Values:
        """Extract the values of a request."""
        kinds: dict[str, list[str]] = {
            k: [] for k in ("quoted", "hash", "number", "url", "email", "path", "name", "version", "stash", "head")
        }
        names: list[str] = []
        files: list[str] = []
        remotes: list[str] = []
        position = 0
        for token in tokens(request):
            position = request.find(token.value, position)
            kinds.setdefault(token.kind, []).append(token.value)
            if token.kind == "path":
                files.append(token.value)
            if (token.kind in ("name", "version", "head") and token.value.casefold() not in _GIT_WORDS) or (
                token.kind == "word" and _is_name(token, request[:position])
            ):
                names.append(token.value)
                if token.value.casefold() in _REMOTES or "remote" in (token.before, token.after):
                    remotes.append(token.value)
            position += len(token.value)
        numbers = [n.lstrip("#") for n in kinds["number"]] + [re.sub(r"\D", "", s) for s in kinds["stash"]]
        numbers += [_NUMBERS[w] for w in re.findall(r"\w+", request.casefold()) if w in _NUMBERS and not numbers]
        return cls(
            tuple(kinds["quoted"]),
            tuple(kinds["hash"]),
            tuple(numbers),
            tuple(kinds["url"]),
            tuple(kinds["email"]),
            tuple(files),
            tuple(names),
            remotes=tuple(remotes),
            digits=bool(kinds["number"] or kinds["stash"]),
            words=tuple(
                re.findall(
                    r"\b(?:make|alias|want|called|for|to mean|to) ([a-z]{2,12})\b(?! alias)",
                    request.replace("alias for", "for"),
                )
            ),
            bases=tuple(
                v
                for v in re.findall(
                    r"\b(?:off of|off|from commit|from|based on|starting at|starting from) ([\w./~^-]*\w)", request
                )
                if v not in _COMMON
            ),
        )

    @property
    def certain(self) -> tuple[str, ...]:
        """Values that their form identifies beyond doubt."""
        digits = tuple(n for n in self.numbers if n.isdigit() and self.digits)
        return self.quoted + self.hashes + self.urls + self.emails + self.files + digits

    def take(self, what: str, place: int) -> str | None:
        """The value for a field of a template."""
        pool: dict[str, tuple[str, ...]] = {
            "q": self.quoted,
            "h": self.hashes or tuple(n for n in self.names if n.startswith("HEAD")),
            "c": self.hashes or self.names,
            "n": self.numbers,
            "u": self.urls,
            "e": self.emails,
            "f": self.files or self.names,
            "b": self.names,
            "d": self.files + self.names + self.words,
            "s": tuple(v for v in self.files + self.names if "." in v),
            "w": tuple(v for v in self.files if v.startswith("..")) or self.words[1:] or self.words,
            "r": self.remotes or self.names[1:] or self.names,
            "t": tuple(v for v in self.names if v not in self.remotes) or self.names[:1],
            "y": tuple(v for v in self.names if v not in self.bases) or self.names,
            "z": self.bases or self.hashes or self.names[1:],
        }
        values = pool[what]
        return values[place] if place < len(values) else None


def _is_name(token: Token, before: str) -> bool:
    """Whether a plain word is a name: it is not a common word, and its context or capital letters suggest a name."""
    word = token.value.casefold()
    if word in ("main", "master", "origin", "upstream", "develop", "dev", "staging", "trunk", "production"):
        return not (word == "staging" and token.after in ("", "area", "and", "but")) and not (
            word == "upstream" and token.before in ("set", "as", "an", "its", "the", "and", "tracking", "with")
        )
    if word in _COMMON or len(word) < 2:
        return False
    return _CUES.search(before) is not None or token.after in ("branch", "remote", "tag") or not token.value.islower()


def answer(request: str) -> str:
    """The command for a request, or :data:`UNKNOWN` if no rule fits.

    >>> answer("switch to a new branch named docs-intro")
    'git switch -c docs-intro'
    >>> answer("what is the meaning of life")
    "I don't know a git command for that."
    """
    values = Values.of(request)
    spoken = concepts(_mask(request))
    likened = {said: LIKENESS / (1 + place) for place, said in enumerate(_likely(request))}
    best, said = LEAST, UNKNOWN
    for rule in rules():
        filled = _fill(rule.command, values)
        if filled is None:
            continue  # the request lacks a value that the command needs
        score = rule.score(spoken) + likened.get(filled, 0.0)
        score -= UNUSED * sum(1 for value in values.certain if value not in filled)
        score -= UNUSED_NAME * sum(1 for name in values.names if name not in filled)
        score += USED * sum(1 for value in values.certain + values.names if value in filled)
        if score > best:
            best, said = score, filled
    return said


def _likely(request: str) -> list[str]:
    """The answers that the book's own examples suggest, likeliest first."""
    return list(dict.fromkeys(islice(_examples().answers(request), SUGGESTIONS)))


@cache
def _examples() -> TemplateRetriever:
    pairs = [line.split(" => ") for line in data_lines("phrases.txt")]
    return TemplateRetriever([(request, command) for request, command in pairs])


def _mask(request: str) -> str:
    """The request in plain words, with unmistakable values replaced by their kind."""
    parts = []
    for token in tokens(request):
        if token.kind == "quoted":
            parts.append('""')
        else:
            dotted = _DOTTED.match(token.value) is not None
            masked = token.kind in _MASKED and token.value.casefold() not in _GIT_WORDS
            parts.append("<dotted>" if dotted else f"<{token.kind}>" if masked else token.value)
    return plain(" ".join(parts))


def _fill(template: str, values: Values) -> str | None:
    """Fill the ``{kind}`` fields of a template; None if the request lacks a value."""
    seen: dict[str, int] = {}
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        what = match[1]
        place = int(match[2]) if match[2] else seen.get(what, 0)
        seen[what] = place + 1
        taken = values.take(what, place)
        missing = missing or taken is None
        return taken or ""

    filled = re.sub(r"\{([a-z])(\d?)\}", value, template)
    return None if missing else filled
