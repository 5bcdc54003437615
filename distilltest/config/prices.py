"""Costs: from tokens to USD, with estimated tokens for servers that send no usage."""

from __future__ import annotations

from collections.abc import Mapping

from distilltest.config.model import Price
from distilltest.records import CHARACTERS, Completion, Request

MILLION = 1_000_000
"""The number of tokens that a price is for."""


def usd(price: Price | None, prompt: float, completion: float, cached: float = 0.0) -> float | None:
    """The cost of calls.

    Args:
        price: The model's.
        prompt: Prompt tokens, cached ones included.
        completion: Completion tokens.
        cached: Prompt tokens from the server's cache; without a ``cached_input`` price they cost as much as others.

    Returns:
        USD; None if the price is unknown.

    >>> usd(Price(input=2.5, cached_input=1.25, output=10.0), prompt=1_000_000, completion=100_000, cached=400_000)
    3.0
    """
    if price is None or price.input is None or price.output is None:
        return None
    cached_price = price.input if price.cached_input is None else price.cached_input
    cached = min(cached, prompt)
    return ((prompt - cached) * price.input + cached * cached_price + completion * price.output) / MILLION


def cost_of(prices: Mapping[str, Price], request: Request, completion: Completion) -> float:
    """The cost of one completion, for the budget.

    If the server sent no usage, tokens are estimated from the bytes of request and answer, four bytes per token
    (``CHARACTERS``). Tools and schemas count; reasoning does not, because the answer does not contain it.

    Args:
        prices: By model id.
        request: The request.
        completion: Its completion.

    Returns:
        USD; 0 if the price is unknown (a budget requires prices: ``Config.check_budget``).
    """
    usage = completion.usage
    prompt, answered, cached = usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens
    if not usage.known:
        texts = [
            completion.text,
            completion.refusal or "",
            *(call.name + call.arguments for call in completion.tool_calls),
        ]
        prompt, answered, cached = _tokens(len(request.encoded)), _tokens(sum(len(each.encode()) for each in texts)), 0
        if request.endpoint == "embeddings":  # a vector is not billed
            answered = 0
    return usd(prices.get(completion.model), prompt, answered, cached) or 0.0


def _tokens(size: int) -> int:
    return -(-size // CHARACTERS)
