"""Asking a judge: all votes concurrently, and again if an answer is unusable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from distilltest.config import Judge
from distilltest.errors import JudgeFailed, SuiteError
from distilltest.judges.answer import Unusable, Vote, read
from distilltest.judges.question import Question
from distilltest.process.gathering import together
from distilltest.records import CallFailure, Completion, Grade, Message, Request

Complete = Callable[[Request], Awaitable[Completion | CallFailure]]
"""Gets a completion. The engine stores and counts completions, and sends each request once."""
Combine = Literal["majority", "mean"]
TIMES = 3
"""The most times that a judge is asked for a usable answer."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The combined verdict on one question."""

    verdict: str
    """The commonest label, or the mean."""
    score: float
    """In [0, 1]."""
    passed: bool
    votes: tuple[Vote, ...]

    @property
    def number(self) -> float:
        """The mean of the votes in the question's own span, for formulas."""
        return sum(vote.number for vote in self.votes) / len(self.votes)

    def grade(self, name: str) -> Grade:
        """The grade, with the verdict and the reasons of one vote for it."""
        reasons = next((v.reasons for v in self.votes if v.verdict == self.verdict), self.votes[0].reasons)
        counted = f" ({', '.join(v.verdict for v in self.votes)})" if len(self.votes) > 1 else ""
        text = " ".join(reasons.split())
        return Grade(
            name,
            self.score,
            self.passed,
            f"judge: {self.verdict}{counted}: {text}" if text else f"judge: {self.verdict}",
        )


async def ask(
    question: Question, judge: Judge, complete: Complete, *, votes: int = 1, combine: Combine = "majority"
) -> Judgement:
    """Ask a judge.

    Args:
        question: The question.
        judge: The judge.
        complete: Gets completions.
        votes: The number of verdicts, each from its own trial.
        combine: ``majority`` takes the commonest label (in a tie, the one with the lower score), ``mean`` the mean score.

    Raises:
        JudgeFailed: The judge gave no usable answer.
        SuiteError: ``votes`` is not a positive number, or ``combine`` is unknown.
    """
    if not isinstance(votes, int) or votes < 1 or combine not in ("majority", "mean"):
        raise SuiteError(
            f"{question.grader}: votes={votes!r}, combine={combine!r}: votes must be 1 or more, combine majority or mean."
        )
    given = tuple(await together([_vote(question, judge, complete, trial) for trial in range(votes)]))
    if question.scores and combine == "majority":
        counts = Counter(vote.verdict for vote in given)
        best = min(given, key=lambda vote: (-counts[vote.verdict], vote.score))
        return Judgement(best.verdict, best.score, best.verdict in question.passing, given)
    score = sum(vote.score for vote in given) / len(given)
    passed = (
        given[0].verdict in question.passing if question.scores and votes == 1 else score >= question.pass_threshold
    )
    return Judgement(given[0].verdict if votes == 1 else f"{score:.2f}", score, passed, given)


def first_request(question: Question, judge: Judge, trial: int = 0) -> Request:
    """The first request to a judge. Others follow only if its answer is unusable."""
    return _request(question, judge, question.messages(judge.structured), trial)


def _request(question: Question, judge: Judge, messages: tuple[Message, ...], trial: int) -> Request:
    model, parameters = judge.model, dict(judge.model.parameters)
    if judge.structured:
        parameters.setdefault("response_format", question.response_format())
    labels = {"judge": question.grader}
    return Request(model.server, model.base_url, model.model, messages, parameters, trial, metadata=labels)


async def _vote(question: Question, judge: Judge, complete: Complete, trial: int) -> Vote:
    messages = question.messages(judge.structured)
    why = ""
    for _ in range(TIMES):
        answer = await complete(_request(question, judge, messages, trial))
        if isinstance(answer, CallFailure):
            raise JudgeFailed(
                f"judge {judge.name!r} ({question.grader}): {answer.message}", kind=f"judge: {answer.kind}"
            )
        try:
            if answer.refusal:
                raise Unusable(f"it refused ({answer.refusal[:80]})")
            if answer.finish_reason == "length":  # 10 may be the beginning of 100
                raise Unusable("it was cut off: raise max_tokens")
            return read(answer.text, question, judge.structured)
        except Unusable as error:
            why = str(error)
            messages = (*messages, *_again(answer, why, question, judge))
    raise JudgeFailed(
        f"judge {judge.name!r} ({judge.model.model}) gave {question.grader} no usable answer in {TIMES} attempts: {why}.",
        kind="judge's answer unusable",
    )


def _again(answer: Completion, why: str, question: Question, judge: Judge) -> tuple[Message, Message]:
    return (
        {"role": "assistant", "content": answer.text or answer.refusal or ""},
        {
            "role": "user",
            "content": f"Your answer could not be used: {why}. Answer once more. {question.form(judge.structured)}",
        },
    )
