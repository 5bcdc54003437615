"""Write preference files (DPO) from graded answers, from ranked samples, or from a table.

Pairs without a clear preference are left out and counted: ties, identical answers, and pairs that contradict each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import orjson

from distilltest.data import kind_of, read_rows
from distilltest.errors import DatasetError, TrainingFileError, at, brief
from distilltest.records import Message
from distilltest.training_files.lines import digest
from distilltest.training_files.messages import text_of
from distilltest.training_files.whole_file import LeftOut, TrainingFile, whole_file

TIE = "a tie"
IDENTICAL = "identical answers"
EMPTY = "an empty answer"
TURNS = "more than one turn or no text"
TWICE = "the same pair twice"
INCONSISTENT = "inconsistent: another pair says the opposite"
LONE = "only one answer"
TURNED = "inconsistent: the rejected role passed, the chosen one failed"


@dataclass(frozen=True, slots=True)
class ScoredAnswer:
    """One answer to a request, with its grade."""

    text: str
    passed: bool | None = None
    """None if the answer was not graded or the call failed."""
    score: float | None = None


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """An example: two answers to a request, one better than the other."""

    messages: tuple[Message, ...]
    preferred: str
    rejected: str


def by_pass(
    pairs: Iterable[tuple[Sequence[Message], ScoredAnswer, ScoredAnswer]], left_out: LeftOut
) -> Iterator[PreferencePair]:
    """Prefer the chosen answer if it passed and the other one failed.

    Args:
        pairs: The messages of the request, the chosen and the other answer.
        left_out: Counts the other pairs: both passed, both failed, only the other passed, or one was not graded.
    """
    for messages, chosen, rejected in pairs:
        if chosen.passed is None or rejected.passed is None:
            left_out.add("not graded")
        elif chosen.passed == rejected.passed:
            left_out.add(f"{TIE}: both {'passed' if chosen.passed else 'failed'}")
        elif rejected.passed:
            left_out.add(TURNED)
        else:
            yield PreferencePair(tuple(messages), chosen.text, rejected.text)


def by_score(
    samples: Iterable[tuple[Sequence[Message], Sequence[ScoredAnswer]]],
    left_out: LeftOut,
    *,
    least_gap: float = 0.0,
    neighbours: bool = False,
) -> Iterator[PreferencePair]:
    """Prefer the best of several answers to the worst.

    Args:
        samples: The messages of the request and the scored answers.
        left_out: Counts ties, single answers and answers without a score.
        least_gap: The smallest difference of scores for a clear preference.
        neighbours: Pair each answer with the next lower one instead: more examples with smaller differences.
    """
    for messages, answers in samples:
        scored = sorted((a for a in answers if a.score is not None), key=lambda a: -(a.score or 0.0))
        if len(answers) > len(scored):
            left_out.add("not graded", len(answers) - len(scored))
        if len(scored) < 2:
            left_out.add(LONE)
            continue
        for better, worse in pairwise(scored) if neighbours else [(scored[0], scored[-1])]:
            gap = (better.score or 0.0) - (worse.score or 0.0)
            if gap > 0 and gap >= least_gap:
                yield PreferencePair(tuple(messages), better.text, worse.text)
            else:
                left_out.add(TIE if gap == 0 else f"{TIE}: scores differ by less than {least_gap:g}")


def from_table(
    path: Path,
    left_out: LeftOut,
    *,
    instruction: str = "instruction",
    chosen: str = "chosen",
    rejected: str = "rejected",
    system: str | None = None,
) -> Iterator[PreferencePair]:
    """Read pairs from a file with three columns, in one of the formats of ``read_rows``.

    The instruction is a text or a list of messages. Answers are texts, or lists of messages whose last one is the answer.

    Args:
        path: The file.
        left_out: Counts rows with an empty column.
        instruction: The column with the request.
        chosen: The column with the better answer.
        rejected: The column with the worse answer.
        system: A system message for every request.

    Raises:
        DatasetError: The file cannot be read or lacks a column; the message names the line.
    """
    empty = True
    for line, row in read_rows(path, str(path), DatasetError):
        empty = False
        place = at(path, line)
        if not isinstance(row, Mapping):
            raise DatasetError(f"{place}: the row is {kind_of(row)}; it must be an object with {instruction!r}, ….")
        for name, option in ((instruction, "--instruction"), (chosen, "--chosen"), (rejected, "--rejected")):
            if name not in row:
                raise DatasetError(
                    f"{place}: there is no column {name!r}; there are {brief(', '.join(map(repr, row))) or 'none'}. "
                    f"Name the right one with {option}."
                )
        if any(row[name] in (None, "", []) for name in (instruction, chosen, rejected)):
            left_out.add("an empty field")
            continue
        messages = _request(row[instruction], f"{place}: {instruction!r}")
        if system is not None:
            messages = ({"role": "system", "content": system}, *messages)
        answers = [_answer(row[name], f"{place}: {name!r}") for name in (chosen, rejected)]
        yield PreferencePair(messages, *answers)
    if empty:
        raise DatasetError(f"{path}: there is no pair in the file. Write at least one.")


def _request(value: Any, subject: str) -> tuple[Message, ...]:
    if isinstance(value, str):
        return ({"role": "user", "content": value},)
    messages = _messages(value, subject)
    return tuple({"role": message["role"], "content": text_of(message["content"])} for message in messages)


def _answer(value: Any, subject: str) -> str:
    return value if isinstance(value, str) else text_of(_messages(value, subject)[-1]["content"])


def _messages(value: Any, subject: str) -> Sequence[Mapping[str, Any]]:
    if isinstance(value, list) and value:
        if all(isinstance(m, Mapping) and isinstance(m.get("role"), str) and "content" in m for m in value):
            return value
        raise DatasetError(
            f'{subject} is a list with an entry that is not a message. Each message has "role" and "content".'
        )
    raise DatasetError(f"{subject} is {kind_of(value)}; it must be a text or a list of messages.")


def write_preferences(
    path: Path, preferences: Iterable[PreferencePair], left_out: LeftOut | None = None
) -> TrainingFile:
    """Write a preference file atomically; a temporary file holds the examples until contradictions are known.

    Args:
        path: The file to write.
        preferences: The examples.
        left_out: Counts of what was left out before; this function adds to them.

    Raises:
        TrainingFileError: No example is left, or the file cannot be written.
    """
    left_out = left_out or LeftOut()
    seen: dict[bytes, int] = {}
    reversed_ = set[int]()
    with TemporaryFile() as waiting:
        count = 0
        for preference in preferences:
            reason = _unfit(preference)
            mark = digest(list(preference.messages), preference.preferred, preference.rejected)
            if reason is None and mark in seen:
                reason = TWICE
            if reason is not None:
                left_out.add(reason)
                continue
            seen[mark] = count
            other = seen.get(digest(list(preference.messages), preference.rejected, preference.preferred))
            if other is not None:
                reversed_ |= {other, count}
            waiting.write(_line(preference) + b"\n")
            count += 1
        waiting.seek(0)
        with whole_file(path) as lines:
            for number, line in enumerate(waiting):
                if number not in reversed_:
                    lines.write(line.removesuffix(b"\n"))
            if reversed_:
                left_out.add(INCONSISTENT, len(reversed_))
            if not lines.count:
                raise TrainingFileError(
                    f"{path}: no clear preference is left to learn from ({left_out.in_words() or 'there were no pairs'}). "
                    "Nothing was written."
                )
    return TrainingFile(path, lines.count, left_out.counts, lines.sha256)


def _unfit(preference: PreferencePair) -> str | None:
    """Why a pair cannot be an example; None if it can."""
    roles = [message["role"] for message in preference.messages]
    contents = [message["content"] for message in preference.messages]
    if roles.count("user") != 1 or roles[-1] != "user" or not {*roles} <= {"system", "developer", "user"}:
        return TURNS
    if not all(isinstance(content, str) and content.strip() for content in contents):
        return TURNS
    if not preference.preferred.strip() or not preference.rejected.strip():
        return EMPTY
    return IDENTICAL if preference.preferred.split() == preference.rejected.split() else None


def _line(preference: PreferencePair) -> bytes:
    return orjson.dumps(
        {
            "input": {"messages": list(preference.messages), "tools": [], "parallel_tool_calls": True},
            "preferred_output": [{"role": "assistant", "content": preference.preferred}],
            "non_preferred_output": [{"role": "assistant", "content": preference.rejected}],
        }
    )
