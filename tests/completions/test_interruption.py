"""Requests to end become one exception in the main thread."""

import signal
import subprocess
import sys
import threading

import pytest

from distilltest.exit_codes import INTERRUPTED
from distilltest.process.interruption import Interruption, ParentGone, TimeIsUp, seconds_of

PARENT = """
import sys
from pathlib import Path
from distilltest.process.interruption import Interruption
from distilltest.process.subprocesses import run_to_its_end
with Interruption():
    run_to_its_end([sys.executable, "-c", sys.argv[1]], Path())
"""
CHILD = """
import signal, sys, time
def end(*_):
    print("ended in order", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
while True:
    signal.pause()
"""


def test_a_command_that_we_run_is_asked_to_end_before_we_do():
    command = [sys.executable, "-c", PARENT, CHILD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        assert running.stdout.readline() == "ready\n"
        running.terminate()
        said = running.stdout.read()  # ends when both have closed it
    assert said == "ended in order\n"
    assert running.returncode != 0


SECOND = """
import signal, sys, threading
from distilltest.process import interruption
interruption.REPEATED = float(sys.argv[1])
try:
    with interruption.Interruption():
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            signal.raise_signal(signal.SIGTERM)
            print("went on")
            raise
except KeyboardInterrupt:
    sys.exit(7)
"""


@pytest.mark.parametrize(("repeated", "code"), [("0", INTERRUPTED), ("60", 7)])
def test_a_second_signal_ends_the_process_at_once_unless_it_is_the_same_request(repeated, code):
    done = subprocess.run([sys.executable, "-c", SECOND, repeated], check=False, capture_output=True, text=True)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert ("went on" in done.stdout) == (code == 7)
    assert ("What is in the store is safe" in done.stderr) == (code == INTERRUPTED)


LATE = """
import atexit, signal, sys
from distilltest.process.interruption import Interruption
atexit.register(lambda: signal.raise_signal(signal.SIGTERM))  # runs after what is registered later
try:
    with Interruption(ends_process=True):
        signal.raise_signal(signal.SIGTERM)
except KeyboardInterrupt:
    signal.raise_signal(signal.SIGTERM)
    sys.exit(7)
"""


def test_the_same_request_once_more_while_the_process_ends_leaves_its_exit_code():
    done = subprocess.run([sys.executable, "-c", LATE], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (7, "")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_are_taken_over_and_given_back(name):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    interruption = Interruption()
    with pytest.raises(KeyboardInterrupt), interruption:
        signal.raise_signal(number)
    assert interruption.reason == name
    assert signal.getsignal(number) is before


def test_what_somebody_else_installed_or_ignored_stays():
    def own(*_):
        heard.append(1)

    heard = []
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    try:
        signal.signal(signal.SIGTERM, own)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with Interruption():
            for number in before:
                signal.raise_signal(number)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert heard == [1]


def wait_for_a_limit():
    with Interruption() as interruption:
        interruption.limit(0.01)
        threading.Event().wait()


def test_a_limit_wakes_a_main_thread_that_waits():
    with pytest.raises(TimeIsUp):
        wait_for_a_limit()


def test_a_signal_that_comes_just_before_the_wait_is_sent_again(monkeypatch):
    real, sent = signal.pthread_kill, []

    def lose_the_first(thread, number):
        sent.append(number)
        if len(sent) > 1:
            real(thread, number)

    monkeypatch.setattr(signal, "pthread_kill", lose_the_first)
    with pytest.raises(TimeIsUp):
        wait_for_a_limit()
    assert len(sent) >= 2


def test_a_limit_waits_for_nobody_outside_of_what_it_limits():
    interruption = Interruption()
    interruption.enter()
    try:
        interruption.ask(TimeIsUp())
        assert interruption.reason is None
        with pytest.raises(ParentGone):
            interruption.ask(ParentGone())
    finally:
        interruption.leave()


def test_another_thread_takes_nothing_over():
    before = signal.getsignal(signal.SIGTERM)
    found = []

    def work():
        with Interruption():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("2h", 7200), ("1h1m1.5s", 3661.5)]
)
def test_durations(text, seconds):
    assert seconds_of(text) == seconds
