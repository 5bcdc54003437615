r"""The filter for untrusted text: answers, server errors, names from files, graders' reasons.

Terminals act on control characters, and invisible or reordering characters deceive readers. Each is replaced by its
number, ``\x1b`` or ``\u202e``.
"""

from __future__ import annotations

import re
import unicodedata

_PICTURELESS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Invisible characters that Python calls printable: variation selectors and fillers."""
_JOINERS = "\u200c\u200d"
"""Persian, Indian scripts and emoji need these between two of their own characters."""
_EMOJI_STYLES = "\ufe0e\ufe0f"
_KEYCAP = "\u20e3"
TAB = "    "
RETURN = "↵"
"""The sign for a line break in a one-line text."""


def visible(text: str) -> str:
    r"""Replace all control characters except the line feed.

    Replaces the characters that ``str.isprintable`` rejects (control, format, surrogate, private and unassigned characters,
    line and paragraph separators), variation selectors and fillers. Keeps spaces of any width, and joiners and emoji styles
    where a script needs them. A tab becomes four spaces.

    >>> visible("done\x1b[2J\u202e")
    'done\\x1b[2J\\u202e'
    """
    if text.isprintable() and (text.isascii() or not _PICTURELESS.search(text)):
        return text
    text = text.replace("\r\n", "\n").replace("\t", TAB)
    return "".join(sign if _harmless(text, place) else number(sign) for place, sign in enumerate(text))


def inline(text: str) -> str:
    r"""The same, in one line.

    >>> inline("one\ntwo")
    'one↵two'
    """
    return visible(text).replace("\n", RETURN)


def number(sign: str) -> str:
    r"""The escape of a character in a Python string.

    >>> number("\x9b"), number("\U000e0041")
    ('\\x9b', '\\U000e0041')
    """
    if sign == "\r":
        return "\\r"
    code = ord(sign)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def safe_json(document: bytes) -> bytes:
    r"""Escape the invisible characters of a JSON document, so that it can be displayed; its value stays the same.

    >>> safe_json('{"a": "\u202e"}'.encode())
    b'{"a": "\\u202e"}'
    """
    text = document.decode()
    if text.isascii() and "\x7f" not in text:
        return document
    return "".join(sign if _shown(sign) or sign == "\n" else _escaped(sign) for sign in text).encode()


def _escaped(sign: str) -> str:
    units = sign.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def _harmless(text: str, place: int) -> bool:
    sign = text[place]
    if sign == "\n" or _shown(sign):
        return True
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    if sign in _EMOJI_STYLES:
        return _foreign(before) or (after == _KEYCAP and _shown(before))
    if sign in _JOINERS:
        styled = before in _EMOJI_STYLES and place > 1 and _foreign(text[place - 2])
        return (_foreign(before) or styled) and _foreign(after)
    return False


def _shown(sign: str) -> bool:
    """Whether a character is visible or a space."""
    return (sign.isprintable() and not _PICTURELESS.match(sign)) or unicodedata.category(sign) == "Zs"


def _foreign(sign: str) -> bool:
    return bool(sign) and not sign.isascii() and _shown(sign)
