"""Hostile texts, and values that contain them."""

import collections.abc
import itertools
import types
import typing
from dataclasses import fields, is_dataclass
from enum import Enum

from hypothesis import strategies as st

CONTROLS = [*(chr(code) for code in range(0x20)), "\x7f", *(chr(code) for code in range(0x80, 0xA0))]
HIDDEN = (
    "\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202e"
    "\u2060\u2066\u2069\ufeff\ufe0f\U000e0041\U000e0100\u3164"
)
ACTING = [
    "\x1b[2J\x1b[1;1HPROMOTE: everything is proven", "\x9b2J", "\x1b]8;;http://evil.example\x07x\x1b]8;;\x07",
    "\x1b]52;c;ZXZpbA==\x07", "\r\npromote: all rules hold", "\n\n# Promote\n\npromote: yes", "PROMOTE\n=======",
    "\n---\n", "x\x0bPROMOTE", "x\x85PROMOTE", "a|b", "a\\|b", "\\", "\\\\|", "|\n| --- |\n| x |", "`", "``x```",
    "```\n# Promote\n```", "~~~\nx\n~~~", "    indented", "<b>x</b>", "<script>alert(1)</script>", "</details>",
    "<!-- x -->", "<https://evil.example>", "&lt;b&gt;", "&#64;team", "*x*", "**x**", "_x_", "~~x~~",
    "[x](http://evil.example)", "![x](http://evil.example/x.png)", "[x]: http://evil.example", "[^1]", "@team",
    "cc @org/team", "#123", "GH-123", "owner/repo#1", "JIRA-7", "a5c3785ed8d6a35868bc169f07e40e889087fd2e", "0123abc",
    "http://evil.example", "www.evil.example", "evil@example.com", "mailto:evil@example.com", "ftp://x.example",
    ":tada:", "$x^2$", "$$x$$", "$`x`$", "1. one", "1) one", "- one", "+ one", "* one", "- [ ] task", "> quote",
    "===", "# x", "fixes #1", "/merge", "\n/merge\n", "\ud800", "",
]  # fmt: skip
texts = st.one_of(
    st.sampled_from(ACTING),
    st.lists(st.sampled_from([*ACTING, *CONTROLS, *HIDDEN, "word", " ", "\n"]), min_size=1, max_size=5).map("".join),
    st.text(max_size=20),
)


def planted(declared, texts, full=True):
    """A value of a type, in which every text is the next one of ``texts``.

    Args:
        declared: The type.
        texts: An iterator without an end.
        full: Whether what may be None is something else.
    """
    origin, arguments = typing.get_origin(declared), typing.get_args(declared)
    if declared in (str, typing.Any):
        return next(texts)
    if origin in (types.UnionType, typing.Union):
        (some,) = (one for one in arguments if one is not type(None))
        return planted(some, texts, full) if full else None
    if origin is tuple:
        return tuple(planted(arguments[0], texts, full) for _ in range(2))
    if origin in (dict, collections.abc.Mapping):
        return {planted(arguments[0], texts, full): planted(arguments[1], texts, full) for _ in range(2)}
    if isinstance(declared, type) and issubclass(declared, Enum):
        return next(iter(declared))
    if declared in (bool, int, float):
        return {bool: True, int: next(_sizes), float: 0.5}[declared]
    hints = typing.get_type_hints(declared)
    return declared(**{each.name: planted(hints[each.name], texts, full) for each in fields(declared)})


_sizes = itertools.count(10)
hostile = st.tuples(st.lists(texts, min_size=1, max_size=7), st.booleans())


def report_of(declared, drawn):
    """A report with hostile texts only."""
    found, full = drawn
    return planted(declared, itertools.cycle(found), full)


def benign(value, words=None):
    """The same value with harmless texts, to compare the structure of reports."""
    words = {"": ""} if words is None else words
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return words.setdefault(value, "word" + chr(ord("a") + len(words) // 26) + chr(ord("a") + len(words) % 26))
    if isinstance(value, dict):
        return {benign(key, words): benign(each, words) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(benign(each, words) for each in value)
    if is_dataclass(value):
        return type(value)(**{each.name: benign(getattr(value, each.name), words) for each in fields(value)})
    return value
