"""Reading a judge's answer. Only its form is trusted: whole JSON, or a last line; nothing that stands anywhere else."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import orjson

from distilltest.graders.text import normalise, quote
from distilltest.judges.question import Question

_LAST_LINE = re.compile(r"VERDICT:\s*(.+?)\s*\Z", re.IGNORECASE)


class Unusable(ValueError):
    """The answer says no verdict; the message says why."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What a judge said once."""

    verdict: str
    """The label, or the number as it was written."""
    score: float
    """In [0, 1]."""
    reasons: str


def read(text: str, question: Question, structured: bool) -> Vote:
    r"""Read one answer.

    Raises:
        Unusable: It is not in the form that was asked for, or the verdict is none of those allowed.

    >>> from distilltest.prompt import Prompt
    >>> asked = Question("g", Prompt("p", (), ""), {}, {"Y": 1.0, "N": 0.0}, frozenset("Y"))
    >>> read('{"reasons": "it does", "verdict": "Y"}', asked, structured=True).score
    1.0
    >>> read("Y it is.\nVERDICT: N", asked, structured=False).verdict
    'N'
    """
    reasons, verdict = _structured(text) if structured else _last_line(text)
    if question.scores:
        label = _label(verdict, question)
        return Vote(label, question.scores[label], reasons)
    low, high = question.span
    try:
        number = math.nan if isinstance(verdict, bool) else float(verdict)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not low <= number <= high:
        raise Unusable(f"the verdict {quote(verdict, 40)} is no number from {low:g} to {high:g}")
    return Vote(f"{number:g}", (number - low) / (high - low), reasons)


def _label(verdict: object, question: Question) -> str:
    said = str(verdict).strip().strip("\"'`.* ").casefold()
    for label in question.scores:
        if said == label.casefold():
            return label
    raise Unusable(f"the verdict {quote(verdict, 40)} is none of {', '.join(question.scores)}")


def _structured(text: str) -> tuple[str, object]:
    try:
        content = orjson.loads(normalise(text, code_fence=True))
    except orjson.JSONDecodeError as error:
        raise Unusable(f"it is not JSON ({error.msg})") from None
    if not isinstance(content, dict) or "verdict" not in content:
        raise Unusable("it is no object with a verdict")
    return str(content.get("reasons", "")), content["verdict"]


def _last_line(text: str) -> tuple[str, object]:
    lines = [line for line in text.splitlines() if line.strip()]
    match = _LAST_LINE.match(lines[-1].strip().strip("*_` ")) if lines else None
    if match is None:
        raise Unusable("its last line is no VERDICT:")
    return "\n".join(lines[:-1]).strip(), match[1]
