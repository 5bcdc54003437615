"""The platform's Python grader: ``grade(sample, item)``, run in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from distilltest.errors import SuiteError
from distilltest.graders.scored import in_unit, scored
from distilltest.records import Grade

LARGEST_SOURCE = 256 * 1024
"""The platform's limit of a source, in bytes."""
TIME_LIMIT = 120.0
"""The platform's limit of one call, in seconds."""
MEMORY_LIMIT = 2 * 1024**3
"""The platform's limit of memory, in bytes."""


def python_grader(
    source: str,
    sample: Mapping[str, Any],
    item: Mapping[str, Any],
    *,
    pass_threshold: float = 0.5,
    time_limit: float = TIME_LIMIT,
    memory_limit: int = MEMORY_LIMIT,
) -> Grade:
    r"""Score what the source's ``grade(sample, item)`` returns, a number in [0, 1]; pass from the threshold on.

    As on the platform, an exception of ``grade``, a value that is no finite number, and a call that takes too long score
    0; the reason says which, and where most answers end so, the evaluation is an error. A process that dies, for want of memory
    say, scores 0 too. Whatever would fail for every case is an error at once: a source that cannot be compiled, a module that
    is missing, and a score outside [0, 1]. The platform publishes no
    default threshold; ours is 0.5.

    **What keeps a grader in.** It runs in a process of its own (``python -I``) that is kept for the next call of the same
    source; the source is executed anew for each call, only imported modules stay. The process has an empty directory, an
    environment without your variables and keys, the packages of this Python (not those of the platform's image), no
    standard input or output, and limits of time, of memory (kept on Linux, for each process) and of 1 GiB a file. On Linux it
    has, as far as the system allows, namespaces of its own (no network, no sight of other processes), no privileges, a user of
    its own where you are root, no files but its directory and Python's (Landlock), and no system calls that lead out (seccomp).
    Elsewhere Python itself refuses sockets and the starting of programs, by an audit hook. :func:`isolation` says what
    holds here; docs/reference/graders.md says against what.

    **What this is not.** A grader decides its own grades, so it can also forge them. And it is no virtual machine: run no code
    whose author you would not let near the machine.

    Args:
        source: The code, at most 256 KiB.
        sample: What the model said: see :func:`distilltest.graders.sample.sample_of`.
        item: The row of the dataset.
        pass_threshold: The least score that passes.
        time_limit: Seconds that one call may take; the start of the process does not count.
        memory_limit: Bytes of address space that the process may have.

    Raises:
        SuiteError: The source cannot work, the score is outside [0, 1], or the sample or item is not JSON.

    >>> source = "def grade(sample, item):\n    return sample['output_text'] == item['answer']"
    >>> python_grader(source, {"output_text": "Rome"}, {"answer": "Rome"}).score
    1.0
    >>> python_grader(source, {"output_text": "Rome"}, {}).reason
    "KeyError: 'answer' (line 2)"
    """
    from distilltest.graders.python_pool import worker
    from distilltest.graders.python_process import Ended, TookTooLong

    def zero(reason: str, raised: str) -> Grade:
        return replace(scored("python_grader", 0.0, pass_threshold, reason), raised=f"python_grader: {raised}")

    if len(source.encode(errors="replace")) > LARGEST_SOURCE:
        raise SuiteError(f"python_grader: the source has more than {LARGEST_SOURCE // 1024} KiB.")
    if not time_limit > 0 or not memory_limit > 0:
        raise SuiteError(
            f"python_grader: time_limit is {time_limit}, memory_limit {memory_limit}; both are more than 0."
        )
    try:
        with worker(source, memory_limit, time_limit) as process:
            answer = process.ask({"sample": sample, "item": item}, time_limit)
    except TookTooLong:
        return zero(f"grade took longer than {time_limit:g} s", "took too long")
    except Ended as error:
        return zero(f"{error}; its limit of memory is {memory_limit // 1024**2} MiB", "its process ended")
    except RecursionError:
        return scored("python_grader", 0.0, pass_threshold, "the sample is nested too deeply")
    if "broken" in answer:
        raise SuiteError(f"python_grader: the source is broken: {answer['broken']}.")
    if "error" in answer:
        return zero(str(answer["error"]), _kind_of(str(answer["error"])))
    score = answer.get("score")
    if not isinstance(score, int | float):
        return zero("the answer of its process was overwritten", "its answer was overwritten")
    score = in_unit(score)
    if not 0 <= score <= 1:
        raise SuiteError(f"python_grader: grade returned {score:g}; a score is in [0, 1]: divide it by what is best.")
    return scored("python_grader", score, pass_threshold, f"grade returned {score:g}")


def _kind_of(error: str) -> str:
    """An error without what it says of this one answer: ``KeyError: 'term' (line 2)`` → ``KeyError (line 2)``."""
    line = error.rpartition(" (line ")[2]
    return error.partition(":")[0] + (f" (line {line}" if line != error else "")


@dataclass(frozen=True, slots=True)
class Isolation:
    """What keeps a Python grader in on this machine."""

    network: str
    """``namespace``: a network of its own with nothing in it. ``seccomp``: the system refuses sockets. ``hook``: Python does."""
    processes: str
    """``limited``: it may start some, sees no others, and all end with it. ``refused``: by the system. ``hook``: by Python."""
    files: str
    """``own directory``: beside Python's and what is installed it reads and writes no others. ``all``: what its user may."""
    user: str
    """``nobody``: it runs as a user of its own, since you are root. ``own``: as you, without privileges."""
    memory: bool
    """Is the limit of memory kept?"""


def isolation() -> Isolation:
    """Find out what keeps a Python grader in on this machine, by starting one."""
    from distilltest.graders.python_pool import worker

    with worker("def grade(sample, item): return 0", MEMORY_LIMIT, TIME_LIMIT) as process:
        process.ask({"sample": {}, "item": {}}, TIME_LIMIT)
        return Isolation(**process.isolation)
