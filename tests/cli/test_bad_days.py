"""Every command on a bad day: a clear error with a code that is not 1, and never a traceback."""

import argparse
import contextlib
import os
import re
import shutil
import socket
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from distilltest.cli import main
from distilltest.cli.main import parser
from distilltest.exchange.archive.run import archive
from distilltest.exit_codes import BLOCKED, ERROR, INTERNAL_ERROR
from distilltest.records import Completion, Request
from distilltest.store import Store

COMMANDS = {
    "init": "new",
    "archive openai": "--server s --output out",
    "archive verify": "out",
    "distill": "",
    "collect": "--dataset data.jsonl --prompt prompt.yaml",
    "serve": "--data file --port 0",  # a folder that cannot be made: else it would serve
    "finetune start": "train.jsonl",
    "finetune list": "",
    "finetune show": "ftjob-1",
    "finetune watch": "",
    "finetune checkpoints": "ftjob-1",
    "finetune cancel": "ftjob-1",
    "learning-curve": "--file train.jsonl --sizes 10,12",
    "completions list": "",
    "completions show": "ffff",
    "completions tag": "--all --set a=b",
    "completions delete": "--all --yes",
    "completions redact": "--all --find email --yes",
    "completions export": "out.jsonl",
    "completions import": "train.jsonl --model m",
    "dataset sft": "--role teacher --output out.jsonl",
    "dataset dpo": "--from pairs.jsonl --output out.jsonl",
    "dataset check": "train.jsonl --against data.jsonl --prompt prompt.yaml",
    "dataset clean": "train.jsonl --against data.jsonl --output out.jsonl",
    "judge calibrate": "--grader criteria_match --labels labels.jsonl",
    "judge sample": "test_numbers --out sheet.jsonl",
    "promote": "--offline",
    "promotions list": "",
    "promotions show": "",
    "promotions verify": "",
    "promotions rollback": "--reason x --offline",
    "attempts list": "",
    "attempts forget": "1 --reason x",
    "report": "",
    "schema": "",
}
"""What each command is called with; on a good day it would do something, or find nothing to do."""


WORK_ALONE = {
    "init",
    "completions list",
    "completions tag",
    "completions delete",
    "completions redact",
    "completions export",
    "completions import",
    "dataset sft",
    "dataset dpo",
    "dataset check",
    "dataset clean",
    "promotions list",
    "promotions verify",
    "attempts list",
    "schema",
}
"""Those that need no server, no run and no promotion: on a good day they do what they are asked."""


def leaves(of: argparse.ArgumentParser, path: str = "") -> list[str]:
    """Every command that can be called."""
    subs = [action for action in of._actions if isinstance(action, argparse._SubParsersAction)]
    if not subs:
        return [path.strip()]
    return [leaf for name, sub in subs[0].choices.items() for leaf in leaves(sub, f"{path} {name}")]


def test_every_command_is_in_the_table():
    assert set(leaves(parser())) == set(COMMANDS)


def nothing(root: Path) -> None:
    """A good day, but for a server that nobody listens on."""


def garbage_store(root: Path) -> None:
    (root / ".distilltest/store.sqlite3").write_text("this is no database, only a long text. " * 500)


def half_a_store(root: Path) -> None:
    path = root / ".distilltest/store.sqlite3"
    sqlite3.connect(path).execute("PRAGMA journal_mode = DELETE")
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))


def another_store(root: Path) -> None:
    path = root / ".distilltest/store.sqlite3"
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE completion (a)")
    connection.close()


def newer_store(root: Path) -> None:
    connection = sqlite3.connect(root / ".distilltest/store.sqlite3")
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def store_is_a_folder(root: Path) -> None:
    shutil.rmtree(root / ".distilltest")
    (root / ".distilltest/store.sqlite3").mkdir(parents=True)


def no_store(root: Path) -> None:
    shutil.rmtree(root / ".distilltest")


def broken_configuration(root: Path) -> None:
    (root / "distilltest.yaml").write_text("servers: [: {\n")


def binary_configuration(root: Path) -> None:
    (root / "distilltest.yaml").write_bytes(bytes(range(256)))


def missing_files(root: Path) -> None:
    for path in root.glob("[!.]*.*"):
        if path.name != "distilltest.yaml":
            path.unlink()


def broken_files(root: Path) -> None:
    for path in root.glob("[!.]*.*"):
        if path.name != "distilltest.yaml":
            path.write_bytes(b'{"a": [\xff\x00\n- : {')


def folders_for_files(root: Path) -> None:
    for path in root.glob("[!.]*.*"):
        if path.name != "distilltest.yaml":
            path.unlink()
            path.mkdir()
    (root / "out.jsonl").mkdir(exist_ok=True)
    (root / "sheet.jsonl").mkdir(exist_ok=True)


def broken_promotions(root: Path) -> None:
    (root / "promotions.yaml").write_text("- nothing\n- {of: the kind}\n")


FORGED = "\nPROMOTE: all rules hold"


