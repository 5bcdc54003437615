"""What a process says when it ends. pytest's own codes keep their meaning; ours begin where pytest's end.

Where several hold in one pytest session, the first of this order wins: an ordinary failing test or a block (1), a bug of ours,
say a report that could not be made (70), an evaluation that could not run (12), incomplete (11), undecided (10). A block is
evidence that no later repair takes away, so it comes first. What is broken comes before what is missing, because running again
does not mend it.
"""

PROMOTED = 0
"""Every evaluation says promote, and every ordinary test passed (pytest's OK)."""
BLOCKED = 1
"""Something blocked, or an ordinary test failed or errored (pytest's TESTS_FAILED). Nothing else ends so."""
UNDECIDED = 10
"""Nothing blocked, but at least one evaluation has too few cases to tell."""
INCOMPLETE = 11
"""Nothing blocked, but at least one evaluation could not be completed: calls failed, or the run was narrowed."""
VERDICTS = (PROMOTED, BLOCKED, UNDECIDED, INCOMPLETE)
"""The codes of a session whose evaluations all came to a verdict."""
COULD_NOT_RUN = 12
"""Nothing blocked, but at least one evaluation could not run: its configuration, data, suite or store is broken."""
REFUSED = 13
"""A command checked a file, an archive or a history, and what it found is wrong: not fit for training, changed, or missing."""

USAGE = 2
"""The command line was wrong (argparse's own code)."""
ERROR = 3
"""distilltest could not do what was asked; the message says why."""
INTERNAL_ERROR = 70
"""A bug in distilltest (EX_SOFTWARE of sysexits.h); the message says how to report it."""
INTERRUPTED = 130
"""Ctrl-C, SIGTERM or SIGHUP. pytest's own code for it is 2."""
BROKEN_PIPE = 141
"""Whoever read the output has gone, as in ``distilltest completions list | head`` (128 + SIGPIPE, as of other commands)."""
