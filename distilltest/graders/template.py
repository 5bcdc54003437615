"""OpenAI's templates: texts with ``{{ item.x }}`` and ``{{ sample.output_text }}``. Nothing in them is executed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from distilltest.errors import SuiteError
from distilltest.graders.text import quote

SAMPLE_FIELDS = ("output_text", "output_json", "output_tools", "choices", "output_audio")
"""The fields of a sample, by OpenAI's names."""

_STEP = re.compile(r"""\.([\w-]+)|\[([0-9]{1,9})\]|\["([^"\]]+)"\]|\['([^'\]]+)'\]""")
_HOW = (
    "write {{ item.name }} with a field of the row, or {{ sample.name }} with one of "
    f'{", ".join(SAMPLE_FIELDS)}; .name, [0] and ["name"] lead further in'
)

Step = str | int


class NotInSample(SuiteError):
    """A template names a field that this answer lacks, such as ``output_json`` of an answer that is not JSON."""


@dataclass(frozen=True, slots=True)
class Path:
    """The path to a value."""

    text: str
    """The path as written, without the braces."""
    namespace: str
    """``item`` or ``sample``."""
    steps: tuple[Step, ...]
    """One or more keys of objects and indices of arrays."""

    def find(self, item: Mapping[str, Any], sample: Mapping[str, Any]) -> Any:
        """Find the value. The arguments of a tool call are JSON text, and a path can lead into it.

        Raises:
            SuiteError: The item has no such value; :class:`NotInSample` if it is the sample.
        """
        value: Any = item if self.namespace == "item" else sample
        before: Step | None = None
        for step in self.steps:
            if before == "arguments" and self.namespace == "sample" and isinstance(value, str):
                value = _json(value)
            fits = isinstance(value, Mapping) if isinstance(step, str) else _is_array(value)
            if not fits or not (step in value if isinstance(step, str) else step < len(value)):
                error = SuiteError if self.namespace == "item" else NotInSample
                raise error(f"{{{{ {self.text} }}}} names nothing: {_lack(value, step)}.")
            value, before = value[step], step
        return value


@dataclass(frozen=True)
class Template:
    """A text with paths to fill in."""

    source: str
    """The template as written."""
    parts: tuple[str | Path, ...] = field(repr=False, compare=False)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The paths in the template."""
        return tuple(part for part in self.parts if isinstance(part, Path))

    def render(self, item: Mapping[str, Any], sample: Mapping[str, Any]) -> str:
        """Fill in the values: a text as it is, any other value as JSON. Braces in a value are not read as a template.

        Raises:
            SuiteError: The item lacks a value; :class:`NotInSample` if the sample does.

        >>> template("{{ sample.output_tools[0].function.name }}?").render({}, {"output_tools": [{"function": {"name": "f"}}]})
        'f?'
        """
        return "".join(part if isinstance(part, str) else _text(part, item, sample) for part in self.parts)


def template(source: str, where: str = "template") -> Template:
    """Parse a template.

    Args:
        source: The text.
        where: The place that errors name.

    Raises:
        SuiteError: Braces are not closed, or do not hold a path.

    >>> [path.steps for path in template("{{ item.a[0].b }} of {{sample.output_text}}").paths]
    [('a', 0, 'b'), ('output_text',)]
    """
    return Template(source, tuple(_split(source, where)))


def _split(source: str, where: str) -> Iterator[str | Path]:
    position = 0
    while (start := source.find("{{", position)) >= 0:
        end = source.find("}}", start + 2)
        if end < 0:
            raise SuiteError(f'{where}: {quote(source[start:], 60)} has "{{{{" but no "}}}}": {_HOW}.')
        if start > position:
            yield source[position:start]
        yield _path(source[start + 2 : end].strip(), where)
        position = end + 2
    if position < len(source):
        yield source[position:]


def _path(text: str, where: str) -> Path:
    namespace = next((name for name in ("item", "sample") if text.startswith((f"{name}.", f"{name}["))), None)
    steps: list[Step] = []
    position = len(namespace or "")
    while namespace and position < len(text) and (match := _STEP.match(text, position)):
        name, index, *quoted = match.groups()
        steps.append(int(index) if index else name or quoted[0] or quoted[1])
        position = match.end()
    if namespace is None or position < len(text) or (namespace == "sample" and steps[0] not in SAMPLE_FIELDS):
        raise SuiteError(f"{where}: {{{{ {quote(text, 60)[1:-1]} }}}} names nothing: {_HOW}.")
    return Path(text, namespace, tuple(steps))


def _lack(value: Any, step: Step) -> str:
    if isinstance(step, int):
        there = f"an array of {len(value)}" if _is_array(value) else quote(value, 40)
        return f"there is no [{step}] in {there}"
    there = (
        f"there are {', '.join(map(str, value)) or 'no fields'}"
        if isinstance(value, Mapping)
        else f"it is in {quote(value, 40)}"
    )
    return f"there is no {step!r}; {there}"


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _text(path: Path, item: Mapping[str, Any], sample: Mapping[str, Any]) -> str:
    value = path.find(item, sample)
    try:
        return value if isinstance(value, str) else orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:  # such as a value nested more than 254 levels deep
        kind = SuiteError if path.namespace == "item" else NotInSample
        raise kind(f"{{{{ {path.text} }}}} cannot be written as JSON: {error}.") from None


def _is_array(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
