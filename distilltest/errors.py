"""Everything that distilltest raises on purpose, as one tree.

::

    DistilltestError                 the edges (plugin, CLI) catch this once and print it without a traceback
    ├── ConfigError                  distilltest.yaml, an option or an environment variable is wrong
    ├── DatasetError                 a dataset file is missing, broken, empty or lacks what a grader needs
    ├── PromptError                  a prompt file is broken or names a field that a case does not have
    ├── SuiteError                   a test function or a rule is written in a way that cannot work
    ├── StoreError                   the store cannot be opened, read or written
    ├── CallError                    a request got no completion
    │   ├── ServerUnreachable        no connection, or no answer in time
    │   ├── AuthenticationFailed     401 and 403: the key is missing, wrong or not allowed
    │   ├── ModelNotFound            404 for the model
    │   ├── RateLimited              429 until the retries ran out
    │   ├── BadAnswer                2xx, but not a chat completion: half a JSON, no choices
    │   ├── RequestRejected          any other 4xx: the request itself is wrong
    │   ├── ServerFailed             5xx until the retries ran out
    │   ├── BudgetSpent              the money that may be spent is spent
    │   └── NotInStore               --offline, and the store has no such completion
    ├── JudgeFailed                  a judge gave no answer that can be used
    ├── EndpointMissing              the server does not offer this endpoint (404, 405, 501 on files, jobs, ...)
    ├── TrainingFileError            a training file breaks the rules of the format
    ├── PromotionsError              promotions.yaml is broken, was edited, or has no such entry
    ├── BadLines                     a file of completions has lines that cannot be imported
    └── JobFailed                    a fine-tuning job ended without a model

A message names the subject, the value and the remedy. It is complete: the edges add nothing to it.
"""

from __future__ import annotations

from pathlib import Path


class DistilltestError(Exception):
    """The base of every error that a user can mend."""


class ConfigError(DistilltestError):
    """The configuration, an option or an environment variable is wrong."""


class DatasetError(DistilltestError):
    """A dataset file is missing, broken or empty, or a case lacks what a grader needs."""


class PromptError(DistilltestError):
    """A prompt file is broken, or names a field that a case does not have."""


class SuiteError(DistilltestError):
    """A test function, a grader call or a rule is written in a way that cannot work."""


class StoreError(DistilltestError):
    """The store cannot be opened, read or written."""


class CallError(DistilltestError):
    """A request got no completion after all retries. Recorded as a call failure, never as a grade."""

    kind = "call failed"
    """What a report calls this kind of failure, in two or three words."""
    permanent = False
    """Whether the same request would fail again, so that asking again is no remedy."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status, None where there was no answer."""
        self.retry_after = retry_after
        """Seconds that the server asked us to wait, from ``Retry-After``."""


class ServerUnreachable(CallError):
    """No connection to the server, or no answer within the timeout."""

    kind = "server not reachable"


class AuthenticationFailed(CallError):
    """401 or 403: the key is missing, wrong or not allowed to do this."""

    kind = "not authorised"


class ModelNotFound(CallError):
    """404: the server does not have this model."""

    kind = "no such model"


class RateLimited(CallError):
    """429, again and again until the retries ran out."""

    kind = "rate limited"


class BadAnswer(CallError):
    """The server said 2xx, but what it sent is no chat completion."""

    kind = "unusable answer"


class RequestRejected(CallError):
    """The server rejected the request itself (any other 4xx)."""

    kind = "request rejected"


class ServerFailed(CallError):
    """5xx, again and again until the retries ran out."""

    kind = "server error"


class BudgetSpent(CallError):
    """The configured budget is spent, so the request was not sent."""

    kind = "over budget"


class NotInStore(CallError):
    """Only stored completions were allowed, and this one is not in the store."""

    kind = "not in the store"


class JudgeFailed(DistilltestError):
    """A judge gave no verdict. The case is without a grade: never 0 and never 1."""

    def __init__(self, message: str, *, kind: str) -> None:
        super().__init__(message)
        self.kind = kind
        """What a report calls this kind of failure, in two or three words."""


class EndpointMissing(DistilltestError):
    """The server does not offer this endpoint; the message says what serves instead."""


class TrainingFileError(DistilltestError):
    """A training file breaks the rules of its format."""


class PromotionsError(DistilltestError):
    """promotions.yaml is broken, was edited, or has no such entry."""


class BadLines(DistilltestError):
    """A file of completions has lines that cannot be imported, so nothing of it was."""


class JobFailed(DistilltestError):
    """A fine-tuning job failed or was cancelled."""


def at(path: Path | str, line: int | None = None) -> str:
    """Name a place the way editors understand it.

    >>> at("suites/cases.jsonl", 7)
    'suites/cases.jsonl:7'
    """
    return f"{path}:{line}" if line else f"{path}"
