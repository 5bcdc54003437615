"""How much of a JSON answer is correct, field by field?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from distilltest.errors import SuiteError
from distilltest.graders.matching import in_any_order
from distilltest.graders.scored import scored
from distilltest.graders.text import normalise, quote
from distilltest.records import Grade

_SHOWN = 3
"""Wrong fields that a reason names."""


class FieldMatch(NamedTuple):
    """The comparison of one field."""

    fault: str | None
    """The place and the mistake, None if the field is right."""


@dataclass(frozen=True, slots=True)
class _Options:
    ignore: tuple[str, ...]
    tolerance: Mapping[str, float]
    any_order: tuple[str, ...]
    subset: bool
    ignore_case: bool
    ignore_space: bool


def json_match(
    answer: str,
    expected: Any,
    *,
    ignore: Sequence[str] = (),
    tolerance: float | Mapping[str, float] = 0.0,
    any_order: bool | Sequence[str] = False,
    subset: bool = False,
    ignore_case: bool = False,
    ignore_space: bool = False,
    code_fence: bool = False,
    pass_threshold: float = 1.0,
) -> Grade:
    """Score the share of fields that are right; by default all must be right to pass.

    A field is a value that is not an object or array, or is an empty one. Each field of the reference counts, and each extra
    field of the answer. Numbers are equal as numbers (1 and 1.0), true is not 1, and the order of keys does not matter.

    A place is a key's name at any depth (``"id"``), or a path (``"$.items[*].id"``, where ``[*]`` is any index).

    Args:
        answer: The model's answer.
        expected: The reference: an object or array, or its JSON text.
        ignore: Places to leave out.
        tolerance: By how much a number may differ: one value for all, or values by place.
        any_order: True if the order of arrays does not matter, or the places of such arrays.
        subset: Allow extra keys in the answer's objects.
        ignore_case: For texts; see :func:`distilltest.graders.text.normalise`.
        ignore_space: For texts.
        code_fence: If the answer is one Markdown code fence, take its content.
        pass_threshold: The least score that passes.

    Raises:
        SuiteError: The reference is not JSON, ``ignore`` leaves nothing to compare, or an option is invalid.

    >>> json_match('{"city": "Rome", "days": 3}', {"city": "Rome", "days": 4}).reason
    '1 of 2 fields are right; $.days: 3 where 4 was expected'
    >>> json_match('{"city": "Rome", "days": 3}', {"city": "Rome", "days": 4}, tolerance={"days": 1}).score
    1.0
    """
    if isinstance(expected, str):
        try:
            expected = orjson.loads(expected)
        except orjson.JSONDecodeError as error:
            raise SuiteError(f"json_match: the reference {quote(expected, 60)} is not JSON: {error.msg}.") from None
    options = _options(ignore, tolerance, any_order, subset, ignore_case, ignore_space)
    try:
        value = orjson.loads(normalise(answer, code_fence=code_fence))
    except orjson.JSONDecodeError as error:
        why = f"not JSON: {error.msg} (column {error.colno}): {quote(answer)}"
        return scored("json_match", 0.0, pass_threshold, why)
    faults = [found.fault for found in _compare(value, expected, "$", options)]
    wrong = [fault for fault in faults if fault is not None]
    right = len(faults) - len(wrong)
    if not faults and not any(_compare(expected, expected, "$", options)):
        raise SuiteError(
            f"json_match: nothing is compared: ignore={list(ignore)} names every field of the reference {quote(expected, 60)}."
        )
    score = right / len(faults) if faults else 1.0
    reason = f"{right} of {len(faults)} fields are right"
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        reason = f"{reason}; {'; '.join(wrong[:_SHOWN])}{more}"
    return scored("json_match", score, pass_threshold, reason)


def _options(
    ignore: Sequence[str],
    tolerance: float | Mapping[str, float],
    any_order: bool | Sequence[str],
    subset: bool,
    ignore_case: bool,
    ignore_space: bool,
) -> _Options:
    allowed = {"*": tolerance} if isinstance(tolerance, int | float) else dict(tolerance)
    arrays = (("*",) if any_order else ()) if isinstance(any_order, bool) else any_order
    for name, places in (("ignore", ignore), ("any_order", arrays)):
        if isinstance(places, str) or not all(isinstance(place, str) for place in places):
            raise SuiteError(f'json_match: {name}={places!r}: give a list of names or paths, ["id", "$.items[*].id"].')
    wrong = [value for value in allowed.values() if isinstance(value, bool) or not value >= 0]
    if wrong:
        raise SuiteError(f"json_match: the tolerance {wrong[0]!r} is not a number of at least 0.")
    return _Options(tuple(ignore), allowed, tuple(arrays), subset, ignore_case, ignore_space)


def _compare(actual: Any, expected: Any, path: str, options: _Options) -> Iterator[FieldMatch]:
    """Compare each field of the reference, and report each extra field."""
    if _at(path, options.ignore):
        return
    if isinstance(actual, Mapping) and isinstance(expected, Mapping) and (actual or expected):
        for key, wanted in expected.items():
            place = f"{path}.{key}"
            if key in actual:
                yield from _compare(actual[key], wanted, place, options)
            else:
                yield from _wrong(wanted, place, "missing", options)
        for key in actual.keys() - expected.keys() if not options.subset else ():
            yield from _wrong(actual[key], f"{path}.{key}", "not expected", options)
    elif isinstance(actual, list) and isinstance(expected, list) and (actual or expected):
        pairs = _pairs(actual, expected, path, options)
        for index, wanted in enumerate(expected):
            place = f"{path}[{index}]"
            if index in pairs:
                yield from _compare(actual[pairs[index]], wanted, place, options)
            else:
                yield from _wrong(wanted, place, "missing", options)
        for index in sorted(set(range(len(actual))).difference(pairs.values())):
            yield from _wrong(actual[index], f"{path}[{index}]", "not expected", options)
    elif isinstance(expected, Mapping | list) and expected:
        yield from _wrong(expected, path, f"{quote(actual, 40)} in its place", options)
    else:
        same = _same(actual, expected, path, options)
        yield FieldMatch(None if same else f"{path}: {quote(actual, 40)} where {quote(expected, 40)} was expected")


def _pairs(actual: list[Any], expected: list[Any], path: str, options: _Options) -> dict[int, int]:
    """Pair elements by index; in any order, pair as many equal ones as possible, then the rest."""
    if not _at(path, options.any_order):
        return {index: index for index in range(min(len(actual), len(expected)))}
    fits = [
        [all(found.fault is None for found in _compare(one, wanted, f"{path}[0]", options)) for one in actual]
        for wanted in expected
    ]
    pairs = in_any_order(fits)
    rest = [index for index in range(len(actual)) if index not in pairs.values()]
    missing = [index for index in range(len(expected)) if index not in pairs]
    return pairs | dict(zip(missing, rest, strict=False))


def _wrong(value: Any, path: str, why: str, options: _Options) -> Iterator[FieldMatch]:
    """Report every field of a value as wrong."""
    if _at(path, options.ignore):
        return
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _wrong(inner, f"{path}.{key}", why, options)
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _wrong(inner, f"{path}[{index}]", why, options)
    else:
        yield FieldMatch(f"{path}: {quote(value, 40)} {why}" if "place" not in why else f"{path}: {why}")


def _same(actual: Any, expected: Any, path: str, options: _Options) -> bool:
    if isinstance(actual, bool) or isinstance(expected, bool):
        return actual is expected
    if isinstance(actual, int | float) and isinstance(expected, int | float):
        allowed = max((value for place, value in options.tolerance.items() if _at(path, (place,))), default=0.0)
        return actual == expected or abs(actual - expected) <= allowed
    if isinstance(actual, str) and isinstance(expected, str):
        folded = (
            normalise(text, ignore_case=options.ignore_case, ignore_space=options.ignore_space)
            for text in (actual, expected)
        )
        return next(folded) == next(folded)
    same: bool = type(actual) is type(expected) and actual == expected
    return same


def _at(path: str, places: Sequence[str]) -> bool:
    """Whether a path is one of the places."""
    return any(_matches(place, path) for place in places)


@lru_cache(maxsize=65_536)
def _matches(place: str, path: str) -> bool:
    if place == "*":
        return True
    if place.startswith("$"):
        return _INDEX.sub("[*]", path) == _INDEX.sub("[*]", place)
    return _INDEX.sub("", path).endswith(f".{place}")


_INDEX = re.compile(r"\[(?:\d+|\*)\]")
