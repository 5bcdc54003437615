"""Read the examples of supervised and preference files; unreadable lines are skipped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distilltest.training_files.lines import read_lines
from distilltest.training_files.messages import last_user_text, spoken

REQUEST = "the request"
"""The place of the last user message."""


@dataclass(frozen=True, slots=True)
class ExampleTurn:
    """One message of an example."""

    place: str
    """Its place in the example, such as ``message 2 (system)`` or ``the answer``."""
    text: str
    asks: bool
    """Whether it is a user message."""


@dataclass(frozen=True, slots=True)
class Example:
    """One line of a training file: its request, its answers and all its messages."""

    line: int
    request: str
    """The last user message."""
    prompt: str
    """The text of all messages before the answer."""
    prompt_messages: int
    answers: tuple[str, ...]
    """The answer; in a preference example the preferred and the rejected one."""
    tags: tuple[str, ...] = ()
    turns: tuple[ExampleTurn, ...] = ()
    """All messages, including the answers."""


def read_examples(path: Path) -> Iterator[Example]:
    """Read all lines that are examples; the checks report the others.

    Raises:
        TrainingFileError: The file cannot be read.
    """
    for line in read_lines(path):
        if isinstance(line.content, dict):
            example = _example(line.number, line.content)
            if example is not None:
                yield example


def is_preference_file(path: Path) -> bool:
    """Whether the first readable line is a preference example.

    Raises:
        TrainingFileError: The file cannot be read.
    """
    for line in read_lines(path):
        if isinstance(line.content, dict):
            return "messages" not in line.content and bool(
                {"input", "preferred_output", "non_preferred_output"} & line.content.keys()
            )
    return False


def _example(number: int, content: Mapping[str, Any]) -> Example | None:
    before: Any
    outputs: list[Any]
    messages = content.get("messages")
    if isinstance(messages, list) and messages:
        outputs = [messages[-1:]]
        before = messages[:-1]
    else:
        given = content.get("input")
        before = given.get("messages") if isinstance(given, dict) else None
        outputs = [content.get("preferred_output"), content.get("non_preferred_output")]
    if not isinstance(before, list) or not all(isinstance(output, list) for output in outputs):
        return None
    answers = tuple(spoken(output) for output in outputs)
    request = last_user_text(before)
    return Example(
        number, request, spoken(before), len(before), answers, tags_of(content), (*_turns(before), *_answers(answers))
    )


def _turns(messages: list[Any]) -> Iterator[ExampleTurn]:
    last = max((n for n, m in enumerate(messages) if isinstance(m, dict) and m.get("role") == "user"), default=-1)
    for number, message in enumerate(messages):
        if isinstance(message, dict):
            role = str(message.get("role"))
            place = REQUEST if number == last else f"message {number + 1} ({role})"
            yield ExampleTurn(place, spoken([message]), role == "user")


def _answers(answers: tuple[str, ...]) -> Iterator[ExampleTurn]:
    places = ("the answer",) if len(answers) == 1 else ("the preferred answer", "the rejected answer")
    return (ExampleTurn(place, text, False) for place, text in zip(places, answers, strict=True))


def tags_of(content: Mapping[str, Any]) -> tuple[str, ...]:
    """The tags of a row: ``tags``, and ``tags`` and ``tag`` of its ``metadata``; each a list, or a text with commas.

    >>> tags_of({"tags": ["a"], "metadata": {"tag": "b, c"}})
    ('a', 'b', 'c')
    """
    metadata = content.get("metadata")
    places = [content.get("tags")]
    if isinstance(metadata, Mapping):
        places += [metadata.get("tags"), metadata.get("tag")]
    found: dict[str, None] = {}
    for place in places:
        words = place.split(",") if isinstance(place, str) else place if isinstance(place, list) else ()
        found |= {word.strip(): None for word in words if isinstance(word, str) and word.strip()}
    return tuple(found)
