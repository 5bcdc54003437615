"""The options of a chat request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from distilltest.server.errors import ApiError, invalid

_UNSUPPORTED = {
    "tools": "The trainer's models answer with text, not with calls.",
    "functions": "The trainer's models answer with text, not with calls.",
    "logprobs": "The trainer does not return log-probabilities.",
    "logit_bias": "The trainer does not bias tokens.",
    "frequency_penalty": "The trainer has no penalties.",
    "presence_penalty": "The trainer has no penalties.",
}


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """How to generate the answers."""

    temperature: float
    """0 picks the likeliest token each time."""
    top_p: float
    most: int | None
    """The maximum number of tokens in an answer; None if the request sets none."""
    seed: int | None
    stop: tuple[str, ...]
    count: int


def read_chat_options(body: dict[str, Any], count: int) -> ChatOptions:
    """Read the options from a request's body.

    Raises:
        ApiError: A value is invalid, or the trainer does not support a parameter.
    """
    for name, why in _UNSUPPORTED.items():
        if body.get(name):
            raise _unsupported(name, f"{name} is not supported. {why}")
    shape = body.get("response_format") or {"type": "text"}
    if not isinstance(shape, dict) or shape.get("type") != "text":
        raise _unsupported(
            "response_format", "response_format is not supported: the trainer does not constrain answers."
        )
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
        raise invalid("max_completion_tokens is a whole number above 0", "max_completion_tokens")
    seed = body.get("seed")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63):
        raise invalid("seed is a whole number from 0 to 2^63 - 1", "seed")
    return ChatOptions(
        temperature=_number(body, "temperature", 0.0, 2.0),
        top_p=_number(body, "top_p", 0.0, 1.0),
        most=most,
        seed=seed,
        stop=_stop(body.get("stop")),
        count=count,
    )


def _unsupported(name: str, message: str) -> ApiError:
    return invalid(f"{message} Serve the tuned model with vLLM for that.", name, "unsupported_value")


def _number(body: dict[str, Any], name: str, least: float, most: float) -> float:
    value = body.get(name)
    if value is None:
        return 1.0
    if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
        raise invalid(f"{name} is a number from {least:g} to {most:g}", name)
    return float(value)


def _stop(given: Any) -> tuple[str, ...]:
    several = [given] if isinstance(given, str) else given or []
    if not isinstance(several, list) or len(several) > 4 or not all(isinstance(s, str) and s for s in several):
        raise invalid("stop is a text or a list of up to four texts", "stop")
    return tuple(several)
