"""Pick stored completions as examples, with the messages for the student."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from distilltest.data.prompt import Prompt
from distilltest.errors import PromptError
from distilltest.records import Case, Message, fingerprint
from distilltest.store import StoredCompletion
from distilltest.training_files.inputs import messages_of
from distilltest.training_files.messages import last_user_text


@dataclass(frozen=True, slots=True)
class Picked:
    """A completion that was picked as an example."""

    stored: StoredCompletion
    messages: tuple[Message, ...]
    """The messages for the student."""
    cluster: str | None = None
    """The cluster of the case; None if the case is unknown or has none."""

    @property
    def request(self) -> str:
        """The last user message."""
        return last_user_text(self.messages)


def by_messages(prompt: Prompt | None, cases: Iterable[Case]) -> dict[str, Case]:
    """Map the fingerprint of the messages that were sent to the case, to find the case of a stored completion.

    Args:
        prompt: The prompt that was sent; None if the messages or texts of the cases were sent alone.
        cases: The cases.
    """
    sent = ((prompt.render(case) if prompt else messages_of(case), case) for case in cases)
    return {fingerprint(list(messages)): case for messages, case in sent if messages}


def pick(
    stored: Iterable[StoredCompletion], prompt: Prompt | None, cases: Mapping[str, Case]
) -> tuple[list[Picked], int]:
    """Render each completion; of several answers to one request, only the newest is kept.

    Args:
        stored: The completions, the newest first.
        prompt: As in ``render``.
        cases: As in ``render``.

    Returns:
        The completions, and the number of older answers that were left out.

    Raises:
        PromptError: The prompt uses an unknown field.
    """
    picked: list[Picked] = []
    seen: set[str] = set()
    older = 0
    for item in stored:
        if not item.messages:
            continue  # an embedding
        mark = fingerprint(list(item.messages))
        if mark in seen:
            older += 1
            continue
        seen.add(mark)
        picked.append(render(item, prompt, cases))
    return picked, older


def render(stored: StoredCompletion, prompt: Prompt | None, cases: Mapping[str, Case]) -> Picked:
    """Combine a completion with the messages for the student.

    Args:
        stored: The completion.
        prompt: The student's prompt; None keeps the messages that were sent.
        cases: The result of ``by_messages``. If the case of the completion is not among them, the prompt has one field,
            ``request``, with the last user message that was sent.

    Raises:
        PromptError: The prompt uses an unknown field.
    """
    case = cases.get(fingerprint(list(stored.messages)))
    messages = stored.messages if prompt is None else _render(prompt, case, stored.messages, stored.completion.key)
    return Picked(stored, messages, case.cluster if case else None)


def _render(prompt: Prompt, case: Case | None, asked: tuple[Message, ...], key: str) -> tuple[Message, ...]:
    if case is not None:
        return prompt.render(case)
    unknown = Case(id=key[:12], item={"request": last_user_text(asked)}, place="a stored completion")
    try:
        return prompt.render(unknown)
    except PromptError as error:
        raise PromptError(
            f"{error} The case that it answers is not known: name the dataset with --cases and the prompt that the model was "
            "asked with with --asked-with."
        ) from None
