"""Exceptions of test functions and graders: a failed grade, or an error in the suite."""

from __future__ import annotations

import sys
from pathlib import Path
from traceback import walk_tb

from distilltest.errors import SuiteError, brief
from distilltest.records import Case, Completion, Grade

_PACKAGE = Path(__file__).parents[1]


def failed_by(error: Exception, name: str) -> Grade:
    """A failed grade for an exception that a grader or test function raised on an answer.

    Raises:
        SuiteError: A module or a name is missing, which would fail for any answer.
    """
    place = _place(error)
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, ImportError | NameError):
        raise SuiteError(f"{text}{place}. This would fail for any answer: install the module, or fix the code.")
    return Grade(name, 0.0, False, brief(" ".join(text.split())) + place, raised=f"{type(error).__name__}{place}")


def named(error: SuiteError, case: Case, role: str, completion: Completion) -> SuiteError:
    """The error, with the case that it occurred on."""
    if repr(case.id) in str(error):
        return error
    text = brief(completion.text, 200)
    return SuiteError(f"{error}\nwhile grading case {case.id!r} ({case.place}) on {role}, which answered {text!r}")


def _place(error: Exception) -> str:
    """The innermost line of the user's code in the traceback, else of another package; empty if every frame is distilltest's."""
    frames = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    others = [each for each in frames if _PACKAGE not in Path(each[0]).parents]
    own = [(name, line) for name, line in others if "site-packages" not in name and not name.startswith(_NOT_THEIRS)]
    if not others:
        return ""
    name, line = (own or others)[-1]
    return f" ({Path(name).name}:{line})"


_NOT_THEIRS = (str(Path(sys.base_prefix) / "lib"), "<")
"""Path prefixes of the standard library, and of code without a file."""
