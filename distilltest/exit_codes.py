"""What a process says when it ends. pytest's own codes keep their meaning; ours begin where pytest's end."""

PROMOTED = 0
"""Every evaluation says promote, and every ordinary test passed (pytest's OK)."""
BLOCKED = 1
"""Something blocked, or an ordinary test failed or errored (pytest's TESTS_FAILED)."""
UNDECIDED = 10
"""Nothing blocked, but at least one evaluation has too few cases to tell."""
INCOMPLETE = 11
"""Nothing blocked, but at least one evaluation could not be completed: calls failed, or the run was narrowed."""

USAGE = 2
"""The command line was wrong (argparse's own code)."""
ERROR = 3
"""distilltest could not do what was asked; the message says why."""
INTERRUPTED = 130
"""Ctrl-C."""
