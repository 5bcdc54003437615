"""What a test function makes of answers that no model gave.

Answers that say nothing, or the same to every case, show what passing is worth, as a placebo shows what a medicine is worth.
The test function itself grades them: whichever graders it calls, with which options, or by comparisons of its own.
Nothing is sent: test functions that ask a judge, or are ``async``, are left alone.
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
"""With more of them, no answer is graded once more for each."""
FIRST = 5
"""Cases whose answers stand in, to see whether anything can fail."""
_OF_REFERENCES = frozenset((*COMPARED, "number", "json_match", "text_similarity"))
"""Graders of a right answer. Of others, that one answer passes everywhere may be meant: they look at its form."""
_OURS = "python_grader"
"""Works in a thread as graders of the team's own do, which may be slow, and is a pure function all the same."""
_AT_ONCE = 64
_DEPTH, _TEXTS = 4, 2_000
"""How far texts are looked for in what a test function calls, and how many are taken."""


def constant_of(cases: Sequence[Case], body: BoundBody, names: Iterable[str], metric: str) -> Constant | None:
    """The answer that is right most often, and what it would be worth to each case; None where that is not known.

    Args:
        cases: With their references.
        body: Grades.
        names: What the grades of the models' answers are called.
        metric: ``pass`` or ``score``.
    """
    text = commonest(cases)
    if text is None or body.is_async or len(cases) > MOST_CASES:
        return None
    try:
        found = list(_worth(cases, body, Completion("", "", "", text, "stop"), (_OURS,)))
    except DistilltestError:
        return None  # it asks a judge, or does what it does with no model's answer
    passes = tuple(0.0 if each is None else each[1] if metric == "score" else float(each[0]) for each in found)
    everywhere = all(each is not None and each[0] for each in found)
    if everywhere and not _OF_REFERENCES & set(names):
        return None
    return Constant(text, passes)


def cannot_fail(cases: Sequence[Case], body: BoundBody) -> bool:
    """Whether the test function passes whatever is said, as far as answers that stand in show it.

    Some things must *not* be said, so one of these answers says every text that the test function has in it, and another
    every text of the case's row.
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
    except Exception:  # a judge is asked, or the code breaks: something comes of an answer
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
    """What one answer is worth to each case.

    Args:
        cases: In the order of the result.
        body: Grades.
        answer: The same to all.
        threads: Graders that may work in a thread; None for any.

    Raises:
        DistilltestError: That needs somebody to be asked.
    """
    rest = iter(cases)
    while some := list(islice(rest, _AT_ONCE)):
        calls = [body.run(GradingCall(case, answer, "candidate")) for case in some]
        for call in calls:
            for grade in call.pending:
                if grade.asks or (threads is not None and grade.name not in threads):
                    raise DistilltestError(f"{grade.name} is not asked for an answer that no model gave")
        for call in calls:
            try:
                grades = body.finish(call)
            except DistilltestError:
                raise
            except Exception:  # of a grader in a thread, on this answer
                yield None
            else:
                yield worth(grades)


def _nothing(texts: Sequence[str]) -> Iterator[Completion]:
    """Answers that nobody wants."""
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
    """The texts in a test function, in functions that it calls, and in what it refers to by name."""
    found = dict[str, None]()
    seen = set[int]()

    def look(value: Any, depth: int) -> None:
        if depth > _DEPTH or id(value) in seen or len(found) > _TEXTS:
            return
        seen.add(id(value))
        if isinstance(value, str):
            found[value] = None
        elif isinstance(value, re.Pattern):
            look(value.pattern, depth)
        elif isinstance(value, CodeType):
            for constant in value.co_consts:
                look(constant, depth)
        elif isinstance(value, FunctionType):
            look(value.__code__, depth)
            names = set(_names(value.__code__))
            for name, other in value.__globals__.items():
                if name in names:
                    look(other, depth + 1)
            for cell in value.__closure__ or ():
                look(cell.cell_contents, depth + 1)
        elif isinstance(value, Mapping):
            for pair in value.items():
                look(pair, depth + 1)
        elif isinstance(value, list | tuple | set | frozenset):
            for each in value:
                look(each, depth + 1)

    look(body.body, 0)
    for value in body.arguments.values():
        look(value, 1)
        look(getattr(value, "_function", None), 1)  # of a grader of the team's own
    return list(found)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
