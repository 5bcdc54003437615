"""Estimate the cost of comparing answers with a judge, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from distilltest.config import Config, Judge, usd
from distilltest.distillation.ranking import QUESTION, Samples
from distilltest.judges.ask import first_request
from distilltest.judges.questions import preference_question
from distilltest.records import CHARACTERS, Request, mean
from distilltest.store import CompletionFilter, Store
from distilltest.training_files.messages import last_user_text

_SAMPLE = 200
"""The most stored answers of the judge that are used to estimate the length of an answer."""


@dataclass(frozen=True, slots=True)
class JudgingCost:
    """The estimated cost of comparing answers."""

    pairs: int
    """The most pairs to compare."""
    known: int
    """Questions whose answer is in the store; 0 unless every pair of answers is compared."""
    prompt_tokens: float
    """The tokens of the questions to send, estimated from the length of their texts."""
    answer_tokens: float | None
    """The average tokens of the judge's earlier answers; None if there are none."""
    usd: float | None
    """None if the judge has no price; without earlier answers, the cost of the prompts alone."""

    @property
    def questions(self) -> int:
        """The most questions; each pair is compared in both orders."""
        return 2 * self.pairs


def judging_cost(samples: Sequence[Samples], way: str, judge: Judge, config: Config, store: Store) -> JudgingCost:
    """Estimate the cost of comparing answers.

    Args:
        samples: The answers to compare.
        way: Which answers are compared: one of ``matches.WAYS``.
        judge: The judge.
        config: The configuration, with the prices.
        store: The store, with earlier answers of the judge.
    """
    pairs, known, tokens = 0, 0, 0.0
    for each in samples:
        most = each.pairs(way)
        pairs += most
        requests = list(_questions(each, judge, config.root))
        if requests:
            tokens += 2 * most * mean([len(request.encoded) for request in requests]) / CHARACTERS
        if way == "all":
            known += len(store.known_keys([request.key for request in requests]))
    share = 1 - known / (2 * pairs) if pairs else 0.0
    lengths = []
    for number, stored in enumerate(store.each_completion(CompletionFilter(model=judge.model.model))):
        if number == _SAMPLE:
            break
        if stored.completion.usage.known:
            lengths.append(stored.completion.usage.completion_tokens)
    answer = mean(lengths) if lengths else None
    to_send = 2 * pairs - known
    price = config.prices.get(judge.model.model)
    return JudgingCost(pairs, known, tokens * share, answer, usd(price, tokens * share, to_send * (answer or 0.0)))


def _questions(samples: Samples, judge: Judge, root: Path) -> Iterator[Request]:
    """The questions for every pair of answers, in both orders."""
    request = last_user_text(samples.asked)
    for one, other in combinations(samples.distinct, 2):
        for first, second in ((one, other), (other, one)):
            yield first_request(preference_question(QUESTION, request, first, second, root=root), judge)
