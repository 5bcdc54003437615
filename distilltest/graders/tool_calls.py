"""Did the model call the expected tools with the expected arguments?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import orjson

from distilltest.errors import SuiteError
from distilltest.graders.json_difference import difference
from distilltest.graders.matching import in_any_order, in_order
from distilltest.graders.text import quote
from distilltest.records import Grade, ToolCall

Arguments = Literal["exact", "subset", "schema"]
Order = Literal["same", "any"]

_SHAPE = (
    "write a tool's name, or {'name': …, 'arguments': {…}} (without arguments, any match), "
    "or a call as the server returns it, {'function': {'name': …, 'arguments': '…'}}"
)


@dataclass(frozen=True, slots=True)
class _Expected:
    name: str
    arguments: Any
    """An object or a schema, None if any arguments will do."""

    def __str__(self) -> str:
        return self.name if self.arguments is None else f"{self.name} {quote(self.arguments)}"


def tool_calls(
    calls: Sequence[ToolCall],
    expected: Sequence[str | Mapping[str, Any]],
    *,
    arguments: Arguments = "exact",
    order: Order = "same",
    extra: bool = False,
) -> Grade:
    """Score the share of calls that are right; pass if all expected calls were made, and no others.

    The score is the number of expected calls that were made, divided by the number of expected calls or of actual calls,
    whichever is larger. If no call is expected, an answer without calls scores 1, and any other 0.

    Args:
        calls: The model's calls: ``completion.tool_calls``.
        expected: The right calls, each a tool's name (any arguments will do), ``{"name": …, "arguments": {…}}``, or a
            call as the server returns it, so that a stored answer can be the reference.
        arguments: ``exact``: the same JSON value (1 is 1.0, the order of keys does not matter); ``subset``: at least the
            expected keys, at any depth; ``schema``: the expected arguments are a JSON schema that must accept them.
        order: ``same`` as expected, or ``any``.
        extra: Allow other calls; only the expected calls then count for the score.

    Raises:
        SuiteError: An expected call has another shape, an option is unknown, or a schema is broken.

    >>> made = [ToolCall("1", "weather", '{"city": "Rome"}'), ToolCall("2", "clock", "{}")]
    >>> tool_calls(made, ["clock", {"name": "weather", "arguments": {"city": "Rome"}}], order="any").passed
    True
    >>> tool_calls(made, [{"name": "weather", "arguments": {"city": "Paris"}}]).reason
    "different: weather $.city: 'Rome' where 'Paris' was expected; extra: clock '{}'"
    """
    if arguments not in get_args(Arguments) or order not in get_args(Order):
        raise SuiteError(
            f"tool_calls: arguments={arguments!r} and order={order!r}: arguments is one of "
            f"{', '.join(get_args(Arguments))}, order one of {', '.join(get_args(Order))}."
        )
    if isinstance(expected, str | Mapping):
        raise SuiteError(f"tool_calls: expected is a list of calls, not {quote(expected)}: {_SHAPE}.")
    wanted = [_read(call, number) for number, call in enumerate(expected, start=1)]
    faults = [[_fault(call, want, arguments) for call in calls] for want in wanted]
    fits = [[fault is None for fault in row] for row in faults]
    pairs = in_order(fits) if order == "same" else in_any_order(fits)
    of = len(wanted) if extra else max(len(wanted), len(calls))
    if of == len(pairs):
        what = "no call was expected, and none was made" if not calls else f"{len(pairs)} expected calls were made"
        return Grade("tool_calls", 1.0, True, what)
    reason = _reason(calls, wanted, faults, pairs, order, extra)
    return Grade("tool_calls", len(pairs) / of, False, reason)


def _reason(
    calls: Sequence[ToolCall],
    wanted: Sequence[_Expected],
    faults: Sequence[Sequence[str | None]],
    pairs: Mapping[int, int],
    order: Order,
    extra: bool,
) -> str:
    """The calls that are out of order, different, missing or extra."""
    missing = [index for index in range(len(wanted)) if index not in pairs]
    surplus = [index for index in range(len(calls)) if index not in pairs.values()]
    displaced, different = [], []
    for want in missing.copy():
        moved = next((call for call in surplus if order == "same" and faults[want][call] is None), None)
        same_name = next((call for call in surplus if calls[call].name == wanted[want].name), None)
        if moved is not None:
            displaced.append(str(wanted[want]))
            surplus.remove(moved)
        elif same_name is not None:
            different.append(f"{wanted[want].name} {faults[want][same_name]}")
            surplus.remove(same_name)
        else:
            continue
        missing.remove(want)
    parts = {
        "out of order": displaced,
        "different": different,
        "missing": [str(wanted[index]) for index in missing],
        "extra": [] if extra else [f"{calls[index].name} {quote(calls[index].arguments)}" for index in surplus],
    }
    return "; ".join(f"{title}: {', '.join(found)}" for title, found in parts.items() if found)


def _fault(call: ToolCall, want: _Expected, how: Arguments) -> str | None:
    """Why this is not the expected call, None if it is."""
    if call.name != want.name:
        return f"is {call.name}"
    if want.arguments is None:
        return None
    text = call.arguments.strip() or "{}"  # some servers send an empty text for a call without arguments
    if how == "schema":
        from distilltest.graders.json_schema import json_schema

        grade = json_schema(text, want.arguments)
        return None if grade.passed else grade.reason
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return f"arguments are not JSON: {error.msg} (column {error.colno}): {quote(call.arguments)}"
    return difference(value, want.arguments, subset=how == "subset")


def _read(call: str | Mapping[str, Any], number: int) -> _Expected:
    if isinstance(call, str):
        return _Expected(call, None)
    inner = call.get("function", call) if isinstance(call, Mapping) else None
    if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str):
        raise SuiteError(f"tool_calls: expected call {number} is {quote(call)}: {_SHAPE}.")
    unknown = set(inner) - {"name", "arguments"} | (
        set(call) - {"function", "id", "type", "index"} if inner is not call else set()
    )
    if unknown:
        raise SuiteError(f"tool_calls: expected call {number} has {', '.join(sorted(unknown))}: {_SHAPE}.")
    arguments = inner.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = orjson.loads(arguments.strip() or "{}")
        except orjson.JSONDecodeError as error:
            raise SuiteError(
                f"tool_calls: the arguments of expected call {number} ({inner['name']}) are a text that is not JSON: {error.msg}."
            ) from None
    if arguments is not None and not isinstance(arguments, Mapping):
        raise SuiteError(
            f"tool_calls: the arguments of expected call {number} ({inner['name']}) are {quote(arguments)}, not an object."
        )
    return _Expected(inner["name"], arguments)
