"""Does the answer name the expected label?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from distilltest.errors import SuiteError
from distilltest.graders.text import normalise, quote
from distilltest.records import Grade

NONE = "(none)"
"""Stands for an answer without a label."""
_AROUND = "\"'`*_.:;!()[]<> \t\n"


def classification(answer: str, expected: str, *, labels: Sequence[str]) -> Grade:
    """Score 1 if the answer's label is the expected one, else 0.

    The answer's label is the whole answer, ignoring case, quotes, Markdown and punctuation; else the only label in its last line;
    else the only label in the answer. An answer that names several labels, or none, has no label.

    Args:
        answer: The model's answer.
        expected: The reference, one of the labels.
        labels: All labels, at least two.

    Raises:
        SuiteError: The labels are not a list of different texts, or the reference is not one of them.

    >>> classification("Label: **Refund**.", "refund", labels=["refund", "delivery"]).reason
    'refund'
    >>> classification("refund or delivery", "refund", labels=["refund", "delivery"]).reason
    '(none) where refund was expected'
    """
    check_labels(labels)
    names = {label.casefold(): label for label in labels}
    if not isinstance(expected, str) or expected.casefold() not in names:
        raise SuiteError(
            f"classification: the reference {quote(expected, 60)} is not one of the labels {', '.join(labels)}."
        )
    label, named = names[expected.casefold()], label_in(answer, labels)
    right, given = named == label, named or NONE
    reason = label if right else f"{given} where {label} was expected"
    return Grade("classification", float(right), right, reason, label=(label, given))


def check_labels(labels: Sequence[str]) -> None:
    """Raise unless the labels are at least two different texts.

    Raises:
        SuiteError: They are not.
    """
    texts = not isinstance(labels, str) and all(isinstance(label, str) and label.strip() for label in labels)
    if not texts or len(labels) < 2 or len({label.casefold() for label in labels}) < len(labels):
        raise SuiteError(f"classification: labels={labels!r}: give a list of at least two different texts.")


def label_in(answer: str, labels: Sequence[str]) -> str | None:
    """The label that an answer names, None if it names several or none."""
    whole = normalise(answer, code_fence=True)
    for label in labels:
        if whole.strip(_AROUND).casefold() == label.strip(_AROUND).casefold():
            return label
    lines = [line for line in whole.splitlines() if line.strip()]
    for place in (lines[-1] if lines else "", whole):
        named = _named(place, labels)
        if len(named) == 1:
            return named[0]
    return None


def _named(text: str, labels: Sequence[str]) -> list[str]:
    """The labels in a text, as whole words; a longer label hides a shorter one within it."""
    found = []
    for label in sorted(labels, key=len, reverse=True):
        pattern = re.compile(rf"(?<!\w){re.escape(label)}(?!\w)", re.IGNORECASE)
        text, count = pattern.subn("\0", text)
        if count:
            found.append(label)
    return found
