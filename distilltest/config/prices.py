"""What tokens cost: the one function that turns them into USD, and an estimate of tokens where a server does not say them."""

from __future__ import annotations

from collections.abc import Mapping

from distilltest.config.model import Price
from distilltest.records import CHARACTERS, Completion, Request

MILLION = 1_000_000
"""Prices are for so many tokens."""


def usd(price: Price | None, prompt: float, completion: float, cached: float = 0.0) -> float | None:
    """What calls cost.

    Args:
        price: Of their model.
        prompt: Prompt tokens, cached ones included.
        completion: Completion tokens.
        cached: Those of the prompt tokens that came from the server's cache; they cost what others do where the price has no
            ``cached_input``.

    Returns:
        USD; None where the price is not known.

    >>> usd(Price(input=2.5, cached_input=1.25, output=10.0), prompt=1_000_000, completion=100_000, cached=400_000)
    3.0
    """
    if price is None or price.input is None or price.output is None:
        return None
    cached_price = price.input if price.cached_input is None else price.cached_input
    cached = min(cached, prompt)
    return ((prompt - cached) * price.input + cached * cached_price + completion * price.output) / MILLION


def cost_of(prices: Mapping[str, Price], request: Request, completion: Completion) -> float:
    """What one completion takes from the budget.

    Where the server did not say the tokens, they are estimated from the bytes of request and answer, so that a server without
    ``usage`` is not free: four bytes are a token (``CHARACTERS``). Tools and schemas are counted; reasoning cannot be, as the
    answer does not contain it.

    Args:
        prices: By model id.
        request: What was asked.
        completion: What came.

    Returns:
        USD; 0 where the price is not known (a budget demands prices: ``Config.check_budget``).
    """
    usage = completion.usage
    prompt, answered, cached = usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens
    if not usage.known:
        said = [
            completion.text,
            completion.refusal or "",
            *(call.name + call.arguments for call in completion.tool_calls),
        ]
        prompt, answered, cached = _tokens(len(request.encoded)), _tokens(sum(len(each.encode()) for each in said)), 0
        if request.endpoint == "embeddings":  # a vector is not billed
            answered = 0
    return usd(prices.get(completion.model), prompt, answered, cached) or 0.0


def _tokens(size: int) -> int:
    return -(-size // CHARACTERS)
