"""Calling a test function once before anything is sent, to see whether the judges that it asks are those that it demands."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from distilltest.completions.engine import Engine
from distilltest.errors import DistilltestError
from distilltest.evaluations.grading import BoundBody, GradingCall, JudgeOptions
from distilltest.evaluations.judge_context import JudgeBench
from distilltest.evaluations.plan import Plan
from distilltest.records import Case, Completion

if TYPE_CHECKING:
    from distilltest.judges import Judgement, Question


class _Stage:
    """A :class:`distilltest.evaluations.grading.JudgeContext` without a model: it looks up judges and answers itself."""

    def __init__(self, bench: JudgeBench) -> None:
        self.root: Path = bench.root
        self.problems: list[DistilltestError] = []
        self._bench = bench

    async def judge(self, question: Question, options: JudgeOptions) -> Judgement:
        """Check what is demanded of the judge; some verdict."""
        from distilltest.judges import Judgement
        from distilltest.judges.answer import Vote

        try:
            self._bench.demand(question, options)
        except DistilltestError as error:
            self.problems.append(error)
        verdict = next(iter(question.scores or ()), "1")
        return Judgement(verdict, 1.0, True, (Vote(verdict, 1.0, "", 1.0),))

    async def embed(self, text: str) -> list[float]:
        """Some vector."""
        return [1.0]

    async def peer(self, case: Case, role: str, trial: int) -> Completion | None:
        """Some answer."""
        return _answer(f"what {role} says")

    def request_text(self, case: Case) -> str:
        """The last user message of the case."""
        return self._bench.request_text(case)

    def orders(self, agree: bool) -> None:
        """Nothing is counted."""


def rehearse(plan: Plan, body: BoundBody, bench: JudgeBench, engine: Engine) -> None:
    """Call the body, which demands agreement of a judge, with the first case and an answer that stands in.

    A demand that depends on the case or on the answer is looked at when it comes up.

    Raises:
        DistilltestError: A judge is not known to agree with people as much as is demanded.
    """
    stage, case = _Stage(bench), plan.cases[0]
    call = GradingCall(case, _answer(str(case.reference or "an answer")), "candidate", 0, stage)
    with suppress(Exception):  # what the body makes of this answer does not matter
        if body.is_async:
            engine.run(body.arun(call))
        else:
            engine.run(body.settle(body.run(call)))
    if stage.problems:
        raise stage.problems[0]


def _answer(text: str) -> Completion:
    return Completion(key="", server="", model="", text=text, finish_reason="stop")
