"""Rank the answers to a request with a judge, which compares pairs in both orders; the best is preferred to the worst."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from distilltest.config import Judge
from distilltest.distillation.matches import CircleFound, find, most
from distilltest.errors import JudgeFailed
from distilltest.judges import Judgement, ask
from distilltest.judges.ask import Complete
from distilltest.judges.preference import Compared, compare
from distilltest.judges.questions import preference_question
from distilltest.records import Message
from distilltest.training_files.messages import last_user_text
from distilltest.training_files.preference_file import LONE, TIE, PreferencePair
from distilltest.training_files.whole_file import LeftOut

QUESTION = "Which answer is better?"
DISAGREE = "a tie: the judge's two orders disagree"
CIRCLE = "inconsistent: the judge's preferences go in a circle"


@dataclass(frozen=True, slots=True)
class Samples:
    """Several answers to one request."""

    asked: tuple[Message, ...]
    """The messages of the request, as the judge sees them."""
    texts: tuple[str, ...]
    messages: tuple[tuple[Message, ...], ...]
    """For each text, the messages for the student; answers can come from several system prompts."""

    @property
    def distinct(self) -> tuple[str, ...]:
        """The distinct answers, in order, without empty ones."""
        return tuple(dict.fromkeys(text for text in self.texts if text.strip()))

    def pairs(self, way: str) -> int:
        """The most pairs that the judge compares; see :mod:`distilltest.distillation.matches`."""
        return most(way, len(self.distinct))


@dataclass
class Ranking:
    """Ranks answers with a judge, and counts agreements and failures."""

    judge: Judge
    complete: Complete
    """Completes the judge's requests."""
    root: Path
    progress: Callable[[int], None]
    """Called after each pair with the number of pairs."""
    pairs: str = "all"
    """Which answers are compared: one of ``WAYS``."""
    done: int = 0
    agreed: int = 0
    """Pairs on which both orders agree."""
    failures: Counter[str] = field(default_factory=Counter)
    """Kind of failure → the number of pairs without a verdict."""
    sentences: dict[str, str] = field(default_factory=dict)
    """Kind of failure → the message of the first one."""

    async def preferences(self, samples: Sequence[Samples], left_out: LeftOut) -> list[PreferencePair]:
        """Find the clear preferences, in the order of the samples.

        Args:
            samples: The answers to each request.
            left_out: Counts requests without a clear preference.
        """
        found = await asyncio.gather(*map(self._rank, samples))
        for each in found:
            if isinstance(each, str):
                left_out.add(each)
        return [each for each in found if isinstance(each, PreferencePair)]

    async def _rank(self, samples: Samples) -> PreferencePair | str:
        """The preference, or why there is none."""
        texts = samples.distinct
        if len(texts) < 2:
            return LONE
        compared: list[Compared | str] = []

        async def match(one: int, other: int) -> int | None:
            result = await self._compare(samples, texts[one], texts[other])
            compared.append(result)
            winner = "tie" if isinstance(result, str) else result.winner
            return {"1": one, "2": other}.get(winner)

        try:
            found, circle = await find(self.pairs, len(texts), match), False
        except CircleFound:
            found, circle = None, True
        failure = next((result for result in compared if isinstance(result, str)), None)
        if failure is not None:
            return f"no verdict: {failure}"
        if circle:
            return CIRCLE
        if found is None:
            return TIE if all(isinstance(result, Compared) and result.agree for result in compared) else DISAGREE
        best, worst = found
        messages = samples.messages[samples.texts.index(texts[best])]
        return PreferencePair(messages, texts[best], texts[worst])

    async def _compare(self, samples: Samples, one: str, other: str) -> Compared | str:
        """The comparison of the judge, or the kind of its failure."""
        try:
            result = await compare(partial(self._ask, last_user_text(samples.asked)), one, other)
        except JudgeFailed as failure:
            self.failures[failure.kind] += 1
            self.sentences.setdefault(failure.kind, str(failure))
            return failure.kind
        else:
            self.agreed += result.agree
            return result
        finally:
            self.done += 1
            self.progress(self.done)

    async def _ask(self, request: str, first: str, second: str) -> Judgement:
        question = preference_question(QUESTION, request, first, second, root=self.root)
        return await ask(question, self.judge, self.complete)
