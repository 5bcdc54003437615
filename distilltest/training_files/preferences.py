"""Check preference training files (DPO) against the platform's rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from distilltest.data import kind_of
from distilltest.training_files.file_rules import LONGEST_EXAMPLE, FileTally, findings_of
from distilltest.training_files.lines import Finding, digest
from distilltest.training_files.messages import message_problems, spoken
from distilltest.training_files.tokens import Counter, counter

OUTPUTS = ("preferred_output", "non_preferred_output")
_FIELDS = ("input", *OUTPUTS)
_INPUT_FIELDS = ("messages", "tools", "parallel_tool_calls")
_SHAPE = (
    '{"input": {"messages": [...]}, "preferred_output": [{"role": "assistant", "content": "…"}], '
    '"non_preferred_output": [{"role": "assistant", "content": "…"}]}'
)


def preference_findings(
    path: Path, *, max_tokens: int = LONGEST_EXAMPLE, tokens: Counter | None = None
) -> Iterator[Finding]:
    """Find what a platform would reject, and what would make a bad example, in the order of lines.

    Args:
        path: The file; it is read line by line.
        max_tokens: The most tokens of a request with either answer.
        tokens: Counts tokens.

    Raises:
        TrainingFileError: The file cannot be read.
    """
    pairs: dict[bytes, int] = {}
    tally = FileTally(tokens or counter(), max_tokens)
    return findings_of(path, tally, _problems, lambda number, content: _warnings(number, content, tally, pairs))


def _problems(content: Any) -> Iterator[tuple[str, bool]]:
    if not isinstance(content, dict):
        yield f"the line is {kind_of(content)}. Write {_SHAPE}.", True
        return
    missing = [name for name in _FIELDS if name not in content]
    if missing == list(_FIELDS) and "messages" in content:
        yield 'this is a supervised example ("messages"). Check it with --format sft.', True
        return
    if missing:
        yield f"there is no {', no '.join(map(repr, missing))}. Write {_SHAPE}.", True
        return
    yield from _input(content["input"])
    good = True
    for name in OUTPUTS:
        problem = _output(content[name], name)
        if problem:
            good = False
            yield problem
    if good:
        yield from _same(*(content[name][0]["content"] for name in OUTPUTS))


def _input(given: Any) -> Iterator[tuple[str, bool]]:
    if not isinstance(given, dict):
        yield f'"input" is {kind_of(given)}. Write "input": {{"messages": [...]}}.', True
        return
    problems = list(message_problems(given.get("messages")))
    yield from ((f"input: {problem}", fatal) for problem, fatal in problems)
    if any(fatal for _, fatal in problems):
        return
    roles = [message["role"] for message in given["messages"]]
    if roles.count("user") != 1 or roles[-1] != "user" or {"assistant", "tool", "function"} & set(roles):
        found = f"input: the messages are {', '.join(roles)}. "
        yield (
            f"{found}Preferences are learned from one turn: system or developer messages, then one user message.",
            True,
        )
    if any(not isinstance(message["content"], str) for message in given["messages"]):
        yield 'input: a message has parts. Preferences are learned from text only: write "content" as a text.', True
    extra = [name for name in given if name not in _INPUT_FIELDS]
    if extra:
        yield f"input: the format does not have {', '.join(map(repr, extra))}. Take it out.", False
    tools = given.get("tools")
    if tools is not None and not isinstance(tools, list):
        yield f'input: "tools" is {kind_of(tools)}; it must be a list.', True
    if not isinstance(given.get("parallel_tool_calls", True), bool):
        yield 'input: "parallel_tool_calls" is true or false.', True


def _output(output: Any, name: str) -> tuple[str, bool] | None:
    if not isinstance(output, list) or len(output) != 1:
        found = f"has {len(output)} messages" if isinstance(output, list) else f"is {kind_of(output)}"
        return f'"{name}" {found}; it must be a list with one assistant message.', True
    message = output[0]
    if not isinstance(message, dict) or message.get("role") != "assistant":
        return f'"{name}": the message is not the assistant\'s. Give it "role": "assistant".', True
    if message.get("tool_calls") or not isinstance(message.get("content"), str):
        return f'"{name}": preferences are learned from text only. Write "content" as a text, without calls.', True
    if not message["content"].strip():
        return f'"{name}" is empty. Write the answer, or take the example out.', True
    if "weight" in message:
        return f'"{name}" has a "weight", which is for supervised files. Take it out.', False
    return None


def _same(preferred: str, rejected: str) -> Iterator[tuple[str, bool]]:
    if preferred == rejected:
        yield "preferred and non-preferred output are identical, so nothing can be learned. Take the example out.", True
    elif preferred.split() == rejected.split():
        yield (
            "preferred and non-preferred output differ in white space only. Is that what the model should learn?",
            False,
        )


def _warnings(number: int, content: Mapping[str, Any], tally: FileTally, pairs: dict[bytes, int]) -> Iterator[Finding]:
    """Warnings about a valid line."""
    request, (wanted, unwanted) = content["input"], (content[name][0]["content"] for name in OUTPUTS)
    tally.fields(number, content, _FIELDS)
    text = spoken(request["messages"])
    long = tally.length(number, f"{text}\n{max(wanted, unwanted, key=len)}", len(request["messages"]) + 1)
    if long:
        yield long
    twice = tally.twice(number, request["messages"], wanted, unwanted)
    if twice:
        yield twice
    pairs.setdefault(digest(request["messages"], wanted, unwanted), number)
    other = pairs.get(digest(request["messages"], unwanted, wanted))
    if other is not None:
        yield Finding(number, f"prefers what line {other} rejects. Keep one of them.", fatal=False)
