"""Ask the server whether a model is about to be shut down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from distilltest.completions.client import openai_client
from distilltest.config import Config
from distilltest.errors import ConfigError

if TYPE_CHECKING:
    from openai import OpenAI

NEAR = 90
"""Days before the shutdown at which a promotion warns."""
_TIMEOUT = 10.0
"""Seconds; short, because a promotion can do without the date."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """When a model is shut down."""

    date: str | None = None
    """ISO 8601; None if the server reports none."""
    warning: str = ""
    """Set if the date is near, or if the server could not be asked."""
    past: str = ""
    """Set if the model was shut down already, so that it cannot go into production."""


def ask_shutdown(config: Config, server: str, model: str, today: date) -> Shutdown:
    """Ask a model's server for its shutdown date; for a fine-tuned model without one, for that of its base.

    A server without the endpoint, or one that cannot be reached, is not an error.
    """
    import openai

    try:
        known = config.server(server)
    except ConfigError as error:
        return Shutdown(warning=f"The shutdown date of {model} is not known: {error}")
    base = None
    try:
        with openai_client(known, config).with_options(timeout=_TIMEOUT, max_retries=1) as client:
            ends = _ends(client, model)
            if ends is None and model.startswith("ft:"):
                base = model.split(":")[1]
                ends = _ends(client, base)
    except openai.APIStatusError as error:
        refused = error.status_code in (401, 403, 429) or (error.status_code >= 500 and error.status_code != 501)
        told = f"The shutdown date of {model} is not known: HTTP {error.status_code}: {error.message}"
        return Shutdown(warning=told if refused else "")
    except openai.APIConnectionError as error:
        return Shutdown(warning=f"The shutdown date of {model} is not known: {error}")
    if ends is None:
        return Shutdown()
    subject = model if base is None else f"{base}, and with it {model},"
    day = _day(ends)
    if day is None:
        return Shutdown(
            str(ends), warning=f"{subject} has the shutdown date {ends!r}, which is not a date that we can read."
        )
    left = (day - today).days
    if left <= 0:
        return Shutdown(day.isoformat(), past=f"{subject} was shut down on {day}.")
    return Shutdown(
        day.isoformat(), warning=f"{subject} is shut down on {day}, in {left} days." if left <= NEAR else ""
    )


def _ends(client: OpenAI, model: str) -> Any:
    return getattr(client.models.retrieve(model), "shutdown_date", None)


def _day(value: Any) -> date | None:
    """Parse a date as servers write it: ISO 8601 or Unix seconds."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC).date()
        return datetime.fromisoformat(str(value)).date()
    except (ValueError, OverflowError, OSError):
        return None
