"""Estimate the cost of tuning, and when it pays for itself, from token counts and the project's price file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from distilltest.config import MILLION, Price, usd
from distilltest.training_files.examples import read_examples
from distilltest.training_files.tokens import Counter, counter

CALLS = 1000
"""Costs of calls are given for this number of calls."""
_LEAST_SEEN, _MOST_SEEN, _USUAL_EPOCHS, _MOST_EPOCHS = 100, 25_000, 3, 25


@dataclass(frozen=True, slots=True)
class FileTokens:
    """The tokens of a training file."""

    examples: int
    prompt: int
    """Tokens before the answers, in all examples."""
    answer: int
    """Tokens of the answers; of the preferred answers in preference files."""
    trained: int
    """Tokens that one epoch is billed for."""
    counted: str
    """How the tokens were counted."""


@dataclass(frozen=True, slots=True)
class BilledCall:
    """The billed tokens of an average call."""

    prompt: float
    answer: float
    cached: float = 0.0
    """The tokens of the prompt that come from the server's cache."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Estimated costs in USD; None if the price file lacks a price."""

    tokens: FileTokens
    epochs: int
    training: float | None
    per_1000: Mapping[str, float | None]
    """Role (base, teacher, tuned) → the cost of 1,000 calls."""
    break_even: int | None
    """Calls to the tuned model, not the teacher, that save the cost of the training; None if none do or a price is missing."""
    missing: tuple[str, ...]
    """Missing entries of the price file."""


def count_tokens(path: Path, tokens: Counter | None = None) -> FileTokens:
    """Count the tokens of a training file, line by line.

    Raises:
        TrainingFileError: The file cannot be read.
    """
    tokens = tokens or counter()
    examples = prompt = answer = trained = 0
    for example in read_examples(path):
        asked = tokens.messages(example.prompt, example.prompt_messages)
        counts = [tokens.messages(text, 1) for text in example.answers]
        examples += 1
        prompt += asked
        answer += counts[0]
        trained += sum(asked + each for each in counts)  # a preference example is read with either answer
    return FileTokens(examples, prompt, answer, trained, tokens.name)


def usual_epochs(examples: int) -> int:
    """The default number of epochs: three; more for small files, fewer for large ones.

    The rule of OpenAI's cookbook ("Data preparation and analysis for chat model fine-tuning"); the rule of the platform is
    not published.

    >>> usual_epochs(10), usual_epochs(500), usual_epochs(20_000)
    (10, 3, 1)
    """
    if not examples:
        return 0
    if examples * _USUAL_EPOCHS < _LEAST_SEEN:
        return min(_MOST_EPOCHS, _LEAST_SEEN // examples)
    if examples * _USUAL_EPOCHS > _MOST_SEEN:
        return max(1, _MOST_SEEN // examples)
    return _USUAL_EPOCHS


def tuned_price(prices: Mapping[str, Price], base: str) -> Price | None:
    """The price of fine-tuned models: the entry ``ft:BASE``, with the training price of BASE if it has none."""
    tuned = prices.get(base if base.startswith("ft:") else f"ft:{base}")
    untuned = prices.get(base)
    if tuned is None:
        return Price(training=untuned.training) if untuned and untuned.training is not None else None
    if tuned.training is None and untuned is not None:
        return Price(tuned.input, tuned.cached_input, tuned.output, untuned.training)
    return tuned


def call_cost(call: BilledCall, price: Price | None) -> float | None:
    """The cost of 1,000 calls in USD; None if a price is unknown. Cached tokens cost the full price unless they have their own.

    >>> call_cost(BilledCall(prompt=100, answer=10), Price(input=2.5, output=10.0))
    0.35
    """
    paid = usd(price, call.prompt * CALLS, call.answer * CALLS, call.cached * CALLS)
    return None if paid is None else round(paid, 12)


def estimate(
    tokens: FileTokens,
    prices: Mapping[str, Price],
    *,
    base: str,
    teacher: str,
    epochs: int | None = None,
    untuned_call: BilledCall | None = None,
) -> Costs:
    """Estimate the costs of tuning and of calls.

    Args:
        tokens: The tokens of the training file.
        prices: Model id → price; the entry for fine-tuned models is ``ft:BASE``.
        base: The model to tune.
        teacher: The model to replace.
        epochs: The number of epochs; the default if None.
        untuned_call: A call to base or teacher, if their prompt is longer than the tuned model's.
    """
    epochs = usual_epochs(tokens.examples) if epochs is None else epochs
    each = max(1, tokens.examples)
    tuned_call = BilledCall(tokens.prompt / each, tokens.answer / each)
    tuned = tuned_price(prices, base)
    known = {"base": prices.get(base), "teacher": prices.get(teacher), "tuned": tuned}
    names = {"base": base, "teacher": teacher, "tuned": base if base.startswith("ft:") else f"ft:{base}"}
    per_1000: dict[str, float | None] = {}
    missing = []
    for role, price in known.items():
        call = tuned_call if role == "tuned" else untuned_call or tuned_call
        per_1000[role] = call_cost(call, price) if tokens.examples else None
        lacking = [kind for kind in ("input", "output") if price is None or getattr(price, kind) is None]
        missing += [f"{names[role]}: {', '.join(lacking)}"] if lacking else []
    training = None
    if tuned is None or tuned.training is None:
        missing.append(f"{names['tuned']}: training")
    else:
        training = tokens.trained * epochs * tuned.training / MILLION
    saved = _saved(per_1000)
    break_even = None
    if training is not None and saved is not None and saved > 0:
        break_even = math.ceil(training / saved * CALLS)
    return Costs(tokens, epochs, training, per_1000, break_even, tuple(dict.fromkeys(missing)))


def _saved(per_1000: Mapping[str, float | None]) -> float | None:
    teacher, tuned = per_1000["teacher"], per_1000["tuned"]
    return None if teacher is None or tuned is None else teacher - tuned


def in_words(costs: Costs) -> list[str]:
    """The estimate as sentences. Missing prices are named, never guessed."""
    tokens = costs.tokens
    times = f"{costs.epochs} epoch{'' if costs.epochs == 1 else 's'}"
    count = f"{tokens.trained:,} an epoch in {tokens.examples:,} examples ({tokens.counted})"
    sentences = [f"tokens: {count}; {times}, if the platform goes by the usual rule."]
    if costs.training is not None:
        sentences.append(f"training: about {_usd(costs.training)}.")
    known = {role: cost for role, cost in costs.per_1000.items() if cost is not None}
    if known:
        sentences.append(f"1,000 calls: {', '.join(f'{role} {_usd(cost)}' for role, cost in known.items())}.")
    saved = _saved(costs.per_1000)
    if saved is not None and saved <= 0:
        sentences.append("The tuned model's calls cost no less than the teacher's: its training never pays for itself.")
    elif costs.break_even is not None:
        sentences.append(
            f"The training has paid for itself after {costs.break_even:,} calls of the tuned model instead of the teacher."
        )
    if costs.missing:
        sentences.append(f"The price file has no price for: {'; '.join(costs.missing)} (USD per million tokens).")
    return sentences


def _usd(amount: float) -> str:
    """An amount with two significant digits if it is small.

    >>> _usd(12.3456), _usd(0.001234), _usd(0)
    ('$12.35', '$0.0012', '$0.00')
    """
    if amount and amount < 0.1:
        return f"${amount:.{1 - math.floor(math.log10(amount))}f}"
    return f"${amount:,.2f}"
