"""The rules for whole training files, supervised and preference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distilltest.errors import TrainingFileError, at
from distilltest.training_files.lines import Finding, digest, read_lines
from distilltest.training_files.tokens import Counter

LEAST_EXAMPLES = 10
"""The platform's minimum."""
SUGGESTED_EXAMPLES = 50
"""The platform's recommendation for a start."""
LARGEST_FILE = 512 * 1024 * 1024
"""The most bytes of a file that the platform accepts."""
LONGEST_EXAMPLE = 65_536
"""The most tokens of an example for gpt-4o, gpt-4.1 and their mini models; the platform cuts off the rest."""


@dataclass
class FileTally:
    """Counts of a file while it is read; examples are kept as digests (350 bytes a line) to find duplicates."""

    counter: Counter
    max_tokens: int = LONGEST_EXAMPLE
    lines: int = 0
    good: int = 0
    _examples: dict[bytes, int] = field(default_factory=dict)
    _extra: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Field that the format does not have → (its first line, the number of lines with it)."""

    def line(self, number: int, findings: Iterable[Finding]) -> Iterator[Finding]:
        """Yield a line's findings, and count the line as good unless one is fatal."""
        self.lines = number
        fatal = False
        for finding in findings:
            fatal = fatal or finding.fatal
            yield finding
        self.good += not fatal

    def twice(self, number: int, *values: Any) -> Finding | None:
        """A finding if an earlier line has the same example."""
        first = self._examples.setdefault(digest(*values), number)
        if first == number:
            return None
        return Finding(number, f"the same as line {first}. Leave one out.", fatal=False)

    def length(self, number: int, text: str, messages: int) -> Finding | None:
        """A finding if an example is too long. Short texts are not counted: a text has at most as many tokens as bytes."""
        if len(text) * 4 + 3 * messages <= self.max_tokens:
            return None
        tokens = self.counter.messages(text, messages)
        if tokens <= self.max_tokens:
            return None
        return Finding(
            number,
            f"about {tokens:,} tokens ({self.counter.name}); more than {self.max_tokens:,} are cut off at the end, where "
            "the answer is. Shorten the example or take it out.",
            fatal=False,
        )

    def fields(self, number: int, content: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
        """Count fields that the format does not have."""
        for name in content:
            if name not in allowed:
                first, count = self._extra.get(name, (number, 0))
                self._extra[name] = (first, count + 1)

    def whole(self) -> Iterator[Finding]:
        """The findings about the file as a whole, after its last line."""
        for name, (first, count) in list(self._extra.items())[:10]:
            lines = "1 line has" if count == 1 else f"{count:,} lines have"
            yield Finding(
                first,
                f"{lines} the field {name!r}, which the format does not have. Fine for `distilltest dataset check`; take it "
                "out before you upload the file, because a platform may refuse it.",
                fatal=False,
            )
        if len(self._extra) > 10:
            yield Finding(0, f"{len(self._extra) - 10} further fields that the format does not have.", fatal=False)
        if self.lines == 0:
            yield Finding(0, "the file is empty. Write one example a line.")
        elif self.good < LEAST_EXAMPLES:
            yield Finding(0, f"{self.good} examples; platforms ask for at least {LEAST_EXAMPLES}. Collect more.")
        elif self.good < SUGGESTED_EXAMPLES:
            yield Finding(
                0, f"{self.good} examples; {SUGGESTED_EXAMPLES} to 100 are a good start. Collect more.", fatal=False
            )


def too_large(path: Path) -> Finding | None:
    """A finding if a file is larger than the platform accepts."""
    try:
        size = path.stat().st_size
    except OSError:
        return None  # reading the file raises the right error
    if size <= LARGEST_FILE:
        return None
    return Finding(
        0, f"{size / 1024**2:.0f} MB; platforms take {LARGEST_FILE // 1024**2} MB. Split it or leave some out."
    )


def refuse_bad(path: Path, findings: Iterable[Finding]) -> list[Finding]:
    """Raise if a finding is fatal; otherwise return all findings.

    Raises:
        TrainingFileError: A platform would reject the file; the message names lines and remedies.
    """
    found = list(findings)
    fatal = [finding for finding in found if finding.fatal]
    if fatal:
        shown = "\n".join(f"{at(path, finding.line)}: {finding.message}" for finding in fatal[:10])
        more = f"\n… and {len(fatal) - 10} more" if len(fatal) > 10 else ""
        raise TrainingFileError(f"{shown}{more}")
    return found


def findings_of(
    path: Path,
    tally: FileTally,
    problems: Callable[[Any], Iterable[tuple[str, bool]]],
    warnings: Callable[[int, Any], Iterable[Finding]],
) -> Iterator[Finding]:
    """Check a file of any format, line by line.

    Args:
        path: The file.
        tally: Counts lines and duplicates.
        problems: Checks the content of a line: yields each problem, and whether it is fatal.
        warnings: Checks a good line, by its number and content: duplicates, length.

    Raises:
        TrainingFileError: The file cannot be read.
    """
    large = too_large(path)
    if large:
        yield large
    for line in read_lines(path):
        findings = [Finding(line.number, line.problem)] if line.problem else []
        if line.content is not None or not line.problem:
            findings += [Finding(line.number, *problem) for problem in problems(line.content)]
        fatal = [finding for finding in findings if finding.fatal]
        if not fatal:
            findings += warnings(line.number, line.content)
        yield from tally.line(line.number, fatal or findings)
    yield from tally.whole()
