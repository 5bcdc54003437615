"""Read chat requests with their answers, as other programs write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from distilltest.config import Config, Server
from distilltest.data.responses import NoAnswer, completion_of
from distilltest.exchange.completion_lines import BadLine, check_labels
from distilltest.exchange.identity import identify
from distilltest.records import Completion, Message, Request
from distilltest.store import Adding
from distilltest.training_files.messages import text_of

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_FORMS = (
    '"messages" with "completion" or "answer", an OpenAI chat completion with "messages", "request" with "response", '
    "or what `distilltest completions export` wrote"
)


@dataclass(frozen=True, slots=True)
class Answered:
    """A request and its answer from elsewhere."""

    messages: tuple[Message, ...]
    content: Mapping[str, Any]
    """The answer as a chat completion object."""
    response: bytes
    """The server's response body; empty if there is none."""
    model: str | None
    """None if the source does not name it."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    by_server: bool = False
    """Whether the server reported the parameters."""
    labels: Mapping[str, str] = field(default_factory=dict)
    created: float | None = None
    """Unix time; None if the source does not have it."""

    @property
    def empty(self) -> bool:
        """Whether the answer is empty: no text, no tool call, no refusal."""
        said = self.content["choices"][0]["message"]
        return says_nothing(text_of(said.get("content")), said.get("tool_calls"), said.get("refusal"))

    def keep(self, adding: Adding, place: ImportContext) -> bool:
        """Add it to the store; return False if the store has it already.

        Raises:
            BadLine: It names no model, and the import has no default.
        """
        named = self.model or place.model
        if named is None:
            raise BadLine('there is no "model". Add it to the line, or give --model.')
        model, parameters = identify(place.config, place.server, named, self.parameters, by_server=self.by_server)
        labels = check_labels({**self.labels, **place.labels})
        created = place.now if self.created is None else self.created

        def request_of(trial: int) -> Request:
            return Request(
                server=place.server.name,
                base_url=place.server.base_url,
                model=model,
                messages=self.messages,
                parameters=parameters,
                trial=trial,
                metadata=labels,
            )

        def made(request: Request) -> Completion:
            return completion_of(request, self.content, latency=0.0, created=created)

        return adding.add(request_of, made, self.response)


@dataclass(frozen=True, slots=True)
class ImportContext:
    """The context that all completions of one import share."""

    config: Config
    server: Server
    """The server that gave the answers."""
    now: float
    """Unix time: the arrival of completions whose source does not have it."""
    model: str | None = None
    """The model of completions whose source does not name it."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels that all of them get."""


def read_answered(content: Any) -> Answered:
    """What a JSON value of a file says.

    Raises:
        BadLine: It is none of the forms that are known, or broken.
    """
    if not isinstance(content, dict):
        raise BadLine(f"no object. Each line is {_FORMS}.")
    if "request" in content and "response" in content:
        return _pair(content)
    messages = check_messages(content.get("messages"))
    if "choices" in content:
        return from_server(content, messages)
    answer = content.get("completion", content.get("answer"))
    if answer is None:
        if len(messages) < 2 or messages[-1]["role"] != "assistant":
            raise BadLine(f'no answer: there is neither "completion" nor "answer". Each line is {_FORMS}.')
        messages, answer = messages[:-1], messages[-1]
    given, response = _completion(answer)
    return Answered(
        messages,
        given,
        response,
        _model(content.get("model", given.get("model"))),
        content,
        labels=check_labels(content.get("metadata")),
        created=_time(content.get("created", given.get("created"))),
    )


def from_server(content: Mapping[str, Any], messages: Sequence[Message]) -> Answered:
    """Read a chat completion object, as servers store it, with the messages that it answered.

    Raises:
        BadLine: It is broken.
    """
    bare = {name: value for name, value in content.items() if name != "messages"}
    given, response = _completion(bare)
    labels = check_labels(content.get("metadata"))
    created = _time(content.get("created"))
    return Answered(tuple(messages), given, response, _model(content.get("model")), content, True, labels, created)


