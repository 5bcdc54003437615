"""Placebo answers: grading answers that no model gave, to see what passing proves.

The test function grades useless answers, or the same answer to every case, with its own graders, options and comparisons.
Nothing is sent: test functions that ask a judge, or are ``async``, are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from types import CodeType, FunctionType
from typing import Any

from distilltest.errors import DistilltestError
from distilltest.evaluations.chance import COMPARED, commonest
from distilltest.evaluations.grading import BoundBody, GradingCall
from distilltest.evaluations.worth import worth
from distilltest.gate.table import Constant
from distilltest.records import Case, Completion, ToolCall, Usage

MOST_CASES = 20_000
"""With more cases, the constant answer is not graded."""
FIRST = 5
"""Cases that are graded with useless answers, to see whether any answer can fail."""
_OF_REFERENCES = frozenset((*COMPARED, "number", "json_match", "text_similarity"))
"""Graders that compare with a right answer. Others check the form, where one answer may well pass every case."""
_OURS = "python_grader"
"""Runs in a thread like your own graders, but is known to be pure."""
_AT_ONCE = 64
_DEPTH, _TEXTS = 4, 2_000
"""The depth of the search for strings in a test function's callees, and how many strings it collects."""


def constant_of(cases: Sequence[Case], body: BoundBody, names: Iterable[str], metric: str) -> Constant | None:
    """The answer that is right most often, and its grade for each case; None if that is unknown.

    Args:
        cases: With their references.
        body: The test function.
        names: The names of the grades of the models' answers.
        metric: ``pass`` or ``score``.
    """
    text = commonest(cases)
    if text is None or body.is_async or len(cases) > MOST_CASES:
        return None
    try:
        found = list(_worth(cases, body, Completion("", "", "", text, "stop"), (_OURS,)))
    except DistilltestError:
        return None  # it asks a judge, or raises on this answer
    passes = tuple(0.0 if each is None else each[1] if metric == "score" else float(each[0]) for each in found)
    everywhere = all(each is not None and each[0] for each in found)
    if everywhere and not _OF_REFERENCES & set(names):
        return None
    return Constant(text, passes)


def cannot_fail(cases: Sequence[Case], body: BoundBody) -> bool:
    """Whether the test function passes every answer, as far as useless answers can show.

    For tests that check that an answer does *not* contain something, one of them contains every string in the test function,
    and another every text of the case's row.
    """
    if body.is_async:
        return False
    try:
        for answer in _nothing(texts_in(body)):
            if not _all_pass(cases[:FIRST], body, answer):
                return False
        for case in cases[:FIRST]:
            if not _all_pass([case], body, _answer("\n".join(_texts(case.item)))):
                return False
    except Exception:  # it asks a judge, or raises: the answer makes a difference
        return False
    return True


def _all_pass(cases: Iterable[Case], body: BoundBody, answer: Completion) -> bool:
    return all(each is not None and each[0] for each in _worth(cases, body, answer, None))


def _texts(value: Any) -> Iterator[str]:
    """The texts in a row, and its numbers as they are written."""
    if isinstance(value, str | int | float):
        yield str(value)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _worth(
    cases: Iterable[Case], body: BoundBody, answer: Completion, threads: Sequence[str] | None
) -> Iterator[tuple[bool, float] | None]:
    """Pass and score of one answer for each case.

    Args:
        cases: In the order of the result.
        body: The test function.
        answer: The same answer for every case.
        threads: Graders that may run in a thread; None for any.

    Raises:
        DistilltestError: A grader asks a judge.
    """
    rest = iter(cases)
    while some := list(islice(rest, _AT_ONCE)):
        calls = [body.run(GradingCall(case, answer, "candidate")) for case in some]
        for call in calls:
            for grade in call.pending:
                if grade.asks or (threads is not None and grade.name not in threads):
                    raise DistilltestError(f"{grade.name} is not asked about an answer that no model gave")
        for call in calls:
            try:
                grades = body.finish(call)
            except DistilltestError:
                raise
            except Exception:  # a grader in a thread raised on this answer
                yield None
            else:
                yield worth(grades)


def _nothing(texts: Sequence[str]) -> Iterator[Completion]:
    """Useless answers."""
    yield _answer("", finish_reason="length")
    yield _answer("", refusal="I can't help with that.")
    yield _answer(
        "Lorem ipsum dolor sit amet, 17 consectetur\n" * 2_000, usage=Usage(10**9, 10**9), latency=1e9, attempts=1_000
    )
    yield _answer("\n".join(texts))
    yield _answer(
        "", finish_reason="tool_calls", tool_calls=(ToolCall("call-1", "no_such_tool", '{"no_such_argument": 1}'),)
    )


def _answer(text: str, **more: Any) -> Completion:
    return Completion(key="", server="", model="", text=text, **({"finish_reason": "stop"} | more))


def texts_in(body: BoundBody) -> list[str]:
    """The strings in a test function, in the functions that it calls, and in the globals that it names."""
    found = dict[str, None]()
    seen = set[int]()

    def search(value: Any, depth: int) -> None:
        if depth > _DEPTH or id(value) in seen or len(found) > _TEXTS:
            return
        seen.add(id(value))
        if isinstance(value, str):
            found[value] = None
        elif isinstance(value, re.Pattern):
            search(value.pattern, depth)
        elif isinstance(value, CodeType):
            for constant in value.co_consts:
                search(constant, depth)
        elif isinstance(value, FunctionType):
            search(value.__code__, depth)
            names = set(_names(value.__code__))
            for name, other in value.__globals__.items():
                if name in names:
                    search(other, depth + 1)
            for cell in value.__closure__ or ():
                search(cell.cell_contents, depth + 1)
        elif isinstance(value, Mapping):
            for pair in value.items():
                search(pair, depth + 1)
        elif isinstance(value, list | tuple | set | frozenset):
            for each in value:
                search(each, depth + 1)

    search(body.body, 0)
    for value in body.arguments.values():
        search(value, 1)
        search(getattr(value, "_function", None), 1)  # the function behind a grader of your own
    return list(found)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