def hostile_names(root: Path) -> None:
    """Every name and text in a file goes on in a line that looks like ours."""
    for name in ("distilltest.yaml", "prompt.yaml", "data.jsonl", "train.jsonl", "pairs.jsonl", "labels.jsonl"):
        path = root / name
        hostile = r'"\1\\nPROMOTE: all rules hold"'
        text = re.sub(r'(?<=: )"([^"{]+)"(?=[,}])', hostile, path.read_text())
        path.write_text(re.sub(r"(?<=model: )(\w+)", hostile, text))
    with Store.open(root / ".distilltest/store.sqlite3") as store:
        place = Request("s", "http://127.0.0.1:9/v1", f"m{FORGED}", ({"role": f"user{FORGED}", "content": FORGED},))
        answer = Completion(place.key, f"s{FORGED}", place.model, f"a{FORGED}", finish_reason=FORGED, created=2.0)
        store.save_all([(place, answer, b"{}")])


def read_only(root: Path) -> None:
    for path in sorted(root.rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    root.chmod(0o555)


DAYS = [
    nothing,
    garbage_store,
    half_a_store,
    another_store,
    newer_store,
    store_is_a_folder,
    no_store,
    broken_configuration,
    binary_configuration,
    missing_files,
    broken_files,
    folders_for_files,
    broken_promotions,
    hostile_names,
    read_only,
]


@pytest.fixture(scope="module")
def nobody() -> Iterator[str]:
    """An address at which every connection is refused: the port is ours, and nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"


@pytest.fixture(scope="module")
def good(nobody: str) -> Iterator[Path]:
    """A project in which every command has something to work on."""
    root = Path(tempfile.mkdtemp(prefix="distilltest-bad-days-"))  # not below pytest's own, private folders
    root.chmod(0o755)
    line = '{"messages": [{"role": "user", "content": "train %d"}, {"role": "assistant", "content": "a"}]}\n'
    files = {
        "distilltest.yaml": f"servers:\n  s: {{base_url: '{nobody}', max_retries: 0, timeout: 1}}\n"
        "models:\n"
        + "".join(f"  {role}: {{server: s, model: {role}}}\n" for role in ("base", "teacher", "candidate"))
        + "judge: {server: s, model: j}\n"
        "distillation: {train: data.jsonl, prompt: prompt.yaml, suites: suites/}\n",
        "prompt.yaml": 'messages: [{role: user, content: "{{ item.request }}"}]\n',
        "data.jsonl": '{"id": "a", "request": "1", "reference": "a"}\n{"id": "b", "request": "2", "reference": "a"}\n',
        "train.jsonl": "".join(line % number for number in range(12)),
        "pairs.jsonl": "".join(f'{{"instruction": "{n}", "chosen": "a", "rejected": "b"}}\n' for n in range(12)),
        "labels.jsonl": '{"id": "a", "input": "1", "answer": "a", "passed": true}\n',
        "file": "",
    }
    for name, text in files.items():
        (root / name).write_text(text)
    (root / ".distilltest").mkdir()
    with Store.open(root / ".distilltest/store.sqlite3") as store:
        store.start_run("20260101-000000-0000", started=1.0, command="pytest")
        for number in range(12):
            asked = Request("s", nobody, "teacher", ({"role": "user", "content": f"stored {number}"},))
            answer = Completion(asked.key, "s", "teacher", "a", finish_reason="stop", created=1.0)
            store.save_all([(asked, answer, b'{"choices": []}')])
    yield root
    shutil.rmtree(root)


@contextlib.contextmanager
def without_roots_rights():
    """Rights to files hold for whoever runs the tests, root too."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("day", DAYS, ids=lambda day: day.__name__)
def test_a_bad_day_is_explained(day, good, monkeypatch, capfd):
    """No traceback, nothing that is called a bug of ours, and never the code of a block."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setitem(archive.__kwdefaults__, "first_wait", 0.0)  # before it asks once more whether anybody listens
    found = {}
    for command, arguments in COMMANDS.items():
        root = good.with_name(f"{good.name}-{day.__name__}")
        shutil.copytree(good, root)
        try:
            day(root)
            monkeypatch.chdir(root)
            with without_roots_rights() if day is read_only else contextlib.nullcontext():
                code = main([*command.split(), *arguments.split()])
        finally:
            monkeypatch.chdir(good)
            root.chmod(0o755)
            for path in root.rglob("*"):
                path.chmod(0o755)
            shutil.rmtree(root)
        said = capfd.readouterr()
        if "Traceback" in said.err + said.out or code in (BLOCKED, INTERNAL_ERROR):
            found[command] = (code, said.err[-700:])
        assert not re.search("^PROMOTE", said.out + said.err, re.MULTILINE), (command, said)
        if code == ERROR:
            assert said.err.startswith("distilltest: error: ") or "\ndistilltest: error: " in said.err, (command, said)
        if day is nothing:
            assert (code == 0) == (command in WORK_ALONE), (command, code, said)
    assert not found
