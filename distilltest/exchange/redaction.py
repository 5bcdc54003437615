"""Redact stored completions: the request, the answer, the response body, and what runs recorded about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from distilltest.exchange.patterns import Pattern
from distilltest.store import CompletionFilter, Store, Texts

EXAMPLES = 3
"""Distinct examples kept for each pattern."""
_NOT_TEXT = frozenset(
    "key server model finish_reason served_id served_model system_fingerprint id object role type tool_call_id service_tier "
    "request_id case_id kind against embedding".split()
)
"""Fields whose values are identifiers; they are not searched."""


@dataclass
class Findings:
    """Matches in requests and answers."""

    counts: Counter[str] = field(default_factory=Counter)
    """By the pattern's name."""
    examples: dict[str, list[str]] = field(default_factory=dict)
    """Some matches, by the pattern's name."""
    completions: int = 0
    """Completions with a match."""

    def note(self, name: str, text: str) -> None:
        """Count a match."""
        self.counts[name] += 1
        shown = self.examples.setdefault(name, [])
        if len(shown) < EXAMPLES and text not in shown:
            shown.append(text)


def redact(
    store: Store, selection: CompletionFilter, patterns: Sequence[Pattern], *, dry_run: bool = False
) -> Findings:
    """Replace all matches of the patterns, in one transaction.

    Keys stay the same, so that a request still finds its redacted completion. The reasons of grades and the examples in
    stored reports that show these completions are redacted too. Call ``Store.scrub`` afterwards: until then the store's
    files may contain the old texts.

    Args:
        store: The store.
        selection: The completions to redact.
        patterns: Applied one after the other.
        dry_run: Only count.
    """
    findings = Findings()

    def change(texts: Texts) -> Texts:
        is_chat = "messages" in orjson.loads(texts.request)  # an embedding's text is a list of numbers
        return Texts(
            metadata=_redact(texts.metadata, patterns, findings.note),
            request=_redact(texts.request, patterns, findings.note, counted_elsewhere="metadata"),
            answer=_redact(texts.answer, patterns, findings.note) if is_chat else texts.answer,
            response=_redact(texts.response, patterns, _untold),
        )

    findings.completions = store.rewrite(
        selection, change, lambda value: _redact(value, patterns, _untold), dry_run=dry_run
    )
    return findings


def _untold(_: str, __: str) -> None:
    """Ignore a match that was counted elsewhere."""


def _redact(
    encoded: bytes, patterns: Sequence[Pattern], found: Callable[[str, str], None], counted_elsewhere: str = ""
) -> bytes:
    """Redact JSON, or text that is not JSON; return the same bytes if nothing matches."""
    changed = False

    def clean(text: str, told: Callable[[str, str], None]) -> str:
        nonlocal changed
        for pattern in patterns:
            after = pattern.replace(text, lambda finding, name=pattern.name: told(name, finding))  # type: ignore[misc]
            changed = changed or after != text
            text = after
        return text

    def walk(value: Any, told: Callable[[str, str], None]) -> Any:
        if isinstance(value, str):
            return clean(value, told)
        if isinstance(value, list):
            return [walk(each, told) for each in value]
        if isinstance(value, dict):
            return {
                name: each
                if name in _NOT_TEXT and isinstance(each, str)
                else walk(each, _untold if name == counted_elsewhere else told)
                for name, each in value.items()
            }
        return value

    try:
        content = orjson.loads(encoded)
    except orjson.JSONDecodeError:
        return clean(encoded.decode("utf-8", "surrogateescape"), found).encode("utf-8", "surrogateescape")
    after = walk(content, found)
    return orjson.dumps(after) if changed else encoded
