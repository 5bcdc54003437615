"""The values that stages hand to each other: frozen, and each named by a word of the field.

``Case → Request → Completion | CallFailure → Grade → Outcome``; what comes after (comparison, verdict, report) has
modules of its own.
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
"""One chat message as it goes over the wire: ``role``, ``content``, and what tools add."""


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
    """Unique in its dataset. Pairing goes by it."""
    item: Mapping[str, Any]
    """The whole row as it was read: what a prompt sees as ``{{ item.x }}``."""
    reference: Any = None
    """The answer to compare with, None where the dataset has none."""
    alternatives: tuple[Any, ...] = ()
    """Further answers that are as right as the reference."""
    tags: tuple[str, ...] = ()
    """Slices that the case belongs to; they may overlap."""
    cluster: str | None = None
    """What ties cases together that are not independent (one document, say)."""
    place: str = ""
    """Where it was read, ``file:line``, for errors."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """An ordered set of cases with a fingerprint."""

    name: str
    """The path as the user wrote it."""
    cases: tuple[Case, ...]
    """In the order of the file, at least one."""
    fingerprint: str
    """Of all rows in order: another row, another fingerprint."""


@dataclass(frozen=True, slots=True)
class Model:
    """What plays a role: a model on a server, with the parameters it is asked with."""

    role: str
    """``base``, ``teacher``, ``candidate``, ``promoted`` or a name of the team's own."""
    server: str
    """The server's name in the configuration."""
    base_url: str
    """The server's address: part of a completion's identity, its name is not."""
    model: str
    """The model's id on that server."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """What else goes into the request: temperature, max_completion_tokens, seed, response_format, ..."""
    prompt: str | None = None
    """A prompt file of its own, for a role that is asked differently."""
    prompt_instead_of: str | None = None
    """The only prompt that it stands for: a model is tuned for one. None: for any."""


@dataclass(frozen=True)
class Request:
    """Everything that shapes one completion."""

    server: str
    """The server's name in the configuration (where the limits are kept). Not part of the key."""
    base_url: str
    """The server's address."""
    model: str
    """The model's id."""
    messages: tuple[Message, ...]
    """The rendered prompt."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the body that shape the answer (temperature, tools, response_format, ...)."""
    trial: int = 0
    """The k-th completion of the same request, from 0."""
    endpoint: str = "chat/completions"
    """Below the server's address; ``embeddings`` for the vector of a text."""
    store: bool = False
    """Ask the server to keep the completion too. Not part of the key: it does not shape the answer."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Labels kept with the completion. Not part of the key."""

    @cached_property
    def key(self) -> str:
        """The completion's key: a hash of server address, model, messages, parameters and trial."""
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
        """The body as it is sent and as it is stored."""
        return orjson.dumps(self.body())


