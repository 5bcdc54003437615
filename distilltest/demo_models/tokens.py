"""Two kinds of tokens: those of a request with the kind of value each may be, and those that usage counts."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(r"\"[^\"]*\"|“[^”]*”|`[^`]*`|(?<!\w)'[^']*'(?!\w)|[^\s]+")
_USAGE_TOKEN = re.compile(r"\w+|[^\w\s]")
_FORMS = [
    ("url", re.compile(r"(?:https?://|ssh://|git@)\S+\Z")),
    ("email", re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+\Z")),
    ("stash", re.compile(r"stash@\{\d+\}\Z")),
    ("hash", re.compile(r"(?=[a-f]*\d)[0-9a-f]{7,40}\Z")),
    ("number", re.compile(r"#?\d+\Z")),
    ("version", re.compile(r"v?\d+(?:\.\d+)+[\w.-]*\Z")),
    ("head", re.compile(r"HEAD(?:[~^]\d*)*\Z")),
    ("path", re.compile(r"\.{0,2}/?[\w@.-]+(?:/[\w@.-]+)*\.[A-Za-z]\w{0,9}\Z|\.{1,2}/\S+\Z|[\w.-]+/\Z")),
    ("name", re.compile(r"(?=.*[-_/.\d])[A-Za-z][\w./-]*\w\Z")),
]


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a quoted text or another value in a request."""

    value: str
    """The text without quotes and punctuation around it."""
    kind: str
    """``quoted``, ``url``, ``email``, ``stash``, ``hash``, ``number``, ``version``, ``head``, ``path``, ``name`` or ``word``."""
    before: str
    """The word before, in lower case; empty at the start."""
    after: str
    """The word after; empty at the end."""


def tokens(request: str) -> list[Token]:
    """Split a request into tokens.

    >>> [(t.value, t.kind) for t in tokens('commit as "fix it", then show 3f2a9c1 in src/app.py')]
    ... # doctest: +NORMALIZE_WHITESPACE
    [('commit', 'word'), ('as', 'word'), ('fix it', 'quoted'), ('then', 'word'), ('show', 'word'),
     ('3f2a9c1', 'hash'), ('in', 'word'), ('src/app.py', 'path')]
    """
    found: list[tuple[str, str]] = []
    for match in _TOKEN.finditer(request):
        raw = match[0]
        if len(raw) > 1 and raw[0] in "\"“`'" and raw[-1] in "\"”`'":
            found.append((raw[1:-1], "quoted"))
            continue
        value = raw.strip("()[],;:!?\"'`“”").removesuffix("'s")
        if value.endswith(".") and not value.startswith("."):
            value = value.rstrip(".")
        if value:
            found.append((value, _kind(value)))
    words = [value.casefold() if kind == "word" else f"<{kind}>" for value, kind in found]
    return [
        Token(value, kind, words[i - 1] if i else "", words[i + 1] if i + 1 < len(words) else "")
        for i, (value, kind) in enumerate(found)
    ]


def count_tokens(text: str) -> int:
    """Count words and punctuation marks, which is what usage reports: the models have no tokenizer."""
    return len(_USAGE_TOKEN.findall(text))


def first_tokens(text: str, count: int) -> str:
    """The text up to the end of this token, which must exist."""
    ends = [match.end() for match in _USAGE_TOKEN.finditer(text)]
    return text[: ends[count - 1]] if count > 0 else ""


def _kind(value: str) -> str:
    return next((kind for kind, form in _FORMS if form.match(value)), "word")
