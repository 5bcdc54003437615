"""A question to a judge: a prompt, its values, and the allowed verdicts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from distilltest.data.prompt import Prompt, load_prompt
from distilltest.errors import SuiteError
from distilltest.records import Case, Message

_FORMAT_FIELD = "{{ item.format }}"
_OURS = "distilltest:judges/prompts/"
"""The prefix of the names of built-in prompts."""
IMPORTED = "openai_grader:"
"""The prefix of the names of prompts in imported platform graders. They are part of the suite's code."""


@dataclass(frozen=True)
class Question:
    """A question to a judge."""

    grader: str
    """The grader that asks: ``criteria_match``, ``factuality``, ..."""
    prompt: Prompt
    values: Mapping[str, Any]
    """The values of ``{{ item.x }}`` in the prompt. Texts of models are fenced."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Label → score in [0, 1]; empty if the verdict is a number."""
    passing: frozenset[str] = frozenset()
    """Labels that pass."""
    span: tuple[float, float] = (0.0, 1.0)
    """Without labels: the range of the number, which is scaled to a score in [0, 1]."""
    weights: tuple[float, ...] = ()
    """The weights of a rubric's criteria, each of which gets Y or N; empty for other questions."""
    pass_threshold: float = 0.5
    """The least score that passes, without labels or with averaged votes."""

    def messages(self, structured: bool) -> tuple[Message, ...]:
        """The messages to send."""
        return self._rendered(self.form(structured))

    @cached_property
    def code(self) -> str:
        """The code on the line of the verdict. Judged text cannot contain it, because it is a hash of that text."""
        return hashlib.sha256(self.shown.encode("utf-8", "replace")).hexdigest()[:10]

    @cached_property
    def shown(self) -> str:
        """The text of all messages, without the instructions for the form of the answer."""
        return "\n".join(message["content"] for message in self._rendered(""))

    def _rendered(self, form: str) -> tuple[Message, ...]:
        return self.prompt.render(Case("judge", dict(self.values) | {"format": form}, place=self.prompt.name))

    def response_format(self) -> dict[str, Any]:
        """The JSON Schema of the answer: the reasons, then the verdict."""
        low, high = self.span
        verdict = (
            {"type": "string", "enum": list(self.scores)}
            if self.scores
            else {"type": "number", "minimum": low, "maximum": high}
        )
        if self.weights:
            each = {str(number): {"type": "string", "enum": ["Y", "N"]} for number in range(1, len(self.weights) + 1)}
            verdict = {"type": "object", "properties": each, "required": list(each), "additionalProperties": False}
        schema = {
            "type": "object",
            "properties": {"reasons": {"type": "string"}, "verdict": verdict},
            "required": ["reasons", "verdict"],
            "additionalProperties": False,
        }
        return {"type": "json_schema", "json_schema": {"name": "judgement", "schema": schema, "strict": True}}

    def form(self, structured: bool) -> str:
        """The instructions for the form of the answer."""
        low, high = self.span
        allowed = f"one of: {', '.join(self.scores)}" if self.scores else f"a number from {low:g} to {high:g}"
        if self.weights and structured:
            allowed = 'an object that says "Y" or "N" of each criterion by its number: {"1": "Y", ...}'
        elif self.weights:
            allowed = "Y or N for each criterion by its number: 1 Y, 2 N, ..."
        if structured:
            return (
                'Answer with JSON only: {"reasons": "...", "verdict": ...}. '
                f"Give your reasons first, in at most three sentences. The verdict is {allowed}."
            )
        return (
            "Give your reasons first, in at most three sentences. "
            f"Then write, alone on the last line, VERDICT {self.code}: and your verdict, which is {allowed}."
        )


def fence(text: str, name: str) -> str:
    r"""Fence a text as data. The fence contains a hash of the text, so that the text cannot close its own fence.

    >>> fence("git status", "answer")
    '<answer b56e72956f>\ngit status\n</answer b56e72956f>'
    """
    if not isinstance(text, str):
        raise SuiteError(f"A judge reads texts, but the {name} is a {type(text).__name__}: write completion.text.")
    mark = hashlib.sha256(f"{name}\n{text}".encode("utf-8", "replace")).hexdigest()[:10]
    return f"<{name} {mark}>\n{text}\n</{name} {mark}>"


def judge_prompt(name: str, override: str | Path | None, root: Path) -> Prompt:
    """A judge's prompt: the built-in one, or a file of the project.

    Raises:
        PromptError: The file is missing or broken.
        SuiteError: It lacks the place for the form of the answer.
    """
    if override is None:
        return _own(name)
    prompt = load_prompt(root / override, str(override))
    if not any(_FORMAT_FIELD in message["content"] for message in prompt.messages):
        raise SuiteError(
            f"{override}: a judge's prompt must describe the form of the answer. Put {_FORMAT_FIELD} into it."
        )
    return prompt


def prompt_named(name: str, root: Path) -> Prompt:
    """A judge's prompt by its name in a report.

    Raises:
        PromptError: It is missing or broken.
    """
    return (
        _own(name.removeprefix(_OURS).removesuffix(".yaml"))
        if name.startswith(_OURS)
        else load_prompt(root / name, name)
    )


@lru_cache(maxsize=32)
def _own(name: str) -> Prompt:
    with resources.as_file(resources.files("distilltest.judges").joinpath(f"prompts/{name}.yaml")) as path:
        return load_prompt(path, f"{_OURS}{name}.yaml")
