"""Prompts: chat messages with ``{{ item.x }}`` where a case's fields go."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from distilltest.errors import PromptError, at
from distilltest.records import Case, Message, fingerprint

_FIELD = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_PATH = re.compile(r"item((?:\.\w+|\[\d+\])+)\Z")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_ROLES = ("system", "developer", "user", "assistant")


@dataclass(frozen=True)
class Prompt:
    """A list of chat messages with fields to fill in."""

    name: str
    """The path as the user wrote it."""
    messages: tuple[Message, ...]
    """As in the file, with their ``{{ item.x }}``."""
    fingerprint: str
    """Of the messages: another wording, another fingerprint."""

    def render(self, case: Case) -> tuple[Message, ...]:
        """Fill in the case's fields. A text goes in as it is, any other value as JSON.

        Raises:
            PromptError: A field that the case does not have.
        """
        return tuple(
            {**message, "content": _FIELD.sub(lambda match: self._value(match[1], case), message["content"])}
            for message in self.messages
        )

    def _value(self, expression: str, case: Case) -> str:
        path = _PATH.match(expression)
        assert path is not None, "load_prompt has checked every field"
        value: Any = case.item
        for key, index in _STEP.findall(path[1]):
            try:
                value = value[key] if key else value[int(index)]
            except (KeyError, IndexError, TypeError):
                fields = ", ".join(map(str, case.item))
                raise PromptError(
                    f"{self.name}: {{{{ {expression} }}}} names nothing in case {case.id!r} ({case.place}). "
                    f"Its fields are {fields}."
                ) from None
        return value if isinstance(value, str) else orjson.dumps(value).decode()


def load_prompt(path: Path, name: str | None = None) -> Prompt:
    """Read a prompt file: YAML with ``messages:``, each with ``role`` and ``content``.

    Raises:
        PromptError: There is no such file, it is broken, or a field is not of the form ``{{ item.name }}``.
    """
    import yaml

    name = name or str(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PromptError(
            f"{name}: there is no such prompt file ({path}). "
            "Paths are relative to the folder of distilltest.yaml (pytest's rootdir without one)."
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise PromptError(
            f"{at(name, mark.line + 1 if mark else None)}: not YAML: {getattr(error, 'problem', error)}."
        ) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise PromptError(f"{at(name, line)}: not UTF-8 ({error.reason}). Save the file as UTF-8.") from None
    except OSError as error:
        raise PromptError(f"{name}: cannot be read: {error}.") from None
    messages = content.get("messages") if isinstance(content, Mapping) else None
    if not isinstance(messages, list) or not messages:
        raise PromptError(f'{name}: a prompt file has "messages:", a list with role and content.')
    for number, message in enumerate(messages, start=1):
        _check(message, f"{name}: message {number}")
    return Prompt(name=name, messages=tuple(messages), fingerprint=fingerprint(messages))


def _check(message: Any, subject: str) -> None:
    if not isinstance(message, Mapping) or not isinstance(message.get("content"), str):
        raise PromptError(f'{subject} needs "role" and "content", both texts.')
    if message.get("role") not in _ROLES:
        raise PromptError(f"{subject} has the role {message.get('role')!r}; the roles are {', '.join(_ROLES)}.")
    for expression in _FIELD.findall(message["content"]):
        if not _PATH.match(expression):
            raise PromptError(
                f"{subject}: {{{{ {expression} }}}} is no field. Write {{{{ item.name }}}}, where name is a field of the case."
            )
