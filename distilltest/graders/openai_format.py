"""OpenAI's graders in JSON: read into frozen dataclasses, and written back unchanged.

The shapes are those of ``openai.types.graders`` 3.52, with ``pass_threshold`` of ``openai.types.eval_create_params``. A
``name`` may be absent, as in OpenAI's documentation. The graders of a ``multi`` are an object by name, as in the documentation,
or one grader, as in the package's type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from distilltest.errors import SuiteError
from distilltest.graders.formula import formula
from distilltest.graders.multi import check_names
from distilltest.graders.openai_fields import (
    Object,
    by_name,
    by_type,
    complain,
    list_of,
    number,
    obj,
    one_of,
    templated,
    text,
    write,
)
from distilltest.graders.openai_messages import Message, SamplingParams, messages, texts
from distilltest.graders.template import Template

METRICS = ("cosine", "fuzzy_match", "bleu", "gleu", "meteor", *(f"rouge_{n}" for n in "12345l"))
"""OpenAI's similarity metrics."""


@dataclass(frozen=True, kw_only=True)
class StringCheckGrader(Object):
    """Compares two texts."""

    type: ClassVar[str] = "string_check"
    name: Annotated[str | None, text] = None
    input: Annotated[Template, templated]
    reference: Annotated[Template, templated]
    operation: Annotated[str, one_of("eq", "ne", "like", "ilike")]


@dataclass(frozen=True, kw_only=True)
class TextSimilarityGrader(Object):
    """Scores how similar two texts are."""

    type: ClassVar[str] = "text_similarity"
    name: Annotated[str | None, text] = None
    input: Annotated[Template, templated]
    reference: Annotated[Template, templated]
    evaluation_metric: Annotated[str, one_of(*METRICS)]
    pass_threshold: Annotated[float | None, number] = None


@dataclass(frozen=True, kw_only=True)
class ScoreModelGrader(Object):
    """Asks a model for a score."""

    type: ClassVar[str] = "score_model"
    name: Annotated[str | None, text] = None
    model: Annotated[str, text]
    input: Annotated[tuple[Message, ...], messages]
    range: Annotated[tuple[float, float] | None, list_of(number)] = None
    sampling_params: Annotated[SamplingParams | None, obj(SamplingParams)] = None
    pass_threshold: Annotated[float | None, number] = None


@dataclass(frozen=True, kw_only=True)
class LabelModelGrader(Object):
    """Asks a model for a label."""

    type: ClassVar[str] = "label_model"
    name: Annotated[str | None, text] = None
    model: Annotated[str, text]
    input: Annotated[tuple[Message, ...], messages]
    labels: Annotated[tuple[str, ...], texts]
    passing_labels: Annotated[tuple[str, ...], texts]


@dataclass(frozen=True, kw_only=True)
class PythonGraderSpec(Object):
    """Runs ``grade(sample, item)``."""

    type: ClassVar[str] = "python"
    name: Annotated[str | None, text] = None
    source: Annotated[str, text]
    image_tag: Annotated[str | None, text] = None
    pass_threshold: Annotated[float | None, number] = None


Single = StringCheckGrader | TextSimilarityGrader | ScoreModelGrader | LabelModelGrader | PythonGraderSpec


def _score_model(value: Any, path: str) -> ScoreModelGrader:
    grader = obj(ScoreModelGrader)(value, path)
    if grader.range is not None and (len(grader.range) != 2 or grader.range[0] >= grader.range[1]):
        complain(f"{path}.range", f"{list(grader.range)} is not two numbers, the lower one first")
    return grader


def _label_model(value: Any, path: str) -> LabelModelGrader:
    grader = obj(LabelModelGrader)(value, path)
    for index, label in enumerate(grader.passing_labels):
        if label not in grader.labels:
            complain(f"{path}.passing_labels[{index}]", f"{label!r} is none of the labels {', '.join(grader.labels)}")
    return grader


_single = by_type(
    {
        "string_check": obj(StringCheckGrader),
        "text_similarity": obj(TextSimilarityGrader),
        "score_model": _score_model,
        "label_model": _label_model,
        "python": obj(PythonGraderSpec),
    }
)


def _graders(value: Any, path: str) -> Any:
    alone = isinstance(value, Mapping) and isinstance(value.get("type"), str)
    return _single(value, path) if alone else by_name(_single)(value, path)


@dataclass(frozen=True, kw_only=True)
class MultiGrader(Object):
    """Combines other graders by a formula. A multi grader cannot contain another."""

    type: ClassVar[str] = "multi"
    name: Annotated[str | None, text] = None
    graders: Annotated[Mapping[str, Single] | Single, _graders]
    calculate_output: Annotated[str, text]

    @property
    def by_name(self) -> Mapping[str, Single]:
        """The graders by their names in the formula; a single grader by its own name."""
        return (
            self.graders
            if isinstance(self.graders, Mapping)
            else {self.graders.name or self.graders.type: self.graders}
        )


Grader = Single | MultiGrader


def _multi(value: Any, path: str) -> MultiGrader:
    grader = obj(MultiGrader)(value, path)
    try:
        check_names(formula(grader.calculate_output).names, grader.by_name, grader.calculate_output)
    except SuiteError as error:
        complain(f"{path}.calculate_output", str(error).removesuffix("."))
    return grader


def _any(value: Any, path: str) -> Grader:
    if isinstance(value, Mapping) and value.get("type") == "multi":
        return _multi(value, path)
    grader: Single = _single(value, path)
    return grader


def from_openai(grader: Mapping[str, Any]) -> Grader:
    """Read one of OpenAI's six grader types.

    Raises:
        SuiteError: A field is unknown, missing or invalid, or a template is invalid; the message names its path.

    >>> from_openai({"type": "python", "name": "p", "source": "def grade(sample, item): return 1.0"}).name
    'p'
    >>> from_openai({"type": "multi", "graders": {"a": {"type": "string"}}, "calculate_output": "a"})
    Traceback (most recent call last):
    distilltest.errors.SuiteError: from_openai: $.graders.a.type: 'string' is none of string_check, text_similarity, ...
    """
    return _any(grader, "$")


def to_openai(grader: Grader) -> dict[str, Any]:
    """Write a grader in OpenAI's format, exactly as it was read."""
    written: dict[str, Any] = write(grader)
    return written
