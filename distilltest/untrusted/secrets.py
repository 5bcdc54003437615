"""The secrets of this process, and the one function that masks them.

A server may send a key back: in the message of a 401, in an answer, in an address. All code that reads a key or a password
registers it with :func:`remember`; all text that arrives, is stored or is shown passes :func:`mask`. It finds a secret as
plain text and as written in JSON, URLs, HTML and base64, also nested; not in pieces, reversed, hashed or encrypted.
"""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass

SHORTEST = 8
"""Minimum length of a masked secret: shorter ones ("none", "test") would match ordinary words."""
MASK = "[masked]"
LAYERS = 4
"""Maximum nesting of escapes: JSON in a JSON string in a URL is three."""
LONGEST = 2**20
"""Maximum length of a text that is masked in part; a longer text with a secret is masked as a whole."""
_ESCAPE = re.compile(
    r"""\\+(?:u(?P<unit>[0-9a-fA-F]{4})|(?P<sign>["'/]))?|%(?:25)*(?P<byte>[0-9a-fA-F]{2})|(?P<entity>&\#?\w{1,8};)"""
)
_HINTS = ("\\", "%", "&")
"""Every text with an escape contains one of these."""


@dataclass(frozen=True, slots=True)
class _Secrets:
    """The registered secrets."""

    plain: tuple[str, ...] = ()
    """As registered."""
    needles: tuple[str, ...] = ()
    """Their forms to search for, in texts with and without escapes; the longest first."""


_secrets = _Secrets()
_lock = threading.Lock()


def remember(*secrets: str | None) -> None:
    """Mask these from now on; those that are too short are ignored."""
    _remember([secret.strip() for secret in secrets if secret and len(secret.strip()) >= SHORTEST])


def remember_userinfo(userinfo: str) -> None:
    """Mask the ``user:password`` of an address, the password alone, and both as in a header."""
    from urllib.parse import unquote

    for text in (userinfo, unquote(userinfo)):
        user, colon, password = text.partition(":")
        remember(text, password if colon else user)
        if len(text) < SHORTEST:
            _remember([f"//{text}@"])  # not an ordinary word, even if short
    _remember([f"Basic {base64.b64encode(unquote(userinfo).encode()).decode()}"])


def _remember(secrets: list[str]) -> None:
    global _secrets
    with _lock:
        if not set(secrets) <= set(_secrets.plain):
            plain = tuple(dict.fromkeys([*_secrets.plain, *secrets]))
            needles = {form for secret in plain for form in _forms(secret)}
            _secrets = _Secrets(plain, tuple(sorted(needles, key=lambda form: (-len(form), form))))


def mask(text: str) -> str:
    r"""Mask all secrets in a text.

    >>> remember("sk-example-1234")
    >>> mask("Incorrect API key provided: sk-example-1234. Also sk\\u002dexample-1234 and sk%2Dexample-1234.")
    'Incorrect API key provided: [masked]. Also [masked] and [masked].'
    """
    needles = _secrets.needles
    if not needles or not _found(text, needles):
        return text
    if len(text) > LONGEST:
        return MASK
    shown = []
    end = 0
    for start, stop in _merged(_places(text, needles)):
        shown += [text[end : max(end, _without_escape(text, start))], MASK]
        end = stop
    return "".join([*shown, text[end:]])


def mask_bytes(body: bytes) -> bytes:
    """The same for a response body; valid JSON stays valid."""
    text = body.decode("latin-1")  # one character per byte, so that invalid UTF-8 is searched too
    masked = mask(text)
    return body if masked is text else masked.encode("latin-1")


def _found(text: str, needles: tuple[str, ...]) -> bool:
    for _ in range(LAYERS):
        if any(needle in text for needle in needles):
            return True
        if not any(hint in text for hint in _HINTS):
            return False
        plainer = _ESCAPE.sub(_decoded, text)
        if plainer == text:
            return False
        text = plainer
    return any(needle in text for needle in needles)


def _places(text: str, needles: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """The places of secrets in a text, in any spelling."""
    spans = [(place, place + 1) for place in range(len(text))]
    for _ in range(LAYERS + 1):
        for needle in needles:
            start = text.find(needle)
            while start >= 0:
                yield spans[start][0], spans[start + len(needle) - 1][1]
                start = text.find(needle, start + 1)
        plainer: list[str] = []
        wider: list[tuple[int, int]] = []
        end = 0
        for escape in _ESCAPE.finditer(text):
            sign = _decoded(escape)
            plainer += [text[end : escape.start()], sign]
            wider += spans[end : escape.start()]
            wider += [(spans[escape.start()][0], spans[escape.end() - 1][1])] * len(sign)
            end = escape.end()
        text, spans = "".join([*plainer, text[end:]]), [*wider, *spans[end:]]


def _decoded(escape: re.Match[str]) -> str:
    if escape["unit"] or escape["byte"]:
        return chr(int(escape["unit"] or escape["byte"], 16))
    if escape["entity"]:
        from html import unescape

        return unescape(escape["entity"])
    return escape["sign"] or "\\"


def _merged(places: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Sorted places, with overlaps merged."""
    start = end = -1
    for begin, stop in sorted(places):
        if begin >= end:
            if end >= 0:
                yield start, end
            start, end = begin, stop
        end = max(end, stop)
    if end >= 0:
        yield start, end


def _without_escape(text: str, start: int) -> int:
    """Where the mask begins: pairs of backslashes stay, so that JSON stays valid."""
    end = start
    while text[end] == "\\":
        end += 1
    while start and text[start - 1] == "\\":
        start -= 1
    return end - (end - start) % 2


def _forms(secret: str) -> Iterator[str]:
    """The forms of a secret: plain, unescaped, as UTF-8 bytes, and in base64 at any offset."""
    for plain in {secret, _ESCAPE.sub(_decoded, secret)}:
        yield plain
        yield plain.encode().decode("latin-1")
    raw = secret.encode()
    encoded = {base64.b64encode(raw).decode()}
    for before in range(3):  # base64 depends on the offset of the secret in the longer text
        padded = bytes(before) + raw
        start = -(-before * 8 // 6)  # the first character that depends on the secret alone
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded.add(encode(padded[: len(padded) // 3 * 3]).decode()[start:])
    yield from (form for form in encoded if len(form) >= SHORTEST)
