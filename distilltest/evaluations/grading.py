"""Calling a test function for one case and one completion, and collecting its grades."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import textwrap
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from distilltest.errors import AnswerError, DatasetError, DistilltestError, SuiteError
from distilltest.evaluations.exceptions import failed_by, named
from distilltest.graders.scored import checked
from distilltest.process.gathering import together
from distilltest.records import Case, Completion, Grade
from distilltest.untrusted.secrets import mask

if TYPE_CHECKING:
    from distilltest.judges import Judgement, Question

Body = Callable[..., Any]
ASSERT = "assert"
"""The name of the grade for asserts. Graders cannot use it."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
"""Colours in pytest's explanations."""


@dataclass(frozen=True, slots=True)
class PerCall:
    """A placeholder for the value of a fixture that exists only while the body runs."""

    name: str

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # pytest and the interpreter look these up
            raise AttributeError(name)
        raise SuiteError(
            f"The fixture {self.name!r} has a value only while the test function's body runs; "
            f"another fixture asked for its {name!r}. Move that code into the body."
        )


PER_CALL_CASE = PerCall("case")
PER_CALL_COMPLETION = PerCall("completion")


class JudgeContext(Protocol):
    """What judged graders need of their evaluation."""

    root: Path
    """The folder of relative paths."""

    async def judge(self, question: Question, options: JudgeOptions) -> Judgement:
        """Ask a judge."""

    async def embed(self, text: str) -> list[float]:
        """The embedding of a text."""

    async def peer(self, case: Case, role: str, trial: int) -> Completion | None:
        """Another role's answer to the same case and trial; None if no model has the role yet."""

    def request_text(self, case: Case) -> str:
        """The last user message of the case, as the candidate was asked."""

    def orders(self, agree: bool) -> None:
        """Count whether a preference was the same in both orders."""


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """How the suite asks a judge."""

    judge: str | None = None
    """Its name in distilltest.yaml; None for the default."""
    votes: int = 1
    combine: Literal["majority", "mean"] = "majority"
    requires_agreement: float | None = None
    """The least agreement with people (AC1), as measured by ``distilltest judge calibrate``."""
    model: str | None = None
    """The model of an imported grader, on the server of the judge, unless a judge has that name or model."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Request parameters of an imported grader. They take precedence over the judge's own."""


class PendingGrade:
    """A grade that waits for a judge. ``await`` it in an async body; in a plain body it arrives after the body."""

    asks = True
    """Whether it sends a request; False if it is computed in this process."""

    def __init__(self, name: str, work: Callable[[], Awaitable[Grade]]) -> None:
        self.name = name
        self._work = work
        self._grade: asyncio.Future[Grade] | None = None

    def __await__(self) -> Generator[Any, None, Grade]:
        return self.settled().__await__()

    async def settled(self) -> Grade:
        """The grade. Only the first task that waits for it sends a request."""
        if self._grade is not None:
            return await self._grade
        self._grade = asyncio.get_running_loop().create_future()
        try:
            grade = await self._attempt()
        except BaseException as error:
            self._grade.set_exception(error)
            self._grade.exception()  # mark it as retrieved: it is raised here even if no other task waits
            raise
        self._grade.set_result(grade)
        return grade

    async def _attempt(self) -> Grade:
        """The grade. An exception of the grader on this answer becomes a failed grade."""
        try:
            return await self._work()
        except AnswerError as error:
            return Grade(error.grader, 0.0, False, str(error))
        except DistilltestError:
            raise
        except Exception as error:
            return failed_by(error, self.name)

    def given(self) -> Grade:
        """The grade, which must be settled."""
        assert self._grade is not None
        return self._grade.result()

    def __getattr__(self, name: str) -> Any:
        if name in ("passed", "score", "reason"):
            raise SuiteError(
                f"{self.name}: its {name!r} is not known yet; in a plain test function, judges are asked after the body. "
                f"To use it, write `async def` and `grade = await {self.name}(...)`."
            )
        raise AttributeError(name)


@dataclass(slots=True)
class GradingCall:
    """One call of a body, with its grades so far."""

    case: Case
    completion: Completion
    role: str = ""
    trial: int = 0
    context: JudgeContext | None = None
    grades: list[Grade | PendingGrade] = field(default_factory=list)
    failure: AssertionError | None = None
    """The failed assert of the body."""
    compared: bool = False
    """Whether the body only compares the candidate's answers with this role's, so that this answer needs no grade."""
    ended: bool = False
    """Whether the body ended early, on an answer that it could not read, so that later asserts did not run."""

    @property
    def pending(self) -> list[PendingGrade]:
        """The grades that wait for judges."""
        return [grade for grade in self.grades if isinstance(grade, PendingGrade)]

    def need(self, grader: str, reference: Any) -> Any:
        """The reference, which the grader requires.

        Raises:
            DatasetError: The case has none.
        """
        if reference is None:
            raise DatasetError(
                f'{self.case.place}: case {self.case.id!r} has no reference, and {grader} needs one. Add "reference" to it.'
            )
        return reference


_current: ContextVar[GradingCall] = ContextVar("distilltest_call")


