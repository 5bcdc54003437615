"""How every command ends: with a message and a code, whatever happened in it."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from distilltest.cli import main as run
from distilltest.cli import project
from distilltest.errors import DistilltestError
from distilltest.exit_codes import BROKEN_PIPE, ERROR, INTERNAL_ERROR, INTERRUPTED, USAGE


@pytest.fixture
def ends_with(monkeypatch, capsys):
    """Let a command raise something; gives the code and what was said."""

    def let(error):
        def command(_arguments):
            raise error

        def parse_args(_arguments):
            return SimpleNamespace(run=command)

        module = sys.modules["distilltest.cli.main"]  # the package's attribute of that name is the function
        monkeypatch.setattr(module, "parser", lambda: SimpleNamespace(parse_args=parse_args))
        return run([]), capsys.readouterr().err

    return let


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (DistilltestError("It is so."), ERROR, "distilltest: error: It is so."),
        (FileNotFoundError(2, "No such file or directory", "x.jsonl"), ERROR, "x.jsonl: No such file or directory."),
        (OSError("odd"), INTERNAL_ERROR, "Internal error: OSError: odd"),
        (KeyError("key"), INTERNAL_ERROR, "Internal error: KeyError: 'key'"),
        (RecursionError("deep"), INTERNAL_ERROR, "DISTILLTEST_DEBUG=1"),
        (MemoryError(), INTERNAL_ERROR, "MemoryError"),
        (KeyboardInterrupt(), INTERRUPTED, "Interrupted. Run the same command again."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_exception_becomes_a_message_and_a_code(ends_with, error, code, words):
    ended, said = ends_with(error)
    assert ended == code
    assert words in said
    assert "Traceback" not in said


def test_the_traceback_is_there_for_whoever_looks_for_a_bug(ends_with, monkeypatch):
    monkeypatch.setenv("DISTILLTEST_DEBUG", "1")
    for error in (DistilltestError("It is so."), KeyError("key")):
        assert "Traceback (most recent call last)" in ends_with(error)[1]


def test_an_internal_error_names_our_own_line():
    from distilltest.errors import unexpected

    with pytest.raises(AttributeError) as raised:
        project.run_report(None)
    assert "distilltest/cli/project.py:" in unexpected(raised.value)


@pytest.mark.parametrize(
    "command", ["collect --dataset x", "distill", "archive openai", "judge calibrate --labels x --grader factuality"]
)
def test_only_commands_that_keep_what_arrives_say_so(command):
    module = sys.modules["distilltest.cli.main"]
    assert module.parser().parse_args(command.split()).resumes
    assert not hasattr(
        module.parser().parse_args(["completions", "import", "x"]), "resumes"
    )  # all of a file, or nothing


def test_a_wrong_command_line_is_argparses_own(capsys):
    with pytest.raises(SystemExit) as ended:
        run(["no-such-command"])
    assert ended.value.code == USAGE


def test_a_reader_that_goes_away_is_no_error_and_no_success():
    """``distilltest promote | head -1`` must not say "promoted" by its code."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "distilltest", "schema"]
    done = subprocess.run(command, check=False, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.returncode == BROKEN_PIPE
    assert done.stderr == ""
