"""The values that the stages pass on: frozen dataclasses.

``Case → Request → Completion | CallFailure → Grade → Outcome``. Comparisons, verdicts and reports have their own modules.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from distilltest.errors import AnswerError, brief, is_permanent

Message = Mapping[str, Any]
"""One chat message as in the API: ``role``, ``content``, and fields for tools."""


def fingerprint(*parts: Any) -> str:
    """The SHA-256 of JSON values, keys sorted: equal values have equal fingerprints on every machine.

    >>> fingerprint({"b": 1, "a": 2}) == fingerprint({"a": 2, "b": 1})
    True
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(orjson.dumps(part, option=orjson.OPT_SORT_KEYS))
        digest.update(b"\n")
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Case:
    """One input with a stable id."""

    id: str
    """Unique in its dataset; roles are paired by it."""
    item: Mapping[str, Any]
    """The whole row as read; a prompt sees it as ``{{ item.x }}``."""
    reference: Any = None
    """The expected answer, None if the dataset has none."""
    alternatives: tuple[Any, ...] = ()
    """Further correct answers."""
    tags: tuple[str, ...] = ()
    """Slices that contain the case; they may overlap."""
    cluster: str | None = None
    """Cases with the same value are not independent (for example, questions about one document)."""
    place: str = ""
    """Where the case was read, ``file:line``, for errors."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """An ordered set of cases with a fingerprint."""

    name: str
    """The path as the user wrote it."""
    cases: tuple[Case, ...]
    """In file order, at least one."""
    fingerprint: str
    """Of all rows in order; it changes with any row."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model on a server, with its request parameters, in a role."""

    role: str
    """``base``, ``teacher``, ``candidate``, ``promoted`` or a name of your own."""
    server: str
    """The server's name in the configuration."""
    base_url: str
    """The server's address. Part of a completion's key; the server's name is not."""
    model: str
    """The model's id on that server."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Further request fields: temperature, max_completion_tokens, seed, response_format, ..."""
    prompt: str | None = None
    """A prompt file for this role, instead of the evaluation's."""
    prompt_instead_of: str | None = None
    """The only prompt that ``prompt`` replaces, because a model is tuned for one; None for any."""


@dataclass(frozen=True)
class Request:
    """Everything that shapes one completion."""

    server: str
    """The server's name in the configuration, which has its limits. Not part of the key."""
    base_url: str
    """The server's address."""
    model: str
    """The model's id."""
    messages: tuple[Message, ...]
    """The rendered prompt."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the body that shape the answer: temperature, tools, response_format, ..."""
    trial: int = 0
    """The k-th completion of the same request, from 0."""
    endpoint: str = "chat/completions"
    """The path below the server's address; ``embeddings`` for the vector of a text."""
    store: bool = False
    """Ask the server to store the completion too. Not part of the key."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Labels stored with the completion. Not part of the key."""

    @cached_property
    def key(self) -> str:
        """The completion's key: a hash of server address, model, messages, parameters, trial and endpoint."""
        shape = [self.base_url, self.model, list(self.messages), dict(self.parameters), self.trial]
        return fingerprint(*shape, *([] if self.endpoint == "chat/completions" else [self.endpoint]))

    def body(self) -> dict[str, Any]:
        """The JSON body of the ``POST``."""
        if self.endpoint == "embeddings":
            return {"model": self.model, "input": self.messages[0]["content"], **self.parameters}
        body: dict[str, Any] = {"model": self.model, "messages": list(self.messages), **self.parameters}
        if self.store:
            body["store"] = True
        if self.metadata:
            body["metadata"] = dict(self.metadata)
        return body

    @cached_property
    def encoded(self) -> bytes:
        """The body as sent and stored."""
        return orjson.dumps(self.body())


