"""Reading a judge's answer. Only its form is trusted: whole JSON, or a last line with the question's code.

What is judged may hold a verdict of its own, and a judge may quote it last. So a last line counts with a code only that no text
can hold, and JSON that stands word for word in what was judged is a quotation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

import orjson

from distilltest.graders.text import normalise, quote
from distilltest.judges.question import Question

_THOUGHT_END = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_ENDS = 20
"""Ends of a reasoning that are looked at: it may quote some."""
_LAST_LINE = re.compile(r"[*_`#>\s]*VERDICT[*_`\s]*[\[(<]?([0-9a-f]{10})[\])>]?[*_`\s]*:(.+)\Z", re.IGNORECASE)
_JUDGED = re.compile(r"(\d+)\W*([A-Za-z]+)")
_MARKUP = "\"'`*_ \t"
"""What a judge puts around a verdict."""


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
    number: float
    """The number in the question's own span; a label's score."""


def read(text: str, question: Question, structured: bool) -> Vote:
    r"""Read one answer.

    Raises:
        Unusable: It is not in the form that was asked for, or the verdict is none of those allowed.

    >>> from distilltest.data.prompt import Prompt
    >>> asked = Question("g", Prompt("p", (), ""), {}, {"Y": 1.0, "N": 0.0}, frozenset("Y"))
    >>> read('{"reasons": "it does", "verdict": "Y"}', asked, structured=True).score
    1.0
    >>> read(f"Y it is.\nVERDICT {asked.code}: N", asked, structured=False).verdict
    'N'
    """
    reasons, verdict = _structured(text, question) if structured else _last_line(text, question.code)
    if question.scores:
        label = _label(verdict, question)
        return Vote(label, question.scores[label], reasons, question.scores[label])
    if question.weights:
        return _rubric(verdict, question, reasons)
    low, high = question.span
    number = _number(verdict)
    if not low <= number <= high:
        raise Unusable(f"the verdict {quote(verdict, 40)} is no number from {low:g} to {high:g}")
    return Vote(f"{number:g}", (number - low) / (high - low), reasons, number)


def _rubric(verdict: object, question: Question, reasons: str) -> Vote:
    """Which criteria are met: each has to be judged, once."""
    if isinstance(verdict, Mapping):
        said = [(str(number), str(word)) for number, word in verdict.items()]
    else:
        said = _JUDGED.findall(str(verdict))
    met = {number: word.strip(f"{_MARKUP}.").casefold() for number, word in said}
    wanted = [str(number) for number in range(1, len(question.weights) + 1)]
    if len(met) < len(said) or met.keys() != {*wanted} or not {*met.values()} <= {"y", "n"}:
        raise Unusable(f"the verdict {quote(verdict, 60)} does not say Y or N of each of the {len(wanted)} criteria")
    score = sum(w for w, number in zip(question.weights, wanted, strict=True) if met[number] == "y") / sum(
        question.weights
    )
    score = 1.0 if all(word == "y" for word in met.values()) else score
    return Vote(", ".join(f"{number} {met[number].upper()}" for number in wanted), score, reasons, score)


def _number(verdict: object) -> float:
    if isinstance(verdict, bool) or not isinstance(verdict, int | float | str):
        return math.nan
    try:
        return float(verdict.strip(_MARKUP).removesuffix(".") if isinstance(verdict, str) else verdict)
    except (ValueError, OverflowError):
        return math.nan


def _label(verdict: object, question: Question) -> str:
    """The label that was said: to the letter, else but for case, else but for what a judge puts around it."""
    said = str(verdict).strip()
    for fold in (str, str.casefold, _bare):
        found = [label for label in question.scores if fold(label) == fold(said)]
        if len(found) == 1 and fold(said):
            return found[0]
    raise Unusable(f"the verdict {quote(verdict, 40)} is none of {', '.join(question.scores)}")


def _bare(label: str) -> str:
    return label.strip(f"{_MARKUP}.").casefold()


def _structured(text: str, question: Question) -> tuple[str, object]:
    """The whole answer, or all that follows the end of a model's reasoning, as one JSON object."""
    ends = [0, *(end.end() for end in islice(_THOUGHT_END.finditer(text), _ENDS))]
    why = ""
    for end in ends:
        whole = normalise(text[end:], code_fence=True).strip()
        try:
            content = orjson.loads(whole)
        except orjson.JSONDecodeError as error:
            why = why or f"it is not JSON ({error.msg})"
            continue
        if not isinstance(content, dict) or "verdict" not in content:
            raise Unusable("it is no object with a verdict")
        if whole in question.shown:
            raise Unusable("it quotes what was to be judged")
        return str(content.get("reasons", "")), content["verdict"]
    raise Unusable(why)


def _last_line(text: str, code: str) -> tuple[str, object]:
    # What was judged cannot hold the code, so that any end of a reasoning will do.
    lines = [line for line in _THOUGHT_END.sub("\n", text).splitlines() if line.strip()]
    match = _LAST_LINE.match(lines[-1].strip()) if lines else None
    if match is None or match[1].casefold() != code:
        raise Unusable(f"its last line is no VERDICT {code}:")
    return "\n".join(lines[:-1]).strip(), match[2].strip()
