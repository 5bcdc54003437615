"""Splitting examples into training and validation, so that nothing of the same kin is on both sides."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from distilltest.training_files.text_search.folding import spelled


def split(examples: Sequence[tuple[str, str | None]], share: float) -> list[bool]:
    """Which examples go to validation.

    Examples are kin when they have the same cluster, or the same request but for case, space and punctuation, or are both
    kin of a third one; kin stay together. The side goes by a hash, so it is the same on every machine, and examples
    that come later move others only where they make kin of them.

    Args:
        examples: Request and cluster (None where there is none) of each.
        share: The share of groups that shall go to validation, within 0 and 1; how many examples that is varies.

    >>> split([("Show it!", None), ("show it", None)], 0.5)
    [False, False]
    """
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    keys = []
    for request, cluster in examples:
        key = f"request {spelled(request) or request.strip()}"
        keys.append(key)
        if cluster is not None:
            one, other = sorted((root(key), root(f"cluster {cluster}")))
            parent[other] = one  # the least key is a group's name, whatever the order of examples
        else:
            root(key)
    return [_fraction(root(key)) < share for key in keys]


def _fraction(key: str) -> float:
    """A number from 0 to 1 that is a text's own."""
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "replace")).digest()[:8]) / 2**64