CHARACTERS = 4
"""Characters per token if no tokenizer is available: the vendors' rule of thumb for English."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that one completion was billed for."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    """The prompt tokens that came from the server's cache."""
    known: bool = True
    """False if the server sent no usage; the counts are then 0 and meaningless."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call in a completion."""

    id: str
    name: str
    arguments: str
    """JSON text as the model wrote it, not validated."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One stored answer of one model to one request."""

    key: str
    """The request's key."""
    server: str
    """The server's name at the time of the request."""
    model: str
    """The requested model."""
    text: str
    """The message's content; empty for a refusal or tool calls alone."""
    finish_reason: str
    """``stop``, ``length``, ``content_filter``, ``tool_calls``."""
    refusal: str | None = None
    """The text of a refusal; None if the model did not refuse."""
    tool_calls: tuple[ToolCall, ...] = ()
    """The tool calls, in the order of the answer."""
    usage: Usage = Usage()
    """The billed tokens."""
    latency: float = 0.0
    """Seconds from sending the request (the successful attempt) to the complete answer."""
    served_id: str = ""
    """The server's id of the completion (``chatcmpl-...``)."""
    served_model: str = ""
    """The model that the server reports."""
    system_fingerprint: str | None = None
    """The server's ``system_fingerprint``."""
    created: float = 0.0
    """Unix time at which the answer arrived."""
    attempts: int = 1
    """Requests sent, including retries."""
    trial: int = 0
    """The number of the completion among those of the same request, from 0."""
    from_store: bool = False
    """True if this session sent no request for it."""
    id: int = 0
    """Its row number in the store, which identifies a graded answer even if the request is sent again; 0 until stored."""

    def json(self, *, code_fence: bool = False) -> Any:
        r"""The answer as a JSON value.

        Args:
            code_fence: Parse the content of a code fence that is the whole answer.

        Raises:
            AnswerError: The answer is not JSON. In the body of an evaluation this is a failed grade, and ends the body.

        >>> Completion("key", "server", "model", '```json\n{"a": 1}\n```', "stop").json(code_fence=True)
        {'a': 1}
        """
        match = _FENCE.match(self.text) if code_fence else None
        try:
            return orjson.loads(match[1] if match else self.text)
        except orjson.JSONDecodeError as error:
            cut = " (it was cut off at the token limit)" if self.finish_reason == "length" else ""
            shown = f"{brief(self.text, 120)!r}" if self.text else "it is empty"
            raise AnswerError(f"the answer is not JSON: {error.msg}{cut}: {shown}", grader="completion.json") from None


@dataclass(frozen=True, slots=True)
class CallFailure:
    """A request that got no completion after all retries. Never a wrong answer and never a pass."""

    key: str
    model: str
    kind: str
    """Two or three words for reports to count by: ``CallError.kind``."""
    message: str
    """The full message."""
    attempts: int = 1
    permanent: bool = False
    """True if the same request will fail again, such as with a content filter or a prompt over the context length."""


@dataclass(frozen=True, slots=True)
class Grade:
    """A grader's result for one completion of one case."""

    name: str
    """The grader's name."""
    score: float
    """In [0, 1]."""
    passed: bool
    """Whether the answer meets the grader's criterion."""
    reason: str = ""
    """Why, in one line."""
    against: str | None = None
    """For a comparison: the role of the other answer; empty until a model has this role.

    A comparison does not grade the answer itself: it changes neither ``passed`` nor the score of the outcome.
    """
    raised: str = ""
    """The exception that the grader or the test function raised, and where; empty for an ordinary grade."""
    label: tuple[str, str] | None = None
    """For a classification: the expected label and the label of the answer."""


_FENCE = re.compile(r"\A\s*```[^\n`]*\n(.*?)\n?```\s*\Z", re.DOTALL)
NO_PREFERENCES: Mapping[str, float] = MappingProxyType({})
"""Shared by all outcomes without preferences."""


class Outcome(NamedTuple):
    """The result of one trial of one case on one role: grades or a call failure.

    A tuple, because a large run has 300,000 of them and tuples are created three times as fast.
    """

    case_id: str
    role: str
    trial: int
    passed: bool | None
    """Whether all grades passed; None for a call failure, and for an answer that was only compared."""
    score: float | None
    """The combined score of the grades, in [0, 1]; None likewise."""
    completion_key: str
    """The key of the request if ``completion_id`` is 0."""
    failure: str | None = None
    """The kind of call failure, None for a completion."""
    failure_message: str = ""
    """The full message of a call failure."""
    cut_off: bool = False
    """True if the token limit cut the answer off (``finish_reason: length``). It is graded as it is."""
    refused: bool = False
    """True if the model refused. The refusal is graded like any answer."""
    usage_known: bool = True
    """False if the server sent no usage; the tokens are then 0 and meaningless."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    latency: float = 0.0
    """Seconds."""
    completion_id: int = 0
    """The graded answer's row number in the store; 0 for a call failure."""
    preferences: Mapping[str, float] = NO_PREFERENCES
    """Other role → 1 if this answer was preferred, 0 if the other one was, 0.5 for a tie."""
    human: float | None = None
    """The human label of this answer, in [0, 1]; None without a label."""
    unlabelled: bool = False
    """True if people labelled other answers to this case, but not this one."""

    @property
    def permanent(self) -> bool:
        """True for a call failure that would happen again."""
        return self.failure is not None and is_permanent(self.failure)

    def value(self, metric: str) -> float | None:
        """The value that the gate compares: 1 or 0 for ``pass``, the score for ``score``; None without a grade."""
        return self.score if metric == "score" else (None if self.passed is None else 1.0 if self.passed else 0.0)


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean. Raises ValueError for no values."""
    if not values:
        raise ValueError("the mean of no values")
    return sum(values) / len(values)
