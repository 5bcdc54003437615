"""The counts of a session: requests, completions, tokens and money."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class Counts:
    """What a session has done so far."""

    sent: int = 0
    """HTTP requests sent, one per attempt."""
    retried: int = 0
    """Of these, retries."""
    new: int = 0
    """Completions that this session requested and received."""
    from_store: int = 0
    """Answers stored before this session; one that is used twice counts twice."""
    shared: int = 0
    """Requests whose answer came from another process while this one waited."""
    failed: int = 0
    """Requests without a completion."""
    usd: float = 0.0
    """Spent on models with a known price."""
    prompt_tokens: int = 0
    """Of the new completions."""
    completion_tokens: int = 0
    """Of the new completions."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)
