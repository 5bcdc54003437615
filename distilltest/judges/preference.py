"""Comparing two answers in both orders, so that a judge's preference for a position does not count."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from distilltest.judges.ask import Judgement

TIE = "tie"
_SWAPPED = {"1": "2", "2": "1"}


@dataclass(frozen=True, slots=True)
class Compared:
    """The verdicts in both orders."""

    first: str
    """``1``, ``2`` or ``tie``, with answer 1 shown first."""
    second: str
    """The verdict on the same answers, with answer 1 shown second."""
    reasons: str
    """The reasons in the first order."""

    @property
    def agree(self) -> bool:
        """Whether both orders gave the same verdict."""
        return self.first == self.second

    @property
    def winner(self) -> str:
        """The verdict if both orders agree, else ``tie``."""
        return self.first if self.agree else TIE


async def compare(ask: Callable[[str, str], Awaitable[Judgement]], one: str, other: str) -> Compared:
    """Ask which of two answers is better, in both orders concurrently.

    Args:
        ask: Asks the judge about two answers in this order; its verdict is ``1``, ``2`` or ``tie``.
        one: Answer ``1`` of the result.
        other: Answer ``2``.

    Raises:
        JudgeFailed: The judge gave no verdict.
    """
    forth, back = await asyncio.gather(ask(one, other), ask(other, one))
    reasons = " ".join(forth.votes[0].reasons.split())
    return Compared(forth.verdict, _SWAPPED.get(back.verdict, back.verdict), reasons)
