"""Comparing two answers in both orders: a judge that goes by the place of an answer says nothing about it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from distilltest.judges.ask import Judgement

TIE = "tie"
_SWAPPED = {"1": "2", "2": "1"}


@dataclass(frozen=True, slots=True)
class Compared:
    """What both orders said."""

    first: str
    """``1``, ``2`` or ``tie``, where the one answer was shown first."""
    second: str
    """The same of the same answers, where it was shown second."""
    reasons: str
    """Of the first order."""

    @property
    def agree(self) -> bool:
        """Whether the order made no difference."""
        return self.first == self.second

    @property
    def winner(self) -> str:
        """``1`` or ``2`` where both orders say so, else ``tie``."""
        return self.first if self.agree else TIE


async def compare(ask: Callable[[str, str], Awaitable[Judgement]], one: str, other: str) -> Compared:
    """Ask which of two answers is better, in both orders at once.

    Args:
        ask: Asks the judge about two answers in this order; its verdict is ``1``, ``2`` or ``tie``.
        one: An answer, ``1`` in what comes back.
        other: Another one, ``2``.

    Raises:
        JudgeFailed: The judge gave no verdict.
    """
    forth, back = await asyncio.gather(ask(one, other), ask(other, one))
    reasons = " ".join(forth.votes[0].reasons.split())
    return Compared(forth.verdict, _SWAPPED.get(back.verdict, back.verdict), reasons)
