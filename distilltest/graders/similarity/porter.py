"""Porter's stemmer for English (1980), with nltk's default extensions."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

_IRREGULAR = {
    "skies": "sky",
    "sky": "sky",
    "dying": "die",
    "lying": "lie",
    "tying": "tie",
    "news": "news",
    "innings": "inning",
    "inning": "inning",
    "outings": "outing",
    "outing": "outing",
    "cannings": "canning",
    "canning": "canning",
    "howe": "howe",
    "proceed": "proceed",
    "exceed": "exceed",
    "succeed": "succeed",
}

_Rules = tuple[tuple[str, str], ...]


def _rules(text: str) -> _Rules:
    pairs = (rule.partition(">") for rule in text.split())
    return tuple((ending, instead) for ending, _, instead in pairs)


# The first rule whose ending matches decides, even if its condition fails.
_PLURALS = _rules("sses>ss ies>i ss>ss s>")
_DOUBLE = _rules(
    "ational>ate tional>tion enci>ence anci>ance izer>ize bli>ble alli>al entli>ent eli>e ousli>ous ization>ize ation>ate "
    "ator>ate alism>al iveness>ive fulness>ful ousness>ous aliti>al iviti>ive biliti>ble fulli>ful"
)
_SUFFIXES = _rules("icate>ic ative> alize>al iciti>ic ical>ic ful> ness>")
_LAST = _rules("al> ance> ence> er> ic> able> ible> ant> ement> ment> ent> ion> ou> ism> ate> iti> ous> ive> ize>")


@lru_cache(maxsize=10_000)
def stem(word: str) -> str:
    """The stem of a word, which may not be a word itself.

    >>> [stem(word) for word in ("relational", "hopping", "flies", "generously")]
    ['relat', 'hop', 'fli', 'gener']
    """
    word = word.lower()
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) <= 2:
        return word
    word = word[:-1] if len(word) == 4 and word.endswith("ies") else _replace(word, _PLURALS, least=-1)
    word = _verb(word)
    if word.endswith("y") and len(word) > 2 and _consonants(word)[-2]:
        word = f"{word[:-1]}i"
    word = _replace(_adverb(word), _SUFFIXES, least=0)
    word = _replace(word, _LAST, least=1)
    if word.endswith("e"):
        measure = _measure(word[:-1])
        if measure > 1 or (measure == 1 and not _short(word[:-1])):
            word = word[:-1]
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word


def _replace(word: str, rules: _Rules, least: int) -> str:
    """Apply the first rule whose ending matches, if the measure of the rest is more than ``least``."""
    for ending, instead in rules:
        if word.endswith(ending):
            before = word[: len(word) - len(ending)]
            fits = least < 0 or _measure(before) > least
            if ending == "ion":
                fits = fits and before.endswith(("s", "t"))
            return before + instead if fits else word
    return word


def _verb(word: str) -> str:
    """Remove -ed and -ing, and repair the rest."""
    if word.endswith("ied"):
        return word[:-1] if len(word) == 4 else word[:-2]
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for ending in ("ed", "ing"):
        before = word.removesuffix(ending)
        if before != word and not all(_consonants(before)):
            break
    else:
        return word
    if before.endswith(("at", "bl", "iz")):
        return before + "e"
    flags = _consonants(before)
    if len(before) > 1 and before[-1] == before[-2] and flags[-1]:
        return before if before[-1] in "lsz" else before[:-1]
    return before + "e" if _measure(before) == 1 and _short(before) else before


def _adverb(word: str) -> str:
    """Replace double endings by single ones."""
    while word.endswith("alli") and _measure(word[:-4]) > 0:
        word = word[:-2]
    if word.endswith("logi") and not word.endswith(tuple(ending for ending, _ in _DOUBLE)):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    return _replace(word, _DOUBLE, least=0)


def _consonants(word: str) -> list[bool]:
    """Which letters are consonants; y is one after a vowel and at the start."""
    flags: list[bool] = []
    for letter in word:
        flags.append(not flags[-1] if letter == "y" and flags else letter not in "aeiou")
    return flags


def _measure(word: str) -> int:
    """Porter's m: the number of times a consonant follows a vowel."""
    flags = _consonants(word)
    return sum(not one and other for one, other in pairwise(flags))


def _short(word: str) -> bool:
    """Whether a word ends in consonant, vowel, consonant (not w, x, y), or is a vowel and a consonant."""
    flags = _consonants(word)
    if len(word) == 2:
        return flags == [False, True]
    return flags[-3:] == [True, False, True] and word[-1] not in "wxy"
