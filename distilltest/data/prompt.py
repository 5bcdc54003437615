"""Prompts: chat messages with placeholders, such as ``{{ item.question }}``, for the fields of a case."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from distilltest.data import absent, read_yaml
from distilltest.errors import PromptError, brief
from distilltest.records import Case, Message, fingerprint

_FIELD = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_PATH = re.compile(r"item((?:\.\w+|\[[0-9]{1,9}\])+)\Z")
_STEP = re.compile(r"\.(\w+)|\[([0-9]+)\]")
_ROLES = ("system", "developer", "user", "assistant")


@dataclass(frozen=True)
class Prompt:
    """A list of chat messages with placeholders."""

    name: str
    """The path as the user wrote it; errors begin with it."""
    messages: tuple[Message, ...]
    """As in the file, with the placeholders."""
    fingerprint: str
    """The fingerprint of the messages."""

    def render(self, case: Case) -> tuple[Message, ...]:
        """Fill in the fields of a case: texts as they are, other values as JSON.

        Raises:
            PromptError: The prompt uses a field that the case does not have.
        """
        return tuple({**message, "content": self._filled(message["content"], case)} for message in self.messages)

    def _filled(self, content: str, case: Case) -> str:
        head, tail = _last_field(content)
        return _FIELD.sub(lambda match: self._value(match[1].strip(), case), head) + tail

    def _value(self, expression: str, case: Case) -> str:
        path = _PATH.match(expression)
        assert path is not None, "load_prompt has checked every field"
        value: Any = case.item
        for key, index in _STEP.findall(path[1]):
            try:
                value = value[key] if key else value[int(index)]
            except (KeyError, IndexError, TypeError):
                fields = brief(", ".join(case.item))
                raise PromptError(
                    f"{self.name}: {{{{ {expression:.60} }}}} names nothing in case {case.id!r:.80} ({case.place}). "
                    f"Its fields are {fields}."
                ) from None
        return value if isinstance(value, str) else orjson.dumps(value).decode()


def load_prompt(path: Path, name: str | None = None) -> Prompt:
    """Read a prompt file: YAML with ``messages:``, each with ``role`` and ``content``.

    Raises:
        PromptError: The file does not exist or is broken, or a placeholder is not of the form ``{{ item.name }}``.
    """
    name = name or str(path)
    if absent(path):
        raise PromptError(
            f"{name}: there is no such prompt file ({path}). "
            "Paths are relative to the folder of distilltest.yaml (pytest's rootdir without one)."
        )
    tree = read_yaml(path, name, PromptError)
    messages = tree.value.get("messages") if isinstance(tree.value, Mapping) else None
    if not isinstance(messages, list) or not messages:
        raise PromptError(f'{tree.place("messages")}: a prompt file has "messages:", a list with role and content.')
    for number, message in enumerate(messages):
        _check(message, f"{tree.place('messages', number)}: message {number + 1}")
    return Prompt(name=name, messages=tuple(messages), fingerprint=fingerprint(messages))


def _check(message: Any, subject: str) -> None:
    if not isinstance(message, Mapping) or not isinstance(message.get("content"), str):
        raise PromptError(f'{subject} needs "role" and "content", both texts.')
    if message.get("role") not in _ROLES:
        raise PromptError(f"{subject} has the role {message.get('role')!r:.60}; the roles are {', '.join(_ROLES)}.")
    for expression in map(str.strip, _FIELD.findall(_last_field(message["content"])[0])):
        if not _PATH.match(expression):
            raise PromptError(
                f"{subject}: {{{{ {expression:.60} }}}} is not a field. "
                "Write {{ item.name }}, where name is a field of the case."
            )


def _last_field(content: str) -> tuple[str, str]:
    """Split a text after the last ``}}``; without the split, many ``{{`` without an end take quadratic time to search."""
    end = content.rfind("}}") + 2
    return (content[:end], content[end:]) if end > 1 else ("", content)
