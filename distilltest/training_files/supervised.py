"""Check supervised training files against the platform's rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from distilltest.data import kind_of
from distilltest.training_files.file_rules import LONGEST_EXAMPLE, FileTally, findings_of
from distilltest.training_files.lines import Finding, digest
from distilltest.training_files.messages import last_user_text, message_problems, spoken
from distilltest.training_files.tokens import Counter, counter

_FIELDS = ("messages", "tools", "parallel_tool_calls", "functions")


def supervised_findings(
    path: Path, *, max_tokens: int = LONGEST_EXAMPLE, tokens: Counter | None = None
) -> Iterator[Finding]:
    """Find what a platform would reject, and what would make a bad example, in the order of lines.

    Args:
        path: The file; it is read line by line.
        max_tokens: The most tokens of an example.
        tokens: Counts tokens.

    Raises:
        TrainingFileError: The file cannot be read.
    """
    answers: dict[bytes, tuple[int, bytes]] = {}
    tally = FileTally(tokens or counter(), max_tokens)
    return findings_of(path, tally, _problems, lambda number, content: _warnings(number, content, tally, answers))


def _problems(content: Any) -> Iterator[tuple[str, bool]]:
    if not isinstance(content, dict):
        yield f'the line is {kind_of(content)}. Write {{"messages": [...]}}.', True
        return
    if "messages" not in content:
        yield _instead(content), True
        return
    messages = content["messages"]
    yield from message_problems(messages)
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        return
    if messages[-1].get("role") != "assistant":
        yield "the last message is not the assistant's. The answer to learn comes last.", True
    answers = [message for message in messages if message.get("role") == "assistant"]
    if answers and all(message.get("weight") == 0 for message in answers):
        yield 'every assistant message has "weight": 0, so nothing is learned. Give the answer 1.', True
    if not any(message.get("role") == "user" for message in messages):
        yield "there is no user message, so the example answers nothing. Add the request.", False
    yield from _tools(content, answers)


def _instead(content: Mapping[str, Any]) -> str:
    if "preferred_output" in content:
        return 'no "messages": this is a preference example. Check it with --format dpo.'
    if "prompt" in content and "completion" in content:
        return (
            'no "messages": "prompt" and "completion" are the old format. Write {"messages": [{"role": "user", '
            '"content": PROMPT}, {"role": "assistant", "content": COMPLETION}]}.'
        )
    found = f" It has {', '.join(map(repr, list(content)[:5]))}." if content else ""
    return f'no "messages".{found} Write {{"messages": [...]}}.'


def _tools(content: Mapping[str, Any], answers: list[Any]) -> Iterator[tuple[str, bool]]:
    tools = content.get("tools")
    if tools is None:
        if any(answer.get("tool_calls") for answer in answers):
            yield (
                'tools are called, but there are no "tools". Add their definitions, as they are sent in requests.',
                False,
            )
        return
    if not isinstance(tools, list):
        yield f'"tools" is {kind_of(tools)}; it must be a list.', True
        return
    names = set()
    for number, tool in enumerate(tools, start=1):
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            yield f'tool {number} is not {{"type": "function", "function": {{"name": "…"}}}}.', True
            return
        names.add(function["name"])
    for answer in answers:
        calls = answer.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            name = (
                call["function"].get("name")
                if isinstance(call, dict) and isinstance(call.get("function"), dict)
                else ""
            )
            if isinstance(name, str) and name and name not in names:
                yield f'the tool {name!r} is called, but is not among "tools". Add its definition.', False


def _warnings(
    number: int, content: Mapping[str, Any], tally: FileTally, answers: dict[bytes, tuple[int, bytes]]
) -> Iterator[Finding]:
    """Warnings about a valid line."""
    messages = content["messages"]
    tally.fields(number, content, _FIELDS)
    long = tally.length(number, spoken(messages), len(messages))
    if long:
        yield long
    twice = tally.twice(number, messages, content.get("tools"))
    if twice:
        yield twice
        return
    if not last_user_text(messages):
        return
    request, answer = digest(messages[:-1], content.get("tools")), digest(messages[-1])
    first, first_answer = answers.setdefault(request, (number, answer))
    if first_answer != answer:
        yield Finding(number, f"the request of line {first}, but another answer. Keep the better one.", fatal=False)
