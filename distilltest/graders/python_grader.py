"""OpenAI's Python grader: ``grade(sample, item)``, run in a separate process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from distilltest.errors import SuiteError
from distilltest.graders.scored import in_unit, scored
from distilltest.records import Grade

LARGEST_SOURCE = 256 * 1024
"""OpenAI's limit on the source, in bytes."""
TIME_LIMIT = 120.0
"""OpenAI's limit on one call, in seconds."""
MEMORY_LIMIT = 2 * 1024**3
"""OpenAI's limit on memory, in bytes."""


def python_grader(
    source: str,
    sample: Mapping[str, Any],
    item: Mapping[str, Any],
    *,
    pass_threshold: float = 0.5,
    time_limit: float = TIME_LIMIT,
    memory_limit: int = MEMORY_LIMIT,
) -> Grade:
    r"""Score the number in [0, 1] that the source's ``grade(sample, item)`` returns; pass at the threshold or above.

    As on OpenAI's platform, an exception in ``grade``, a value that is not a finite number, and a call that takes too long
    score 0, and so does a process that dies, for example because it has too little memory. The reason says which; if most
    answers end like this, the evaluation is an error. Mistakes that affect every case are errors at once: a source that does
    not compile, a missing module, a score outside [0, 1]. OpenAI publishes no default threshold; ours is 0.5.

    **Isolation.** The grader runs in a separate process (``python -I``), which is kept for the next call of the same source. Each
    call executes the source again; only imported modules remain. The process has an empty directory, an environment without
    your variables and keys, the packages of this Python (not those of OpenAI's image), no standard input or output, and limits
    on time, memory (enforced on Linux, for each process) and file size (1 GiB). On Linux it also has, as far as the system
    allows, its own namespaces (no network, no view of other processes), no privileges, its own user if you are root, access
    only to its directory and Python's files (Landlock), and no system calls that lead out (seccomp). On other systems an audit
    hook in Python refuses sockets and the start of programs. :func:`isolation` reports what holds on this machine;
    docs/reference/graders.md lists the attacks that fail.

    **Limits of the isolation.** A grader decides its own grades, so it can also forge them. It is not a virtual machine: run only
    code by authors whom you would let use the machine.

    Args:
        source: The code, at most 256 KiB.
        sample: The model's response; see :func:`distilltest.graders.sample.sample_of`.
        item: The row of the dataset.
        pass_threshold: The lowest score that passes.
        time_limit: Seconds for one call, without the start of the process.
        memory_limit: Bytes of address space of the process.

    Raises:
        SuiteError: The source is invalid, the score is outside [0, 1], or the sample or item is not JSON.

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
            f"python_grader: time_limit is {time_limit}, memory_limit {memory_limit}; both must be more than 0."
        )
    try:
        with worker(source, memory_limit, time_limit) as process:
            answer = process.ask({"sample": sample, "item": item}, time_limit)
    except TookTooLong:
        return zero(f"grade took longer than {time_limit:g} s", "took too long")
    except Ended as error:
        return zero(f"{error}; its memory limit is {memory_limit // 1024**2} MiB", "its process ended")
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
        raise SuiteError(
            f"python_grader: grade returned {score:g}; a score is in [0, 1]: divide it by the highest value."
        )
    return scored("python_grader", score, pass_threshold, f"grade returned {score:g}")


def _kind_of(error: str) -> str:
    """The kind and line of an error, without its message: ``KeyError: 'term' (line 2)`` → ``KeyError (line 2)``."""
    line = error.rpartition(" (line ")[2]
    return error.partition(":")[0] + (f" (line {line}" if line != error else "")


@dataclass(frozen=True, slots=True)
class Isolation:
    """The isolation of Python graders on this machine."""

    network: str
    """``namespace``: an empty network of its own. ``seccomp``: the system refuses sockets. ``hook``: Python refuses them."""
    processes: str
    """``limited``: it may start some, sees no others, and all end with it. ``refused``: by the system. ``hook``: by Python."""
    files: str
    """``own directory``: only its directory, Python and installed packages. ``all``: everything that its user may use."""
    user: str
    """``nobody``: a separate user, because you are root. ``own``: your user, without privileges."""
    memory: bool
    """Whether the memory limit is enforced."""


def isolation() -> Isolation:
    """Start a Python grader, and report how it is isolated on this machine."""
    from distilltest.graders.python_pool import worker

    with worker("def grade(sample, item): return 0", MEMORY_LIMIT, TIME_LIMIT) as process:
        process.ask({"sample": {}, "item": {}}, TIME_LIMIT)
        return Isolation(**process.isolation)
