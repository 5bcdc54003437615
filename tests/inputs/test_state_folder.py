"""Every command makes the folder .distilltest private and ignored by git."""

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import distilltest
from distilltest.cli import main
from distilltest.cli.main import parser
from distilltest.completions.client import _embedded
from distilltest.data.whole_files import STATE_FOLDER, make_folder

TRAINING = "".join(
    json.dumps({"messages": [{"role": "user", "content": f"q{i}"}, {"role": "assistant", "content": f"a{i}"}]}) + "\n"
    for i in range(12)
)
COMMANDS = {
    "init": "other",
    "distill": "",
    "collect": "--dataset fixtures/requests.jsonl",
    "serve": "--port 0",
    "finetune start": "train.jsonl",
    "finetune list": "",
    "finetune show": "ftjob-1",
    "finetune watch": "ftjob-1",
    "finetune cancel": "ftjob-1",
    "finetune checkpoints": "ftjob-1",
    "learning-curve": "--file train.jsonl --sizes 10 --suite nowhere",
    "completions list": "",
    "completions show": "abc",
    "completions tag": "--all --set a=b",
    "completions delete": "--all --yes",
    "completions redact": "--all --yes --find x",
    "completions export": "out.jsonl",
    "completions import": "--from-server",
    "dataset sft": "--output out.jsonl",
    "dataset dpo": "--output out.jsonl",
    "dataset check": "train.jsonl",
    "dataset clean": "train.jsonl --output out.jsonl",
    "judge calibrate": "--labels train.jsonl --grader sentiment",
    "judge sample": "x --out out.jsonl",
    "promote": "",
    "attempts list": "",
    "attempts forget": "1 --reason x",
    "promotions list": "",
    "promotions show": "",
    "promotions verify": "",
    "promotions rollback": "--reason x",
    "archive openai": "",
    "archive verify": "nowhere",
    "report": "",
    "schema": "",
}
MADE_BY = (
    "collect",
    "finetune start",
    "finetune list",
    "completions import",
    "distill",
    "dataset sft",
    "learning-curve",
)


def leaves(of, path=""):
    """Every command without subcommands."""
    groups = [action for action in of._actions if isinstance(action, argparse._SubParsersAction)]
    for group in groups:
        for name, command in group.choices.items():
            yield from leaves(command, f"{path} {name}".strip())
    if not groups:
        yield path


@pytest.fixture
def project(tmp_path, monkeypatch):
    assert main(["init", str(tmp_path / "project")]) == 0
    monkeypatch.chdir(tmp_path / "project")
    Path("train.jsonl").write_text(TRAINING)
    before = os.umask(0o022)
    yield Path()
    os.umask(before)
    for folder in [folder for folder in _embedded if folder.startswith(str(tmp_path))]:
        _embedded.pop(folder).stop()


def check(folder):
    assert oct(folder.stat().st_mode & 0o777) == "0o700"
    assert (folder / ".gitignore").read_text().endswith("\n*\n")


def test_every_command_is_tried_here():
    assert set(leaves(parser())) == set(COMMANDS)


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"serve"}))
def test_whichever_command_makes_the_folder_makes_it_right(command, project, capsys):
    main([*command.split(), *shlex.split(COMMANDS[command])])
    assert (project / STATE_FOLDER).exists() or command not in MADE_BY, capsys.readouterr()
    if (project / STATE_FOLDER).exists():
        check(project / STATE_FOLDER)


def test_serve_makes_it_right(project):
    with subprocess.Popen(
        [sys.executable, "-m", "distilltest", "serve", "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert "serving" in process.stdout.readline()
        check(project / STATE_FOLDER)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate()
    assert (process.returncode, rest.splitlines()[-1]) == (0, "stopped")


def test_pytest_makes_it_right(project):
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "suites"], capture_output=True, text=True, check=False)
    assert (project / STATE_FOLDER).exists(), done.stdout
    check(project / STATE_FOLDER)


def test_a_folder_that_was_there_is_left_as_it_is(tmp_path):
    (tmp_path / STATE_FOLDER).mkdir(mode=0o755)
    make_folder(tmp_path / STATE_FOLDER / "embedded")
    assert [path.name for path in (tmp_path / STATE_FOLDER).iterdir()] == ["embedded"]


def test_folders_are_made_in_one_place():
    """A module that makes folders itself could make the state folder without its permissions."""
    root = Path(distilltest.__file__).parent
    files = [path for path in root.rglob("*.py") if re.search(r"\bmk_?dirs?\(|makedirs\(", path.read_text())]
    makers = {path.relative_to(root).as_posix() for path in files}
    archive = {"exchange/archive/folder.py", "exchange/archive/lines.py"}
    inside = {"server/files.py", "server/objects.py", "trainer/models.py"}  # below a folder that they are given
    assert makers == {"data/whole_files.py", "cli/init.py", *inside, *archive}
