"""The exit codes. pytest's own codes keep their meaning; ours begin after them.

If several apply to one pytest session, the first of this order wins: an ordinary failing test or a block (1), a bug in
distilltest such as a report that could not be made (70), an evaluation that could not run (12), incomplete (11), undecided
(10). A block comes first because it is evidence that no later repair changes. Broken comes before incomplete because running
again does not fix it.
"""

PROMOTED = 0
"""Every evaluation has the verdict promote, and every ordinary test passed (pytest's OK)."""
BLOCKED = 1
"""An evaluation has the verdict block, or an ordinary test failed or errored (pytest's TESTS_FAILED)."""
UNDECIDED = 10
"""Nothing blocked, but at least one evaluation has too few cases to tell."""
INCOMPLETE = 11
"""Nothing blocked, but at least one evaluation could not be completed: calls failed, or the run was narrowed."""
OF_VERDICT = {"block": BLOCKED, "incomplete": INCOMPLETE, "undecided": UNDECIDED, "promote": PROMOTED}
"""Verdict → exit code. Of several verdicts, the first in this order counts."""
VERDICTS = tuple(OF_VERDICT.values())
"""The codes of a session in which every evaluation has a verdict."""
COULD_NOT_RUN = 12
"""Nothing blocked, but at least one evaluation could not run: its configuration, data, suite or store is broken."""
REFUSED = 13
"""A command checked a file, an archive or a history and found it unfit for training, changed or missing."""

USAGE = 2
"""The command line was wrong (argparse's own code)."""
ERROR = 3
"""The command failed; the message says why."""
INTERNAL_ERROR = 70
"""A bug in distilltest (EX_SOFTWARE of sysexits.h); the message says how to report it."""
INTERRUPTED = 130
"""Ctrl-C, SIGTERM or SIGHUP. pytest's own code for an interruption is 2."""
BROKEN_PIPE = 141
"""The reader of the output has closed it, as in ``distilltest completions list | head`` (128 + SIGPIPE)."""
