"""Split examples into training and validation, with near duplicates on the same side."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from distilltest.training_files.text_search.folding import spelled


def split(examples: Sequence[tuple[str, str | None]], share: float) -> list[bool]:
    """Decide which examples go to validation.

    Examples with the same cluster, or with the same request except for case, space and punctuation, form a group, and so do
    groups that share an example; a group stays together. A hash of the group decides its side, so the split is the same on
    every machine, and a new example moves others only if it joins their groups.

    Args:
        examples: The request and the cluster (or None) of each example.
        share: The share of groups for validation, from 0 to 1; the share of examples varies.

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
            parent[other] = one  # the least key names a group, so the order of examples does not matter
        else:
            root(key)
    return [_fraction(root(key)) < share for key in keys]


def _fraction(key: str) -> float:
    """Hash a text to a number from 0 to 1."""
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "replace")).digest()[:8]) / 2**64
