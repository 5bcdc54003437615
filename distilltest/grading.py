"""Calling a test function's body for one case and one completion, and collecting the grades that it records."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from distilltest.errors import DatasetError, SuiteError
from distilltest.records import Case, Completion, Grade

Body = Callable[..., Any]
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
"""What pytest puts into explanations on a terminal."""


@dataclass(frozen=True, slots=True)
class PerCall:
    """Stands for a fixture's value that only a call of the body has."""

    name: str

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # pytest and the interpreter ask for these
            raise AttributeError(name)
        raise SuiteError(
            f"The fixture {self.name!r} has a value only while the test function's body runs; "
            f"another fixture asked for its {name!r}. Move that code into the body."
        )


PER_CALL_CASE = PerCall("case")
PER_CALL_COMPLETION = PerCall("completion")


@dataclass(slots=True)
class Call:
    """One call of a body: what it is about, and the grades so far."""

    case: Case
    completion: Completion
    grades: list[Grade] = field(default_factory=list)
    failure: AssertionError | None = None
    """The assert of the body that did not hold."""

    def need(self, grader: str, reference: Any) -> Any:
        """A reference that a grader cannot do without.

        Raises:
            DatasetError: It is None.
        """
        if reference is None:
            raise DatasetError(
                f'{self.case.place}: case {self.case.id!r} has no reference, and {grader} needs one. Add "reference" to it.'
            )
        return reference


_current: ContextVar[Call] = ContextVar("distilltest_call")


def current() -> Call:
    """The call that is being graded.

    Raises:
        SuiteError: None is: a grader was called outside the body of an evaluation.
    """
    try:
        return _current.get()
    except LookupError:
        raise SuiteError(
            "A grader was called outside an evaluation. Put @evaluation(...) above the test function, "
            "or call the plain function in distilltest.graders."
        ) from None


def record(grade: Grade) -> Grade:
    """Add a grade to the current call: calling a grader is the whole statement."""
    current().grades.append(grade)
    return grade


@dataclass(frozen=True)
class BoundBody:
    """A body with the fixtures of its item, to be called once for each case and role."""

    body: Body
    name: str
    arguments: Mapping[str, Any]
    """Parameter → the fixture's value, or a ``PerCall``."""
    asserts: bool
    """Whether the body has an ``assert`` of its own, which then counts as a grade."""

    @classmethod
    def of(cls, body: Body, name: str, arguments: Mapping[str, Any]) -> BoundBody:
        """Bind a body to the values of its fixtures."""
        return cls(body, name, arguments, _has_assert(body))

    @property
    def is_async(self) -> bool:
        """Whether the body is an ``async def``."""
        return inspect.iscoroutinefunction(self.body)

    def grade(self, case: Case, completion: Completion, role: str) -> tuple[Grade, ...]:
        """Run a plain body.

        Raises:
            Exception: Whatever the body raised but an AssertionError: a bug in the suite, with a note that names the case.
        """
        __tracebackhide__ = True
        with self._call(case, completion, role) as call:
            self.body(**self._arguments(call))
        return self._finish(call, role)

    async def agrade(self, case: Case, completion: Completion, role: str) -> tuple[Grade, ...]:
        """Run an ``async def`` body; as :meth:`grade`."""
        __tracebackhide__ = True
        with self._call(case, completion, role) as call:
            outcome: Awaitable[Any] = self.body(**self._arguments(call))
            await outcome
        return self._finish(call, role)

    @contextmanager
    def _call(self, case: Case, completion: Completion, role: str) -> Iterator[Call]:
        """Collect what graders record; an assert that fails is a grade, any other error gets a note."""
        call = Call(case, completion)
        token = _current.set(call)
        try:
            yield call
        except AssertionError as error:
            call.failure = error
        except Exception as error:
            error.add_note(_where(case, role, completion))
            raise
        finally:
            _current.reset(token)

    def _arguments(self, call: Call) -> dict[str, Any]:
        values = {PER_CALL_CASE.name: call.case, PER_CALL_COMPLETION.name: call.completion}
        return {k: values[v.name] if isinstance(v, PerCall) else v for k, v in self.arguments.items()}

    def _finish(self, call: Call, role: str) -> tuple[Grade, ...]:
        if call.failure is not None:
            reason = " ".join(_COLOURS.sub("", str(call.failure)).split()) or "assertion failed"
            call.grades.append(Grade("assert", 0.0, False, reason))
        elif self.asserts:
            call.grades.append(Grade("assert", 1.0, True, "every assert held"))
        if not call.grades:
            raise SuiteError(
                f"{self.name} recorded no grade for case {call.case.id!r} on {role}. "
                "Call a grader (exact_match, string_check, ...) or write an assert in its body."
            )
        for grade in call.grades:
            if not 0.0 <= grade.score <= 1.0:
                raise SuiteError(
                    f"{self.name}: {grade.name} gave case {call.case.id!r} the score {grade.score!r}; a score is in [0, 1]."
                )
        return tuple(call.grades)


def _where(case: Case, role: str, completion: Completion) -> str:
    return f"while grading case {case.id!r} ({case.place}) on {role}, which answered {completion.text[:200]!r}"


def _has_assert(body: Body) -> bool:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(body)))
    except (OSError, SyntaxError, TypeError):
        return False
    return any(isinstance(node, ast.Assert) for node in ast.walk(tree))