def says_nothing(text: str, *others: object) -> bool:
    """Whether an answer has neither text nor anything else."""
    return not text.strip() and not any(others)


def check_messages(messages: Any) -> tuple[Message, ...]:
    """Check the messages of a request.

    Raises:
        BadLine: They are not messages.
    """
    if not isinstance(messages, list) or not messages:
        raise BadLine(f'no "messages". Each line is {_FORMS}.')
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise BadLine(f"messages[{number}] has no role. It is one of {', '.join(_ROLES)}.")
        said = message.get("content")
        if not isinstance(said, str | list) and not (message["role"] == "assistant" and said is None):
            raise BadLine(f"messages[{number}].content is {said!r:.60}. It is a text, or a list of parts.")
        for part in said if isinstance(said, list) else ():
            kind = part.get("type") if isinstance(part, dict) else None
            if not isinstance(kind, str) or (kind == "text" and not isinstance(part.get("text"), str)):
                raise BadLine(
                    f"messages[{number}].content has the part {part!r:.60}, which would be lost. "
                    'Write {"type": "text", "text": "…"}.'
                )
    return tuple(messages)


def _pair(content: Mapping[str, Any]) -> Answered:
    request = content["request"]
    if not isinstance(request, dict):
        raise BadLine(f'"request" is not an object. Each line is {_FORMS}.')
    messages = check_messages(request.get("messages"))
    given, response = _completion(content["response"])
    return Answered(
        messages,
        given,
        response,
        _model(request.get("model", given.get("model"))),
        request,
        labels=check_labels(content.get("metadata", request.get("metadata"))),
        created=_time(content.get("created", given.get("created"))),
    )


def _completion(answer: Any) -> tuple[dict[str, Any], bytes]:
    """A chat completion object for an answer, and the server's response body."""
    if isinstance(answer, str):
        return {"choices": [{"message": {"content": answer}, "finish_reason": "stop"}]}, b""
    if isinstance(answer, dict) and "choices" in answer:
        choices = answer["choices"]
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            raise BadLine('"choices" is empty. A chat completion has at least one.')
        if len(choices) > 1:
            raise BadLine(f"{len(choices)} choices. Write each as a completion of its own.")
        message = _assistant(choices[0].get("message"))
        whole = {**answer, "choices": [{**choices[0], "message": message}]}
        try:
            completion_of(_ANY, whole, latency=0.0, created=0.0)
        except NoAnswer as error:
            raise BadLine(f"no answer that could be graded: {error}.") from None
        return whole, orjson.dumps(answer)
    if isinstance(answer, dict) and ("content" in answer or "tool_calls" in answer):
        reason = "tool_calls" if answer.get("tool_calls") else "stop"
        made, _ = _completion({"choices": [{"message": answer, "finish_reason": reason}]})
        return made, b""
    raise BadLine('the answer is neither text, nor an assistant message, nor an object with "choices".')


_ANY = Request("", "", "", ())


def _assistant(message: Any) -> dict[str, Any]:
    if not isinstance(message, dict):
        raise BadLine('"choices[0].message" is not a message.')
    said = message.get("content")
    if said is not None and not isinstance(said, str | list):
        raise BadLine(f"the answer's content is {said!r:.60}. It is a text, or null.")
    refusal = message.get("refusal")
    if refusal is not None and not isinstance(refusal, str):
        raise BadLine(f"the answer's refusal is {refusal!r:.60}. It is a text, or null.")
    return {**message, "content": said}


def _model(model: Any) -> str | None:
    if model is not None and (not isinstance(model, str) or not model):
        raise BadLine(f'"model" is {model!r:.60}. It is the model\'s name.')
    return model


def _time(created: Any) -> float | None:
    if created is None:
        return None
    if not isinstance(created, int | float) or isinstance(created, bool) or not 0 <= created < 1e11:
        raise BadLine(f'"created" is {created!r:.60}. It is a Unix time in seconds.')
    return float(created)
