"""Reading a judge's answer: one whole JSON object, or a last line with the question's code.

The judged text may contain a verdict that the judge quotes at the end. So the last line needs a code that the judged text cannot
contain, and JSON that occurs verbatim in the judged text is rejected as a quotation.
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
"""The most end tags of reasoning to try, since the reasoning may quote such tags."""
_LAST_LINE = re.compile(r"[*_`#>\s]*VERDICT[*_`\s]*[\[(<]?([0-9a-f]{10})[\])>]?[*_`\s]*:(.+)\Z", re.IGNORECASE)
_JUDGED = re.compile(r"(\d+)\W*([A-Za-z]+)")
_MARKUP = "\"'`*_ \t"
"""Characters that judges put around a verdict."""


class Unusable(ValueError):
    """The answer contains no verdict; the message says why."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One verdict of a judge."""

    verdict: str
    """The label or the number, as text."""
    score: float
    """In [0, 1]."""
    reasons: str
    number: float
    """The number in the question's own span; a label's score."""


def read(text: str, question: Question, structured: bool) -> Vote:
    r"""Read one answer.

    Raises:
        Unusable: It is not in the requested form, or its verdict is not allowed.

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
    """The verdict on each criterion. Each must occur exactly once."""
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
    """The label: an exact match, else ignoring case, else ignoring the markup around it."""
    said = str(verdict).strip()
    for fold in (str, str.casefold, _bare):
        found = [label for label in question.scores if fold(label) == fold(said)]
        if len(found) == 1 and fold(said):
            return found[0]
    raise Unusable(f"the verdict {quote(verdict, 40)} is none of {', '.join(question.scores)}")


def _bare(label: str) -> str:
    return label.strip(f"{_MARKUP}.").casefold()


def _structured(text: str, question: Question) -> tuple[str, object]:
    """The whole answer, or everything after the end of the reasoning, as one JSON object."""
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
    # The judged text cannot contain the code, so the end of the reasoning does not matter.
    lines = [line for line in _THOUGHT_END.sub("\n", text).splitlines() if line.strip()]
    match = _LAST_LINE.match(lines[-1].strip()) if lines else None
    if match is None or match[1].casefold() != code:
        raise Unusable(f"its last line is no VERDICT {code}:")
    return "\n".join(lines[:-1]).strip(), match[2].strip()
