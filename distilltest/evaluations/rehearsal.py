"""Calling a test function once before anything is sent, to check the agreement that it requires of its judges."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from distilltest.completions.engine import Engine
from distilltest.errors import DistilltestError
from distilltest.evaluations.grading import BoundBody, GradingCall, JudgeOptions
from distilltest.evaluations.judge_context import EvaluationJudgeContext
from distilltest.evaluations.plan import Plan
from distilltest.records import Case, Completion

if TYPE_CHECKING:
    from distilltest.judges import Judgement, Question


class _RehearsalContext:
    """A :class:`distilltest.evaluations.grading.JudgeContext` that checks judges, but sends nothing and makes up answers."""

    def __init__(self, context: EvaluationJudgeContext) -> None:
        self.root: Path = context.root
        self.problems: list[DistilltestError] = []
        self._context = context

    async def judge(self, question: Question, options: JudgeOptions) -> Judgement:
        """Check the judge, and return a made-up verdict."""
        from distilltest.judges import Judgement
        from distilltest.judges.answer import Vote

        try:
            self._context.demand(question, options)
        except DistilltestError as error:
            self.problems.append(error)
        verdict = next(iter(question.scores or ()), "1")
        return Judgement(verdict, 1.0, True, (Vote(verdict, 1.0, "", 1.0),))

    async def embed(self, text: str) -> list[float]:
        """A made-up vector."""
        return [1.0]

    async def peer(self, case: Case, role: str, trial: int) -> Completion | None:
        """A made-up answer."""
        return _answer(f"what {role} says")

    def request_text(self, case: Case) -> str:
        """The last user message of the case."""
        return self._context.request_text(case)

    def orders(self, agree: bool) -> None:
        """Do nothing."""


def rehearse(plan: Plan, body: BoundBody, context: EvaluationJudgeContext, engine: Engine) -> None:
    """Call the body with the first case and a made-up answer.

    Requirements that depend on the case or the answer are checked when they occur.

    Raises:
        DistilltestError: A judge's measured agreement with people is below what the body requires.
    """
    stage, case = _RehearsalContext(context), plan.cases[0]
    call = GradingCall(case, _answer(str(case.reference or "an answer")), "candidate", 0, stage)
    with suppress(Exception):  # grades of a made-up answer do not matter
        if body.is_async:
            engine.run(body.arun(call))
        else:
            engine.run(body.settle(body.run(call)))
    if stage.problems:
        raise stage.problems[0]


def _answer(text: str) -> Completion:
    return Completion(key="", server="", model="", text=text, finish_reason="stop")
