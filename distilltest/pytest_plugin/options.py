"""pytest's options for evaluations."""

from __future__ import annotations

import pytest


def add_options(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("distilltest", "evaluations of models (distilltest)")
    group.addoption("--candidate", metavar="MODEL", help="the fine-tune on trial, instead of the configured one")
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
        "--plan", action="store_true", help="send nothing: say what the evaluations will cost and what they can show"
    )
    group.addoption(
        "--stop-early",
        action="store_true",
        help="look at a quarter, half and three quarters of the cases, and stop when decided",
    )
    group.addoption("--without-leaked", action="store_true", help="leave out cases that the candidate was trained on")
    group.addoption(
        "--time-limit",
        metavar="TIME",
        type=_duration,
        help="stop evaluating after 90s, 10m or 1h30m; what has no verdict then is incomplete, and running again goes on",
    )
    group.addoption("--fresh", action="store_true", help="ask again, whatever the store has")
    group.addoption("--offline", action="store_true", help="send nothing: only completions that the store has")


def _positive(text: str) -> int:
    import argparse

    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of cases; give a whole number from 1")
    return int(text)


def _duration(text: str) -> str:
    from distilltest.process.interruption import duration

    return duration(text)
