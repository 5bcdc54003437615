"""pytest's options for evaluations."""

from __future__ import annotations

import pytest


def add_options(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("distilltest", "evaluations of models (distilltest)")
    group.addoption(
        "--candidate", metavar="MODEL", help="the fine-tuned model to evaluate, instead of the configured one"
    )
    group.addoption("--base", metavar="MODEL", help="the untuned student, instead of the configured one")
    group.addoption("--teacher", metavar="MODEL", help="the teacher, instead of the configured one")
    group.addoption("--limit", metavar="N", type=_positive, help="only the first N cases; such a run never promotes")
    group.addoption(
        "--tag", metavar="TAG", action="append", default=[], help="only cases with this tag; may be repeated"
    )
    group.addoption(
        "--case", metavar="ID", action="append", default=[], help="only the case with this id; may be repeated"
    )
    group.addoption(
        "--plan", action="store_true", help="send nothing: estimate what the evaluations cost and what they can show"
    )
    group.addoption(
        "--stop-early",
        action="store_true",
        help="decide after a quarter, half and three quarters of the cases if possible, and stop then",
    )
    group.addoption(
        "--without-leaked", action="store_true", help="leave out cases that are in the candidate's training file"
    )
    group.addoption(
        "--time-limit",
        metavar="TIME",
        type=_duration,
        help="stop after 90s, 10m or 1h30m; evaluations without a verdict are incomplete, and the next run continues",
    )
    group.addoption("--fresh", action="store_true", help="send every request again, even if the store has the response")
    group.addoption("--offline", action="store_true", help="send nothing: use only completions in the store")


def _positive(text: str) -> int:
    import argparse

    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of cases; give a whole number from 1")
    return int(text)


def _duration(text: str) -> str:
    from distilltest.process.interruption import duration

    return duration(text)
