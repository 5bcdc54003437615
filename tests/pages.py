"""Follows pages of docs/: writes their files, runs their commands in order, and compares the output with the page."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from processes import PATIENCE, put_commands_into

DOCS = Path(__file__).parents[1] / "docs"
FILE_OR_SESSION = re.compile(
    r"(?:^`([\w./]+)`:\n\n```\w+\n(.*?)^```$)|(?:^```console\n(.*?)^```$)", re.DOTALL | re.MULTILINE
)
RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-z]{4}")
ANYTHING = "…"


def page_named(name: str) -> Path:
    """The page with this file name, in any folder of docs/."""
    (path,) = DOCS.rglob(name)
    return path


def commands(session: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of a session, each with its expected output lines."""
    for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        command, _, said = part.partition("\n")
        yield command, said.splitlines()


def agrees(said: list[str], expected: list[str]) -> bool:
    """Whether the lines match; ``…`` stands for any number of lines."""
    if not expected:
        return not said
    if expected[0] == ANYTHING:
        return any(agrees(said[skipped:], expected[1:]) for skipped in range(len(said) + 1))
    return bool(said) and said[0] == expected[0] and agrees(said[1:], expected[1:])


def without_run_ids(text: str) -> str:
    """The text, with RUN in place of each run id."""
    return RUN_ID.sub("RUN", text)


def follow(name: str, folder: Path, plain: Callable[[str], str] = without_run_ids, **environment: str) -> int:
    """Write the files of a page, run its commands, and compare their output with the page.

    Args:
        name: The file name of the page, which is unique.
        folder: The working directory.
        plain: Removes text that differs between runs; applied to the page and to the output.
        environment: Additional environment variables.

    Returns:
        The number of commands that ran, which are all of the page.
    """
    with tempfile.TemporaryDirectory() as tools:
        put_commands_into(Path(tools))
        path = os.pathsep.join((tools, str(Path(sys.executable).parent), os.environ["PATH"]))
        return _follow(page_named(name).read_text(encoding="utf-8"), folder, plain, {"PATH": path, **environment})


def _follow(text: str, folder: Path, plain: Callable[[str], str], environment: dict[str, str]) -> int:
    ran = 0
    for name, content, session in FILE_OR_SESSION.findall(text):
        if name:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(content, encoding="utf-8")
        for command, expected in commands(session):
            done = subprocess.run(
                ["bash", "-c", command],
                check=False,
                cwd=folder,
                env=os.environ | environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=PATIENCE,
            )
            said = plain(done.stdout).splitlines()
            assert agrees(said, [plain(line) for line in expected]), f"$ {command}\n{done.stdout}"
            code = re.search(r"# exit code (\d+)", command)
            assert done.returncode == (int(code[1]) if code else 0), f"$ {command}: {done.returncode}"
            ran += 1
    assert ran == text.count("\n$ ")
    return ran
