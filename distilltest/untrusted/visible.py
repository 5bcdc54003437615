r"""The one filter for text that we did not write: answers, server errors, names from files, graders' reasons.

A terminal acts on control characters, and a reader is deceived by characters that have no picture or that reorder a line.
None of them passes: each is shown as its number, ``\x1b`` or ``\u202e``.
"""

from __future__ import annotations

import re
import unicodedata

_PICTURELESS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Characters that Python calls printable and that a screen does not show: variation selectors and fillers."""
_JOINERS = "\u200c\u200d"
"""Persian, the scripts of India and emoji need them between two of their own characters."""
_EMOJI_STYLES = "\ufe0e\ufe0f"
_KEYCAP = "\u20e3"
TAB = "    "
RETURN = "↵"
"""A line break in a text that has one line."""


def visible(text: str) -> str:
    r"""A text of several lines, without any control character but the line feed.

    The class is Python's own: what ``str.isprintable`` denies (control, format, surrogate, private and unassigned characters,
    line and paragraph separators), and variation selectors and fillers. Spaces of all widths stay; so do joiners and
    emoji styles where a script needs them. A tab becomes four spaces.

    >>> visible("done\x1b[2J\u202e")
    'done\\x1b[2J\\u202e'
    """
    if text.isprintable() and (text.isascii() or not _PICTURELESS.search(text)):
        return text
    text = text.replace("\r\n", "\n").replace("\t", TAB)
    return "".join(sign if _harmless(text, place) else number(sign) for place, sign in enumerate(text))


def inline(text: str) -> str:
    r"""The same in one line.

    >>> inline("one\ntwo")
    'one↵two'
    """
    return visible(text).replace("\n", RETURN)


def number(sign: str) -> str:
    r"""A character as Python writes it in a string.

    >>> number("\x9b"), number("\U000e0041")
    ('\\x9b', '\\U000e0041')
    """
    if sign == "\r":
        return "\\r"
    code = ord(sign)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def safe_json(document: bytes) -> bytes:
    r"""A JSON document that says the same, with the characters that are not visible as escapes: it can be shown as it is.

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
    """Whether a character has a picture, or is a space."""
    return (sign.isprintable() and not _PICTURELESS.match(sign)) or unicodedata.category(sign) == "Zs"


def _foreign(sign: str) -> bool:
    return bool(sign) and not sign.isascii() and _shown(sign)
