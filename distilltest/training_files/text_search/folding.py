"""Fold texts: remove case, space, punctuation and accents, and replace letters that look alike.

Look-alikes are part of Unicode's list of confusables (UTS #39): Cyrillic and Greek letters that look like Latin ones. They are
folded in every text, also in Russian ones, because both sides of a comparison are folded.
"""

from __future__ import annotations

import functools
import re
import unicodedata

_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]|[^\W_\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]+"
)
"""A word; in scripts without spaces, a character."""
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")
_NOTHING = re.compile(r"[\W_]+")
_SQUASHED = {code: chr(code).lower() if chr(code).isalnum() else None for code in range(128)}
_SPACED = {code: " " if chr(code).isspace() else letter for code, letter in _SQUASHED.items()}
_ALIKE = dict(
    zip(
        "авекмнорстухіјѕһԁԛԝҽӏпгєьиѵѡ" + "αβεηικμνορτυχγζωϲϳ",
        "abekmhopctyxijshdqwelnrebuvw" + "abenikuvoptuxyzwcj",
        strict=True,
    )
)
"""Cyrillic or Greek letter → the Latin letter that it looks like."""


@functools.cache
def _letters() -> dict[int, str]:
    """Non-ASCII letter → its folded letter."""
    found = {ord(letter): plain for letter, plain in _ALIKE.items()}
    for code in (*range(0xC0, 0x250), *range(0x370, 0x530), *range(0x1E00, 0x2000)):
        base = unicodedata.normalize("NFD", chr(code))[0]
        if base != chr(code) and unicodedata.category(chr(code)) == "Ll":
            found.setdefault(code, _ALIKE.get(base, base))
    return found | {ord("ı"): "i", ord("ɑ"): "a", ord("ɡ"): "g", ord("ł"): "l", ord("ø"): "o", ord("đ"): "d"}


def _plain(text: str) -> str:
    """Lower case, no accents, no look-alikes."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded.translate(_letters())


def words(text: str) -> list[str]:
    """The words of a text, without case, punctuation, accents and look-alikes.

    >>> words("  Show ME the—status!"), words("状態を")
    (['show', 'me', 'the', 'status'], ['状', '態', 'を'])
    """
    return _WORD.findall(_plain(text))


def spelled(text: str) -> str:
    """The words of a text, without case and punctuation.

    >>> spelled("Show me, the  STATUS!")
    'show me the status'
    """
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def folded(text: str) -> str:
    """A text without case, space, punctuation, accents and look-alikes; empty if nothing is left.

    >>> folded("Show me, the  STATUS!") == folded("show me the status") == folded("ѕhоw mе the ѕtatus")
    True
    """
    if text.isascii():
        return text.translate(_SQUASHED)
    return _NOTHING.sub("", _plain(text))


def tokens(text: str) -> list[str]:
    """The parts of a text between spaces, folded; in scripts without spaces, the characters.

    >>> tokens("Don't diff maps/markers.ts - please"), tokens("状態を見せて")
    (['dont', 'diff', 'mapsmarkersts', 'please'], ['状', '態', 'を', '見', 'せ', 'て'])
    """
    if text.isascii():
        return text.translate(_SPACED).split()
    return [token for part in _plain(text).split() for token in _signs(part)]


def _signs(part: str) -> list[str]:
    if part.isascii():
        found = part.translate(_SQUASHED)
        return [found] if found else []
    found = _NOTHING.sub("", part)
    return _WORD.findall(found) if _UNSPACED.search(found) else [found] if found else []
