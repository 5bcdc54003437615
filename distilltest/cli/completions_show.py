"""``distilltest completions list`` and ``show``."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any

import orjson

from distilltest.cli import say
from distilltest.cli.selection import filter_words, selection_of
from distilltest.config import Price, load_config, usd
from distilltest.errors import DistilltestError
from distilltest.exchange.completion_lines import to_line
from distilltest.records import Completion
from distilltest.store import CompletionFilter, Cursor, Store, StoredCompletion, StoredRow, Use
from distilltest.store.prepare import open_for_work
from distilltest.untrusted.visible import inline, safe_json


def open_store(arguments: argparse.Namespace) -> Store:
    """Open the project's store, after deleting what is older than the retention period."""
    return open_for_work(load_config(arguments.root.resolve()), say=say.aside)


def list_page(arguments: argparse.Namespace) -> int:
    """Print a page, and the command for the next one."""
    after = None
    if arguments.after is not None:
        try:
            after = Cursor.parse(arguments.after)
        except ValueError:
            raise DistilltestError(
                f"--after {arguments.after}: that is no place of the list. Take the command that the page before printed."
            ) from None
    with open_store(arguments) as store:
        selection = selection_of(arguments, store)
        rows = store.find_rows(selection, limit=arguments.limit + 1, after=after, oldest_first=arguments.oldest_first)
        more = len(rows) > arguments.limit
        rows = rows[: arguments.limit]
        if not rows and not arguments.jsonl:
            say.line(_nothing(store, selection))
            return 0
    if arguments.jsonl:
        for row in rows:
            say.document(safe_json(to_line(row)).decode())
    else:
        columns = ["key", "arrived (UTC)", "model", "request", "answer", "labels"]
        say.table([_cells(row) for row in rows], columns)
    if more:
        order = " --oldest-first" if arguments.oldest_first else ""
        form = " --jsonl" if arguments.jsonl else ""
        following = f"--limit {arguments.limit}{order}{form} --after {rows[-1].cursor.text}"
        following = f"next page: distilltest completions list{filter_words(arguments)} {following}"
        (say.aside if arguments.jsonl else say.line)(following)
    return 0


def _nothing(store: Store, selection: CompletionFilter) -> str:
    if selection.everything:
        return f"The store {store.path} has no completions yet. `distilltest distill` or pytest brings some."
    return f"No completion meets these filters ({store.count_completions():,} are in the store)."


def _cells(row: StoredRow) -> list[str]:
    stored = row.read()
    labels = ", ".join(f"{name}={value}" for name, value in stored.metadata.items())
    return [
        row.key[:12],
        _time(row.created),
        inline(row.model),
        _cut(_asked(stored)),
        _cut(answer_text(stored.completion)),
        inline(labels),
    ]


def _asked(stored: StoredCompletion) -> str:
    for message in reversed(stored.messages):
        if message.get("role") == "user":
            return content_text(message.get("content"))
    return content_text(stored.request.get("input"))


def content_text(content: Any) -> str:
    """Format a message's content for people: text, or parts, with the type of parts that are not text."""
    if isinstance(content, list):
        return " ".join(
            str(part["text"]) if isinstance(part, dict) and "text" in part else f"[{_kind(part)}]" for part in content
        )
    return content if isinstance(content, str) else ""


def _kind(part: Any) -> str:
    return str(part.get("type", "part")) if isinstance(part, dict) else "part"


def answer_text(completion: Completion) -> str:
    """Format an answer for people: its text, refusal and tool calls."""
    calls = [f"{call.name}({call.arguments})" for call in completion.tool_calls]
    refusal = [f"refused: {completion.refusal}"] if completion.refusal else []
    return "\n".join([*([completion.text] if completion.text else []), *refusal, *calls])


def _cut(text: str, width: int = 40) -> str:
    text = inline(" ".join(text.split()))
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _time(created: float) -> str:
    try:
        return f"{datetime.fromtimestamp(created, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return f"{created:g}"


