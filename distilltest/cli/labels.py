"""``--metadata KEY=VALUE``: the labels of completions."""

from __future__ import annotations

from collections.abc import Iterable

MOST, LONGEST_KEY, LONGEST_VALUE = 16, 64, 512
"""What the API takes."""


def read_labels(texts: Iterable[str]) -> dict[str, str]:
    """The labels that a command line names.

    Raises:
        DistilltestError: One is not of the form KEY=VALUE, or there is more than the API takes.
    """
    from distilltest.errors import DistilltestError

    labels = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise DistilltestError(f"--metadata {text}: write KEY=VALUE.")
        if len(key) > LONGEST_KEY or len(value) > LONGEST_VALUE:
            raise DistilltestError(
                f"--metadata {text[:80]}: a key has up to {LONGEST_KEY} characters, a value up to {LONGEST_VALUE}. Shorten it."
            )
        labels[key] = value
    if len(labels) > MOST:
        raise DistilltestError(f"--metadata: {len(labels)} labels, but a completion has at most {MOST}.")
    return labels
