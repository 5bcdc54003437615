"""Every command of docs/how-to/completions.md prints what the page shows."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from pages import page_named

from distilltest.cli import main
from distilltest.completions.client import openai_client
from distilltest.config import load_config

PAGE = page_named("completions.md").read_text(encoding="utf-8")


def steps():
    """Each command of the page with the lines below it."""
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = step.partition("\n")
            yield command, shown


def plain(text):
    """Without what differs from run to run: names of runs, and times and widths of what the embedded server kept."""
    text = re.sub(r"\d{8}-\d{6}-[0-9a-z]{4}", "RUN", text)
    return text.replace(str(Path.cwd()), ".")


@pytest.fixture
def server_with_three(tmp_path, monkeypatch):
    """A project of `distilltest init`, whose embedded server has stored three completions with a label."""
    monkeypatch.chdir(tmp_path)
    assert main(["init", "."]) == 0
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "answers.jsonl").write_text(re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1])
    config = load_config(tmp_path)
    with openai_client(config.servers["embedded"], config) as client:
        for text in ("list all tags", "delete the tag v1", "push the tags"):
            client.chat.completions.create(
                model="embedded-teacher",
                messages=[{"role": "user", "content": text}],
                temperature=0,
                store=True,
                metadata={"task": "tags"},
            )


@pytest.mark.usefixtures("server_with_three")
def test_every_command_prints_what_the_page_shows(capsys):
    seen = 0
    capsys.readouterr()
    for command, shown in steps():
        words = shlex.split(command)
        if words[0] == "pytest":
            done = subprocess.run([sys.executable, "-m", *words], check=False, capture_output=True, text=True)
            assert "0 requests sent" in done.stdout, done.stdout
            continue
        assert main(words[1:]) == 0, command
        assert plain(capsys.readouterr().out) == plain(shown), command
        seen += 1
    actions = {words[2] for words in (shlex.split(command) for command, _ in steps()) if words[0] == "distilltest"}
    assert actions == {"list", "show", "tag", "export", "delete", "import", "redact"}
    assert seen >= 12
