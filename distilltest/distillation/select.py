"""Picking stored completions to learn from, with the messages that the student shall be asked with."""

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
    """A completion that shall become an example."""

    stored: StoredCompletion
    messages: tuple[Message, ...]
    """What the student is asked with."""
    cluster: str | None = None
    """The cluster of the case that was asked, where the case is known."""

    @property
    def request(self) -> str:
        """What goes by for telling examples apart: the last user message."""
        return last_user_text(self.messages)


def by_messages(prompt: Prompt | None, cases: Iterable[Case]) -> dict[str, Case]:
    """Fingerprint of the messages that were sent → the case: how a stored completion finds the case that it answers.

    Args:
        prompt: What the cases were asked with; None where their messages or texts were sent alone.
        cases: The cases.
    """
    sent = ((prompt.render(case) if prompt else messages_of(case), case) for case in cases)
    return {fingerprint(list(messages)): case for messages, case in sent if messages}


def pick(
    stored: Iterable[StoredCompletion], prompt: Prompt | None, cases: Mapping[str, Case]
) -> tuple[list[Picked], int]:
    """Give each completion its messages; of several answers to one request the first given is kept.

    Args:
        stored: The completions, the newest first.
        prompt: As in ``render``.
        cases: As in ``render``.

    Returns:
        The completions, and how many older answers were left out.

    Raises:
        PromptError: The prompt names a field that is not known.
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
    """A completion with the messages that the student shall be asked with.

    Args:
        stored: The completion.
        prompt: The short prompt that replaces what was asked; None keeps that as it was.
        cases: From ``by_messages``. A completion whose case is not among them is rendered with one field, ``request``: the
            last user message that was sent.

    Raises:
        PromptError: The prompt names a field that is not known.
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