def current() -> GradingCall:
    """The call that is being graded.

    Raises:
        SuiteError: A grader was called outside the body of an evaluation.
    """
    try:
        return _current.get()
    except LookupError:
        raise SuiteError(
            "A grader was called outside an evaluation. Put @evaluation(...) above the test function, "
            "or call the plain function in distilltest.graders."
        ) from None


def record(grade: Grade) -> Grade:
    """Add a grade to the current call."""
    current().grades.append(grade)
    return grade


def record_later(name: str, work: Callable[[JudgeContext], Awaitable[Grade]]) -> PendingGrade:
    """Add a grade to the current call that ``work`` determines later."""
    call = current()
    context = call.context
    if context is None:
        raise SuiteError(
            f"{name} asks a model, which only an evaluation can. Put @evaluation(...) above the test function."
        )
    pending = PendingGrade(name, lambda: work(context))
    call.grades.append(pending)
    return pending


@dataclass(frozen=True)
class BoundBody:
    """A test function with the fixtures of its item, called once per case, role and trial."""

    body: Body
    name: str
    arguments: Mapping[str, Any]
    """Parameter → the fixture's value, or a ``PerCall``."""
    asserts: bool
    """Whether the body has an ``assert``, which counts as a grade."""
    is_async: bool
    """Whether the body is an ``async def``."""

    @classmethod
    def of(cls, body: Body, name: str, arguments: Mapping[str, Any]) -> BoundBody:
        """Bind a body to the values of its fixtures."""
        return cls(body, name, arguments, _has_assert(body), inspect.iscoroutinefunction(body))

    def run(self, call: GradingCall) -> GradingCall:
        """Run a plain body. :meth:`settle` asks the judges afterwards.

        An exception of the body becomes a failed grade. Whether it is an error in the suite shows only once all answers are
        graded (:class:`distilltest.evaluations.health.Health`).

        Raises:
            SuiteError: The body fails for any answer: wrong operands, or a missing module or name.
        """
        __tracebackhide__ = True
        with self._running(call):
            self.body(**self._arguments(call))
        return call

    async def arun(self, call: GradingCall) -> tuple[Grade, ...]:
        """Like :meth:`run` and :meth:`settle`, for an ``async def`` body."""
        __tracebackhide__ = True
        with self._running(call):
            outcome: Awaitable[Any] = self.body(**self._arguments(call))
            await outcome
        return await self.settle(call)

    async def settle(self, call: GradingCall) -> tuple[Grade, ...]:
        """Ask all judges of a call concurrently.

        Raises:
            GraderFailed: A judge gave no verdict.
        """
        try:
            await together([pending.settled() for pending in call.pending])
        except SuiteError as error:
            raise named(error, call.case, call.role, call.completion) from None
        return self.finish(call)

    def grade(self, case: Case, completion: Completion, role: str) -> tuple[Grade, ...]:
        """Run a plain body that asks no judge, and check its grades."""
        __tracebackhide__ = True
        return self.finish(self.run(GradingCall(case, completion, role)))

    @contextmanager
    def _running(self, call: GradingCall) -> Iterator[None]:
        """Collect the grades. A failed assert becomes a grade, and so does an exception on this answer."""
        token = _current.set(call)
        try:
            yield
        except AssertionError as error:
            call.failure = error
        except AnswerError as error:
            call.grades.append(Grade(error.grader, 0.0, False, str(error)))
            call.ended = True
        except SuiteError as error:
            raise named(error, call.case, call.role, call.completion) from None
        except DistilltestError:
            raise
        except Exception as error:
            try:
                call.grades.append(failed_by(error, "exception"))
            except SuiteError as mistake:
                raise named(mistake, call.case, call.role, call.completion) from None
            call.ended = True
        finally:
            _current.reset(token)

    def _arguments(self, call: GradingCall) -> dict[str, Any]:
        values = {PER_CALL_CASE.name: call.case, PER_CALL_COMPLETION.name: call.completion}
        return {k: values[v.name] if isinstance(v, PerCall) else v for k, v in self.arguments.items()}

    def finish(self, call: GradingCall) -> tuple[Grade, ...]:
        """The grades of a call, in the order of the body.

        Raises:
            SuiteError: There are none, or one is invalid (:func:`distilltest.graders.scored.checked`).
        """
        grades = [grade.given() if isinstance(grade, PendingGrade) else grade for grade in call.grades]
        if call.failure is not None:
            reason = " ".join(_COLOURS.sub("", str(call.failure)).split()) or "assertion failed"
            grades.append(Grade(ASSERT, 0.0, False, reason))
        elif self.asserts and not call.ended:
            grades.append(Grade(ASSERT, 1.0, True, "every assert held"))
        if not grades and not call.compared:
            raise SuiteError(
                f"{self.name} recorded no grade for case {call.case.id!r} on {call.role}. "
                "Call a grader (exact_match, string_check, ...) or write an assert in its body."
            )
        try:
            return tuple(_masked(checked(grade)) for grade in grades)
        except SuiteError as error:
            raise named(error, call.case, call.role, call.completion) from None


def _masked(grade: Grade) -> Grade:
    reason = mask(grade.reason)
    return grade if reason is grade.reason else replace(grade, reason=reason)


def _has_assert(body: Body) -> bool:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(body)))
    except (OSError, SyntaxError, TypeError):
        return False
    return any(isinstance(node, ast.Assert) for node in ast.walk(tree))
