"""An interrupted session ends in order, keeps its responses, and continues from there."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from plugin.answering_server import chat_answer
from processes import PATIENCE

from distilltest.exit_codes import INCOMPLETE

RESUMED = "Every response that had arrived is in the store: the same command asks only for what is missing."


class Held:
    """A model that answers a number of requests, and then no more until it is released."""

    def __init__(self, project, answers):
        self.asked = threading.Event()
        self.release = threading.Event()
        self._server = project.server
        self._answers = answers
        for role in ("base", "teacher", "candidate"):
            project.server.special[role] = self.answer

    def answer(self, model, number):
        if self._server.calls.total() > self._answers:
            self.asked.set()
            self.release.wait()
        return 200, chat_answer(model, f"answer {number}" if self._server.knows[model](number) else "no idea")


@pytest.fixture
def held(project):
    project.at_once(4)
    made = Held(project, 40)
    yield made
    made.release.set()


def start(project, *arguments):
    return project.start(*arguments, stderr=subprocess.STDOUT)


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "workers"])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_a_run_in_order(project, held, name, options):
    running = start(project, *options)
    assert held.asked.wait(PATIENCE)
    running.send_signal(getattr(signal, name))
    running.send_signal(getattr(signal, name))  # a wrapper that passes it on once more
    said, _ = running.communicate(timeout=PATIENCE)
    assert running.returncode == 2
    assert "Traceback" not in said
    before = dict(project.server.calls)
    if options:
        return
    assert RESUMED in said
    held.release.set()
    project.server.special.clear()
    assert project.run().ret == 0
    again = [key for key, calls in project.server.calls.items() if calls > 1 and key in before]
    assert len(again) <= 4  # only what was in flight


def test_a_time_limit_ends_a_run_as_incomplete(project, held):
    text = (project.root / "suites/test_numbers.py").read_text()
    project.write("suites/test_other.py", text.replace("test_numbers", "test_other"))
    project.write("suites/test_plain.py", "def test_plain():\n    pass\n")
    result = project.run("-v", "--time-limit", "4s")
    assert result.ret == INCOMPLETE
    result.assert_outcomes(failed=2, passed=1)
    out = result.stdout.str()
    graded = r"(when \d+ of 360 answers were graded|before an answer was graded)"
    assert re.search(rf"incomplete: the time limit of 4s was over {graded}\. {RESUMED}", out)
    assert f"incomplete: the time limit of 4s was over before it began. {RESUMED}" in out
    asked = sum(project.server.calls.values())
    held.release.set()
    project.server.special.clear()
    assert project.run("--time-limit", "10m").ret == 0
    assert sum(project.server.calls.values()) <= 360 + 4
    assert asked < 100


def test_a_time_limit_holds_in_workers_and_in_the_background(project, held):
    """A shell lets a job in the background ignore Ctrl-C; a limit ends it all the same."""
    command = [sys.executable, "-m", "pytest", "suites", "-n", "2", "--time-limit", "2s"]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        running = subprocess.Popen(command, cwd=project.root, stdout=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    said, _ = running.communicate(timeout=PATIENCE)
    assert running.returncode == INCOMPLETE, said
    assert "incomplete: the time limit of 2s was over" in said


@pytest.mark.parametrize("text", ["10", "ten", "", "0s", "-1s", "1h 30m", "5x"])
def test_a_time_limit_that_is_none_is_refused(project, text):
    result = project.pytester.runpytest_inprocess(f"--time-limit={text}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*is not a duration; write it as 90s, 10m or 1h30m*"])


def test_workers_stop_when_their_controller_is_killed(project):
    def slow(model, number):
        time.sleep(0.25)
        return 200, chat_answer(model, "no idea")

    for role in ("base", "teacher", "candidate"):
        project.server.special[role] = slow
    project.at_once(4)
    text = (project.root / "suites/test_numbers.py").read_text()
    project.write("suites/test_other.py", text.replace("test_numbers", "test_other"))
    running = start(project, "-n", "2")
    while project.server.calls.total() < 16:
        assert running.poll() is None
        time.sleep(0.01)
    workers = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    assert len(workers) == 2
    running.kill()
    asked = project.server.calls.total()
    said, _ = running.communicate()  # ends when the workers have closed it, too
    while any(alive(worker) for worker in workers):  # execnet ends them after 15 s at the latest
        time.sleep(0.01)
    assert "Traceback" not in said
    # Left alone they would go on for five seconds, at sixteen requests a second.
    assert project.server.calls.total() - asked < 40


def alive(process):
    """Whether it runs; one that has ended and that nobody asked after is a zombie."""
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_session_without_evaluations_is_left_alone(project):
    """SIGTERM kills it as it always did, with workers, too."""
    begun = project.root / "begun"
    os.mkfifo(begun)
    body = "open('begun', 'w').close()\n    time.sleep(600)\n"
    project.write("suites/test_numbers.py", f"import time\n\ndef test_plain():\n    {body}")
    running = start(project, "-n", "1")
    begun.read_bytes()  # waits for whoever opens it to write
    running.terminate()
    running.stdout.close()
    assert running.wait() == -signal.SIGTERM