def show(arguments: argparse.Namespace) -> int:
    """Print everything about one completion."""
    config = load_config(arguments.root.resolve())
    with open_store(arguments) as store:
        rows = store.find_rows(CompletionFilter(key=arguments.key), limit=6)
        if not rows:
            raise DistilltestError(
                f"The store {store.path} has no completion whose key begins with {arguments.key}. "
                "`distilltest completions list` shows the keys."
            )
        if len(rows) > 1:
            some = ", ".join(row.key[: len(arguments.key) + 8] for row in rows[:5])
            raise DistilltestError(
                f"Several keys begin with {arguments.key}: {some}{' …' if len(rows) > 5 else ''}. Give more of it."
            )
        uses = store.uses_of(rows[0].key)
    stored = rows[0].read()
    say.lines(_facts(rows[0], stored, config.prices.get(stored.completion.model)))
    say.lines(["", "request"])
    for message in stored.messages:
        say.quoted(f"{message.get('role', '?')}: {content_text(message.get('content'))}{_calls(message)}")
    if not stored.messages:
        say.quoted(content_text(stored.request.get("input")))
    say.lines(["", "answer"])
    say.quoted(_cut(answer_text(stored.completion), 400) if not stored.messages else answer_text(stored.completion))
    say.lines(["", "evaluations"])
    say.lines([f"  {line}" for use in uses for line in _use(use)] or ["  none has graded it"])
    return 0


def _facts(row: StoredRow, stored: StoredCompletion, price: Price | None) -> list[str]:
    completion, usage = stored.completion, stored.completion.usage
    shaping = {k: v for k, v in stored.request.items() if k not in ("model", "messages", "input", "metadata", "store")}
    served = f", served as {completion.served_model}" if completion.served_model not in ("", completion.model) else ""
    cached = f" ({usage.cached_tokens:,} of them cached)" if usage.cached_tokens else ""
    latency = f"{completion.latency:.3f} s" if completion.latency else "not known"
    facts = {
        "key": row.key,
        "arrived": f"{_time(row.created)} UTC",
        "model": f"{completion.model} on server {completion.server}{served}",
        "served id": row.server_id or "none",
        "parameters": orjson.dumps(shaping).decode() if shaping else "none",
        "trial": f"{completion.trial}",
        "labels": ", ".join(f"{name}={value}" for name, value in stored.metadata.items()) or "none",
        "finish reason": completion.finish_reason,
        "tokens": f"{usage.prompt_tokens:,} in the prompt{cached}, {usage.completion_tokens:,} in the answer"
        if usage.prompt_tokens
        else "not known",
        "latency": latency + (f" at attempt {completion.attempts}" if completion.attempts > 1 else ""),
        "cost": _cost(completion, price),
    }
    return [inline(f"{name:<14} {value}") for name, value in facts.items()]


def _cost(completion: Completion, price: Price | None) -> str:
    usage = completion.usage
    paid = usd(price, usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens)
    if paid is None:
        return f"not known: no price file names {completion.model}"
    return f"${paid:.6f}" if usage.prompt_tokens else "not known: the answer came without its tokens"


def _calls(message: Any) -> str:
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return ""
    functions = [call.get("function") or {} for call in calls if isinstance(call, dict)]
    return "".join(f"\n{function.get('name')}({function.get('arguments')})" for function in functions)


def _use(use: Use) -> list[str]:
    said = "no grade" if use.passed is None else "passed" if use.passed else "failed"
    trial = f", trial {use.trial}" if use.trial else ""
    score = "" if use.score is None else f", score {use.score:g}"
    first = f"{said}{score}: {use.evaluation}, case {use.case_id}, role {use.role}{trial}, run {use.run}"
    reasons = [
        inline(f"  {grade.name} {'passed' if grade.passed else 'failed'}: {grade.reason}") for grade in use.grades
    ]
    return [first, *reasons, *([f"  {use.failure}"] if use.failure else [])]
