"""Reads the examples of a training file and trains the student on them, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from distilltest.demo_models.preferences import BETA, EPOCHS, RATE, LearnedPair, Settings
from distilltest.demo_models.student import Student
from distilltest.server.chat import content_text
from distilltest.server.errors import invalid

LEAST_EXAMPLES = 10
PARTS = 5
"""The number of steps of a supervised job."""
MEASURED = 50
"""The number of examples on which a step is measured, at most."""
CHECKPOINTS = 3


class TrainingFileInvalid(Exception):
    """A training file is invalid; the message names the line."""


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """The student after a step."""

    number: int
    total: int
    student: Student
    metrics: dict[str, Any]
    kept: bool
    """Whether the step becomes a checkpoint."""


def hyperparameters(method: str, given: Any) -> dict[str, Any]:
    """A job's hyperparameters, with "auto" for those not given.

    Raises:
        ApiError: 400 for an unknown name or an invalid value.
    """
    values = {"n_epochs": "auto", "batch_size": "auto", "learning_rate_multiplier": "auto"}
    if method == "dpo":
        values["beta"] = "auto"
    if given is None:
        return values
    if not isinstance(given, Mapping):
        raise invalid("hyperparameters must be an object", "hyperparameters")
    for name, value in given.items():
        if name not in values:
            raise invalid(f"Unknown hyperparameter for {method}: {name}", f"hyperparameters.{name}")
        if value == "auto":
            continue
        whole = name in ("n_epochs", "batch_size")
        number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        most = 50 if name == "n_epochs" else 2 if name == "beta" else 1_000_000
        if not number or not 0 < value <= most:
            what = f"a whole number from 1 to {most:,}" if whole else f"a number above 0 and up to {most:,}"
            raise invalid(f'{name} is {value!r}; it must be "auto" or {what}', f"hyperparameters.{name}")
    return values | dict(given)


def read_examples(data: bytes, method: str, *, held_out: bool = False) -> list[tuple[str, ...]]:
    """Read (request, answer) from a supervised file, or (request, preferred, non-preferred) from a preference file.

    Args:
        data: The file's content.
        method: ``supervised`` or ``dpo``.
        held_out: Whether this is the validation file, which may be short.

    Raises:
        TrainingFileInvalid: A line is not an example, or there are too few examples.
    """
    lines = [line for line in data.split(b"\n") if line.strip()]
    least = 1 if held_out else LEAST_EXAMPLES
    if len(lines) < least:
        name = "Validation" if held_out else "Training"
        raise TrainingFileInvalid(f"{name} file has {len(lines)} example(s), but must have at least {least}")
    return [_example(line, number, method) for number, line in enumerate(lines, start=1)]


def teach(
    student: Student,
    method: str,
    examples: Sequence[tuple[str, ...]],
    held_out: Sequence[tuple[str, ...]],
    given: Mapping[str, Any],
) -> Iterator[TrainingStep]:
    """Train step by step; the last step has the tuned student."""
    return _prefer(student, examples, held_out, given) if method == "dpo" else _learn(student, examples, held_out)


def _learn(
    student: Student, examples: Sequence[tuple[str, ...]], held_out: Sequence[tuple[str, ...]]
) -> Iterator[TrainingStep]:
    """Each step learns from more examples. Epochs, batches and rates have no effect: the regression is solved in closed form."""
    pairs = [(request, answer) for request, answer, *_ in examples]
    ends = sorted({max(1, len(pairs) * part // PARTS) for part in range(1, PARTS + 1)})
    for place, end in enumerate(ends, start=1):
        taught = student.taught(pairs[:end])
        metrics = {"train_loss": taught.edit_loss(_some(examples)), **_accuracies(taught, examples, held_out)}
        if held_out:
            metrics["valid_loss"] = taught.edit_loss(_some(held_out))
        yield _step(end, len(pairs), taught, metrics, _kept(place, len(ends)))


def _prefer(
    student: Student,
    examples: Sequence[tuple[str, ...]],
    held_out: Sequence[tuple[str, ...]],
    given: Mapping[str, Any],
) -> Iterator[TrainingStep]:
    def setting(name: str, auto: Any) -> Any:
        return auto if given.get(name, "auto") == "auto" else given[name]

    settings = Settings(
        beta=setting("beta", BETA),
        epochs=setting("n_epochs", EPOCHS),
        rate=RATE * setting("learning_rate_multiplier", 1.0),
        batch=setting("batch_size", None),
    )
    pairs, others = ([LearnedPair(e[0], e[1], e[2]) for e in some] for some in (examples, held_out))
    for epoch, (taught, loss, valid) in enumerate(student.preferring(pairs, settings, others), start=1):
        metrics = {"train_loss": loss, **_accuracies(taught, examples, held_out)}
        if valid is not None:
            metrics["valid_loss"] = valid
        yield _step(epoch, settings.epochs, taught, metrics, _kept(epoch, settings.epochs))


def _kept(place: int, total: int) -> bool:
    return place in {max(1, total * part // CHECKPOINTS) for part in range(1, CHECKPOINTS + 1)}


def _step(number: int, total: int, student: Student, metrics: Mapping[str, float], kept: bool) -> TrainingStep:
    rounded = {name: round(value, 4) for name, value in metrics.items()}
    return TrainingStep(number, total, student, {"step": number, "total_steps": total, **rounded}, kept)


def _accuracies(
    student: Student, examples: Sequence[tuple[str, ...]], held_out: Sequence[tuple[str, ...]]
) -> dict[str, float]:
    """The share of right tokens of the (preferred) answers."""
    found = {"train_mean_token_accuracy": student.token_accuracy(_some(examples))}
    if held_out:
        found["valid_mean_token_accuracy"] = student.token_accuracy(_some(held_out))
    return found


def _some(examples: Sequence[tuple[str, ...]]) -> list[tuple[str, str]]:
    """Examples from the whole file, evenly spread."""
    return [(e[0], e[1]) for e in examples[:: -(-len(examples) // MEASURED)]]


def _example(line: bytes, number: int, method: str) -> tuple[str, ...]:
    try:
        content = orjson.loads(line)
        if method == "dpo":
            wanted, unwanted = (content[k][-1]["content"] for k in ("preferred_output", "non_preferred_output"))
            return _last_user(content["input"]["messages"]), str(wanted), str(unwanted)
        messages = content["messages"]
        if messages[-1]["role"] != "assistant":
            raise TrainingFileInvalid(f"Line {number}: the last message must be from the assistant")
        return _last_user(messages), content_text(messages[-1]["content"])
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError) as error:
        shape = "input, preferred_output and non_preferred_output" if method == "dpo" else "messages"
        raise TrainingFileInvalid(
            f"Line {number} is not an object with {shape} ({type(error).__name__}: {error})"
        ) from None


def _last_user(messages: list[dict[str, Any]]) -> str:
    return next((content_text(m["content"]) for m in reversed(messages) if m["role"] == "user"), "")
