"""The messages of OpenAI's model graders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from distilltest.graders.openai_fields import Object, by_type, integer, list_of, number, obj, one_of, templated, text
from distilltest.graders.template import Template

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""The levels of ``reasoning_effort``."""


@dataclass(frozen=True, kw_only=True)
class CacheBreakpoint(Object):
    """The end of a prefix that the server should cache."""

    mode: Annotated[str, one_of("explicit")]
    ttl: Annotated[str | None, one_of("30m", "12h")] = None


@dataclass(frozen=True, kw_only=True)
class InputText(Object):
    """A text part."""

    type: ClassVar[str] = "input_text"
    text: Annotated[Template, templated]
    prompt_cache_breakpoint: Annotated[CacheBreakpoint | None, obj(CacheBreakpoint)] = None


@dataclass(frozen=True, kw_only=True)
class OutputText(Object):
    """A text part written by a model."""

    type: ClassVar[str] = "output_text"
    text: Annotated[Template, templated]


@dataclass(frozen=True, kw_only=True)
class InputImage(Object):
    """An image part."""

    type: ClassVar[str] = "input_image"
    image_url: Annotated[Template, templated]
    detail: Annotated[str | None, one_of("high", "low", "auto")] = None


@dataclass(frozen=True, kw_only=True)
class Audio(Object):
    """Recorded sound."""

    data: Annotated[Template, templated]
    format: Annotated[str, one_of("mp3", "wav")]


@dataclass(frozen=True, kw_only=True)
class InputAudio(Object):
    """An audio part."""

    type: ClassVar[str] = "input_audio"
    input_audio: Annotated[Audio, obj(Audio)]


Part = Template | InputText | OutputText | InputImage | InputAudio

_typed_part = by_type({cls.type: obj(cls) for cls in (InputText, OutputText, InputImage, InputAudio)})


def _part(value: Any, path: str) -> Any:
    return templated(value, path) if isinstance(value, str) else _typed_part(value, path)


def _content(value: Any, path: str) -> Any:
    return list_of(_part)(value, path) if isinstance(value, list | tuple) else _part(value, path)


@dataclass(frozen=True, kw_only=True)
class Message(Object):
    """One message to the grading model."""

    role: Annotated[str, one_of("user", "assistant", "system", "developer")]
    content: Annotated[Part | tuple[Part, ...], _content]
    type: Annotated[str | None, one_of("message")] = None


@dataclass(frozen=True, kw_only=True)
class SamplingParams(Object):
    """The sampling parameters of the grading model."""

    max_completions_tokens: Annotated[int | None, integer] = None
    reasoning_effort: Annotated[str | None, one_of(*EFFORTS)] = None
    seed: Annotated[int | None, integer] = None
    temperature: Annotated[float | None, number] = None
    top_p: Annotated[float | None, number] = None


messages = list_of(obj(Message))
"""Reads a list of messages."""

texts = list_of(text)
"""Reads a list of texts."""