CHARACTERS = 4
"""Characters of a token where nothing better is known: English text, by the vendors' own rule of thumb."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that one completion was billed for."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    """Part of the prompt tokens that came from the server's cache."""
    known: bool = True
    """False where the server did not say: the numbers are then 0 and mean nothing."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool that the model asked for."""

    id: str
    name: str
    arguments: str
    """As the model wrote it: JSON text, not checked."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One stored answer of one model to one request."""

    key: str
    """The request's key."""
    server: str
    """The server's name when it was asked."""
    model: str
    """The model that was asked for."""
    text: str
    """The message's content, empty where there was none (a refusal, only tool calls)."""
    finish_reason: str
    """``stop``, ``length``, ``content_filter``, ``tool_calls``."""
    refusal: str | None = None
    """The text of a refusal; None if the model did not refuse."""
    tool_calls: tuple[ToolCall, ...] = ()
    """The calls of tools, in the order of the answer."""
    usage: Usage = Usage()
    """The tokens that it was billed for."""
    latency: float = 0.0
    """Seconds from sending the request (the attempt that succeeded) to the whole answer."""
    served_id: str = ""
    """The server's id of the completion (``chatcmpl-...``)."""
    served_model: str = ""
    """The model that the server says it used."""
    system_fingerprint: str | None = None
    """What the server says of the configuration that answered."""
    created: float = 0.0
    """Unix time at which the answer arrived here."""
    attempts: int = 1
    """Requests sent for it, retries included."""
    trial: int = 0
    """Its number among the completions of the same request, from 0."""
    from_store: bool = False
    """True where no request was sent for it in this session."""
    id: int = 0
    """Its number in the store, by which a graded answer is found whatever is asked again later; 0 until it is stored."""

    def json(self, *, code_fence: bool = False) -> Any:
        r"""The answer as a JSON value.

        Args:
            code_fence: Look inside a code fence that is the whole answer.

        Raises:
            AnswerError: It is not JSON. In the body of an evaluation that is a failed grade, and the body ends there.

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
    """Two or three words that a report can count: see ``CallError.kind``."""
    message: str
    """The whole sentence."""
    attempts: int = 1
    permanent: bool = False
    """The same request will fail again (a content filter, a prompt over the context length): asking again is no remedy."""


@dataclass(frozen=True, slots=True)
class Grade:
    """What a grader says of one completion of one case."""

    name: str
    """The grader's name."""
    score: float
    """In [0, 1]."""
    passed: bool
    """Whether the answer meets what the grader asks."""
    reason: str = ""
    """Why, in a line."""
    against: str | None = None
    """For a comparison: the role whose answer this one was compared with; empty where nothing plays it yet.

    A comparison is no grade of this answer alone: it decides neither whether the answer passes nor its score.
    """
    raised: str = ""
    """The exception that the grader or the test function raised, and where; empty for a grade that was given."""
    label: tuple[str, str] | None = None
    """For a classification: the label that was expected, and the one that the answer gives."""


_FENCE = re.compile(r"\A\s*```[^\n`]*\n(.*?)\n?```\s*\Z", re.DOTALL)
NO_PREFERENCES: Mapping[str, float] = MappingProxyType({})
"""One for all outcomes without any."""


class Outcome(NamedTuple):
    """How one trial of one case on one role ended: graded, or failed to be called.

    A tuple, because there are 300,000 of them, made anew whenever they are gone through, in a third of the time.
    """

    case_id: str
    role: str
    trial: int
    passed: bool | None
    """All grades passed. None for a call failure, and for an answer that was only compared with another role's."""
    score: float | None
    """What the grades' scores come to, in [0, 1]. None likewise."""
    completion_key: str
    """Of the request, where no completion is named by ``completion_id``."""
    failure: str | None = None
    """The kind of call failure, None where there is a completion."""
    failure_message: str = ""
    """The whole sentence of a call failure."""
    cut_off: bool = False
    """The answer was cut off at the token limit (``finish_reason: length``). It is graded as it is."""
    refused: bool = False
    """The model refused. It is graded like any answer."""
    usage_known: bool = True
    """False where the server sent no usage: the tokens are then 0 and mean nothing."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    latency: float = 0.0
    """Seconds."""
    completion_id: int = 0
    """The number in the store of the answer that was graded; 0 for a call failure."""
    preferences: Mapping[str, float] = NO_PREFERENCES
    """Other role → 1 where this answer was preferred to its, 0 where it was not, 0.5 for a tie."""
    human: float | None = None
    """What people said of this answer, in [0, 1]; None where it has no label."""
    unlabelled: bool = False
    """Whether people labelled answers to this case, and have not seen this one."""

    @property
    def permanent(self) -> bool:
        """Whether there is no answer, and the same request would fail again."""
        return self.failure is not None and is_permanent(self.failure)

    def value(self, metric: str) -> float | None:
        """What the gate compares: 1 or 0 for ``pass``, the score for ``score``, None where there is no grade."""
        return self.score if metric == "score" else (None if self.passed is None else 1.0 if self.passed else 0.0)


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean; of nothing it is an error, never a number."""
    if not values:
        raise ValueError("the mean of no values")
    return sum(values) / len(values)
