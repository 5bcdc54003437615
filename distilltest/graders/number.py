"""Is the number at the end of the answer correct?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any, NamedTuple

from distilltest.errors import SuiteError
from distilltest.graders.text import quote
from distilltest.records import Grade

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?!\d)|\d{1,300})(?:\.\d{1,300})?|\.\d{1,300}"
_NUMBER = re.compile(
    rf"(?<![\w.])(?P<sign>[-+\u2212\u2013]?\s?)(?P<money>[$€£¥]\s?)?(?P<digits>{_DIGITS})(?P<power>[eE][-+]?\d{{1,2}}(?!\w))?",
    re.ASCII,
)
_FRACTION = re.compile(r"\\d?frac\s*\{\s*(-?\d{1,300})\s*\}\s*\{\s*(-?\d{1,300})\s*\}")
_OVER = re.compile(r"(?<=\d)\s?/\s?(\d{1,300})(?![\w./])")
_ARTEFACTS = re.compile(r"\\[,!;: ]|\\text\s*\{([^}]*)\}|\\(?=[%$])|\*\*|\$(?!\s?\d)|\{,\}")
"""TeX and Markdown between a number and its unit or digits."""


class Read(NamedTuple):
    """A number in a text."""

    value: Fraction
    """The number times its unit."""
    text: str
    """The number as written."""


def number(
    answer: str,
    expected: Any,
    *,
    tolerance: float = 0.0,
    relative: float = 0.0,
    units: Mapping[str, float] = MappingProxyType({}),
) -> Grade:
    r"""Score 1 if the answer's number is the expected one, else 0.

    The answer's number is the one in its last ``\boxed{...}``, else the one after its last ``####``, else the last one. It may
    have thousands separators (1,234.5 or 1 234.5); 3/4 and ``\frac{3}{4}`` are fractions. Numbers are compared exactly: 0.1 is
    1/10. Text after a number is ignored unless you give units.

    Args:
        answer: The model's answer.
        expected: A number, or a text with one, read like an answer.
        tolerance: By how much the two may differ.
        relative: By which share of the expected number they may differ; the larger of the two allowances counts.
        units: The factor of each unit, ``{"km": 1000, "m": 1, "%": 0.01}``; a number without a unit stays as it is.

    Raises:
        SuiteError: The reference has no number, or an option is invalid.

    >>> number("So it is 1,250 m. \\boxed{1.25\\text{ km}}", 1250, units={"km": 1000, "m": 1}).reason
    '1.25 km is 1250'
    >>> number("She has 3 apples and eats 1, so 2 are left.", "#### 3").reason
    '2 is not 3'
    """
    if (
        isinstance(tolerance, bool)
        or isinstance(relative, bool)
        or not 0 <= tolerance < 1e300
        or not 0 <= relative < 1e300
    ):
        raise SuiteError(f"number: tolerance={tolerance!r}, relative={relative!r}: both must be numbers of at least 0.")
    if isinstance(expected, bool) or not isinstance(expected, int | float | str):
        raise SuiteError(f"number: the reference {quote(expected, 60)} is neither a number nor a text with one.")
    reference = read_number(str(expected), units)
    if reference is None:
        raise SuiteError(f"number: there is no number in the reference {quote(expected, 60)}.")
    found = read_number(answer, units)
    if found is None:
        return Grade("number", 0.0, False, f"there is no number in {quote(answer)}")
    allowed = max(Fraction(str(tolerance)), Fraction(str(relative)) * abs(reference.value))
    right = abs(found.value - reference.value) <= allowed
    near = f", within {float(allowed):g}" if right and found.value != reference.value else ""
    return Grade("number", float(right), right, f"{found.text} is {'' if right else 'not '}{reference.text}{near}")


def read_number(text: str, units: Mapping[str, float] = MappingProxyType({})) -> Read | None:
    """The number that a text gives as its result, None if it has no number."""
    found = None
    for part in _places(text):
        found = _last(part, units)
        if found is not None:
            break
    return found


def _places(text: str) -> list[str]:
    """The parts of a text to search, in order."""
    places = []
    start = text.rfind("\\boxed")
    if start >= 0 and (opened := text.find("{", start)) >= 0:
        depth = 0
        for end in range(opened, len(text)):
            depth += (text[end] == "{") - (text[end] == "}")
            if depth == 0:
                places.append(text[opened + 1 : end])
                break
    if "####" in text:
        places.append(text.rpartition("####")[2])
    return [*places, text]


def _last(text: str, units: Mapping[str, float]) -> Read | None:
    text = _FRACTION.sub(lambda match: f"{match[1]}/{match[2]}", text)
    text = _ARTEFACTS.sub(lambda match: match[1] or ("" if match[0] != r"\ " else " "), text)
    matches = list(_NUMBER.finditer(text))
    if matches:
        over = _OVER.match(text, matches[-1].end())
        match = matches[-1]
        # The last number may be the denominator of the one before.
        if (
            len(matches) > 1
            and (before := _OVER.match(text, matches[-2].end()))
            and before.start(1) == match.start("digits")
        ):
            match, over = matches[-2], before
        return _value(text, match, over, units)
    return None


def _value(text: str, match: re.Match[str], over: re.Match[str] | None, units: Mapping[str, float]) -> Read:
    digits = re.sub(r"[,\s]", "", match["digits"])
    negative = match["sign"].strip() in ("-", "\u2212", "\u2013") and not _is_range(text, match)
    value = Fraction(digits + (match["power"] or ""))
    end = match.end()
    shown = f"{'-' if negative else ''}{match['digits']}{match['power'] or ''}"
    if over is not None and int(over[1]):
        value, end, shown = value / int(over[1]), over.end(), f"{shown}/{over[1]}"
    unit = next((name for name in sorted(units, key=len, reverse=True) if _follows(text, end, name)), None)
    money = (match["money"] or "").strip()
    if unit is None and money in units:
        unit = money
    if unit is not None:
        value *= Fraction(str(units[unit]))
        shown = f"{shown} {unit}"
    return Read(-value if negative else value, shown)


def _is_range(text: str, match: re.Match[str]) -> bool:
    """Whether the sign is a dash between two numbers, as in 3-4."""
    before = text[: match.start()].rstrip()
    return bool(before) and before[-1].isdigit() and text[match.start() - 1 : match.start()].strip() != ""


def _follows(text: str, end: int, unit: str) -> bool:
    rest = text[end : end + len(unit) + 8].lstrip(" \u00a0\u202f")
    after = rest[len(unit) : len(unit) + 1]
    return rest.startswith(unit) and not (unit[-1:].isalpha() and after.isalpha())
