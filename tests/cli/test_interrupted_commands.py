"""However a long command is asked to end, it ends in order, keeps what arrived, and the same command asks only for the rest."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from archive.platform_server import KEY, Platform, fill
from cli.gate import Gate
from cli.test_bad_days import leaves
from finetuning.project import Project, write_lines
from plugin.answering_server import AnsweringServer, chat_answer
from processes import PATIENCE, line_with, started

from distilltest.cli.main import parser
from distilltest.demo_models.embedded_server import EmbeddedServer
from distilltest.exit_codes import ERROR, INCOMPLETE, INTERRUPTED


@dataclass(frozen=True)
class Command:
    """A long command, and a moment of it."""

    words: str
    held: str
    """A part of the path of the request that is held back."""
    number: int
    """Which of those."""

    def __str__(self):
        return f"{self.words.partition(' --')[0]} at {self.held} {self.number}"


CHAT, JOBS, EVENTS = "/chat/completions", "/fine_tuning/jobs", "/events"
COMMANDS = [
    Command("distill", CHAT, 10),
    Command("distill", EVENTS, 1),
    Command("distill", CHAT, 45),  # in the evaluation, a process of its own
    Command("collect --dataset train.jsonl --out answers.jsonl", CHAT, 10),
    Command("judge calibrate --grader criteria_match --labels labels.jsonl", CHAT, 10),
    Command("learning-curve --file train.jsonl --sizes 10", EVENTS, 1),
    Command("learning-curve --file train.jsonl --sizes 10", CHAT, 20),
    Command("finetune start train.jsonl --watch", EVENTS, 1),
    Command("archive openai --concurrency 1 --output archive", "/", 10),
]
WAYS = ["SIGINT", "SIGTERM", "SIGHUP", "Ctrl-C", "time limit"]
"""A signal to the process, Ctrl-C to all of its group as a terminal sends it, or ``--time-limit``."""


@pytest.fixture
def gate(request, tmp_path, monkeypatch):
    """What a command talks to, closed at its moment."""
    words = request.getfixturevalue("command").words
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    if words.startswith("archive"):
        with Platform() as platform, Gate(platform.base_url) as gate:
            fill(platform)
            yield gate
    elif words.startswith("judge"):
        with AnsweringServer() as server, Gate(server.base_url) as gate:
            server.scripted["judge"] = lambda _: (200, chat_answer("judge", '{"reasons": "so", "verdict": "Y"}'))
            yield gate
    else:
        server = EmbeddedServer.start(tmp_path / "server", job_seconds=0.01)
        with Gate(server.base_url) as gate:
            yield gate
        server.stop()


@pytest.fixture
def project(tmp_path, gate):
    made = Project.make(tmp_path / "project", gate.url)
    made.configure(gate.url, ", max_concurrency: 1")
    with (made.root / "distilltest.yaml").open("a") as config:
        config.write("judge: {server: s, model: judge}\n")
    requests = [{"id": f"t-{i}", "request": f"switch to branch topic-{i}"} for i in range(30)]
    write_lines(made.root / "t.jsonl", requests)
    labels = [
        {"id": f"l-{i}", "criteria": "It is.", "answer": f"a {i}", "label": "Y" if i % 9 else "N"} for i in range(30)
    ]
    write_lines(made.root / "labels.jsonl", labels)
    return made


def words_of(command, project, gate):
    words = [sys.executable, "-m", "distilltest", *command.words.split()]
    return [*words, "--base-url", gate.url] if command.words.startswith("archive") else words


def test_every_command_that_goes_on_from_there_is_in_the_list():
    told = {command.words.partition(" --")[0].replace(" train.jsonl", "") for command in COMMANDS}
    assert told | {"finetune watch"} == {leaf for leaf in leaves(parser()) if resumes(leaf)}  # watch: the end of start


def resumes(leaf):
    of = parser()
    for word in leaf.split():
        of = of._subparsers._group_actions[0].choices[word]
    return "resumes" in of._defaults


def cases():
    """In short: every moment of every command, and every way to end one; the thorough form: each with each."""
    for number, command in enumerate(COMMANDS):
        for place, way in enumerate(WAYS):
            marks = () if place == number % len(WAYS) else pytest.mark.thorough
            yield pytest.param(command, way, marks=marks, id=f"{command}, {way}")


@pytest.mark.parametrize(("command", "way"), list(cases()))
def test_ended_early_it_says_so_and_the_same_command_asks_only_for_the_rest(command, way, project, gate):
    words = words_of(command, project, gate)
    gate.close_at(command.held, command.number)
    limit = ["--time-limit", "2s"] if way == "time limit" else []
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started([*words, *limit], cwd=project.root, **pipes) as running:
        if not limit:
            assert gate.reached.wait(PATIENCE)
            end(running, way)
        out, errors = running.communicate(timeout=PATIENCE)
        assert not group(running.pid)
    assert "Traceback" not in out + errors
    assert running.returncode == (INCOMPLETE if limit else INTERRUPTED), (out, errors)
    assert "goes on" in errors
    gate.open()
    second = subprocess.run(words, check=False, cwd=project.root, capture_output=True, text=True)
    assert second.returncode == 0, second.stdout + second.stderr
    twice = [key for key, times in gate.answered.items() if times > 1]
    if not command.words.startswith("archive"):  # which asks for every page and file once
        twice = [key for key in twice if key[0] == "POST"]  # answers, uploads and jobs; a job is looked at again
    assert len(twice) <= len(limit) / 2, twice  # time may be up just when an answer is on its way


def end(running, way):
    if way == "Ctrl-C":
        os.killpg(running.pid, signal.SIGINT)
        os.killpg(running.pid, signal.SIGINT)
    else:
        running.send_signal(getattr(signal, way))
        running.send_signal(getattr(signal, way))  # a wrapper passes it on once more


def group(leader):
    """The processes of a group that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:  # it has ended meanwhile
            continue
        found += [stat.parent.name] if int(of) == leader and state != "Z" else []
    return found


LOOKING = """
import ctypes, socket, sys

def hangs(*arguments, **options):  # as the C library does: no signal is heard meanwhile
    print("looking", flush=True)
    lock, system = (ctypes.c_byte * 64)(), ctypes.CDLL(None)
    system.pthread_mutex_lock(lock)
    system.pthread_mutex_lock(lock)

socket.getaddrinfo = hangs
from distilltest.process import abandonable
from distilltest.cli import main
abandonable.LOOKUP = {patience}
sys.exit(main({words}))
"""


def looking(tmp_path, words, patience):
    server = "servers: {s: {base_url: 'http://nobody.example/v1', max_retries: 0}}\n"
    (tmp_path / "distilltest.yaml").write_text(
        f"{server}models: {{base: {{server: s, model: b}}, teacher: {{server: s, model: m}}}}\n"
    )
    (tmp_path / "requests.txt").write_text("one\n")
    code = LOOKING.format(words=words.split(), patience=patience)
    return started([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("words", ["collect --dataset requests.txt", "finetune list", "archive openai --server s"])
def test_a_lookup_that_never_ends_holds_up_neither_ctrl_c_nor_the_end(words, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with looking(tmp_path, words, 1000) as running:
        line_with("looking", running.stdout)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=PATIENCE)
    assert running.returncode == INTERRUPTED, errors
    assert "Traceback" not in errors


def test_a_lookup_that_never_ends_is_given_up_and_named(tmp_path):
    with looking(tmp_path, "finetune list", 0.2) as running:
        _, errors = running.communicate(timeout=PATIENCE)
    assert running.returncode == ERROR
    assert "the name nobody.example was not looked up within 0.2 s; is there a network?" in errors
