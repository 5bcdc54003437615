"""docs/training-data.md: its files are written, its commands are run, and they say what the page says."""

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs/training-data.md").read_text(encoding="utf-8")
FILE_OR_SESSION = re.compile(
    r"(?:^`([\w./]+)`:\n\n```\w+\n(.*?)^```$)|(?:^```console\n(.*?)^```$)", re.DOTALL | re.MULTILINE
)
RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")
ANYTHING = "…"


def commands(session):
    """The commands of a session, each with the lines that it shall say."""
    for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        command, _, said = part.partition("\n")
        yield command, said.splitlines()


def agrees(said, expected):
    """Whether lines are as expected; ``…`` stands for any number of lines."""
    if not expected:
        return not said
    if expected[0] == ANYTHING:
        return any(agrees(said[skipped:], expected[1:]) for skipped in range(len(said) + 1))
    return bool(said) and said[0] == expected[0] and agrees(said[1:], expected[1:])


def test_every_command_of_the_page_says_what_the_page_says(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    ran = 0
    for name, content, session in FILE_OR_SESSION.findall(PAGE):
        if name:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(content, encoding="utf-8")
        for command, expected in commands(session):
            done = subprocess.run(
                ["bash", "-c", command],
                check=False,
                cwd=tmp_path,
                env=os.environ | {"PATH": path},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=300,
            )
            said = RUN_ID.sub("RUN", done.stdout).splitlines()
            assert agrees(said, expected), f"$ {command}\n{done.stdout}"
            code = re.search(r"# exit code (\d+)", command)
            assert done.returncode == (int(code[1]) if code else 0), f"$ {command}: {done.returncode}"
            ran += 1
    assert ran == PAGE.count("\n$ ")
    assert ran >= 7
