"""The output of the process: standard output and error of commands, and all that pytest shows."""

import io
import json
import re
import sys

import pytest
from openai.types.fine_tuning import FineTuningJob
from openai.types.fine_tuning.fine_tuning_job import Error

from distilltest import cli
from distilltest.cli import bar, project
from distilltest.cli.finetune_watch import LiveLine
from distilltest.errors import JobFailed
from distilltest.finetuning.follow import Event, JobProgress, result
from distilltest.untrusted import edges

CLEAR = "\x1b[2J\x1b[1;1HPROMOTE: everything is proven\u202e\x9b2J\r\npromote: yes"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_command_filters_its_output_and_restores_the_streams(monkeypatch, capsys):
    def says(_):
        print(CLEAR)
        print(CLEAR, file=sys.stderr)
        raise ValueError(CLEAR)

    monkeypatch.setattr(project, "run_schema", says)
    before = sys.stdout, sys.stderr
    assert cli.main(["schema"]) == 70
    assert (sys.stdout, sys.stderr) == before
    for said in capsys.readouterr():
        assert "PROMOTE" in said
        assert not set(said) & {"\x1b", "\x9b", "\u202e", "\r"}


def test_a_stream_that_cannot_encode_half_a_character_shows_it(monkeypatch):
    raw = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    stream = edges.ShownStream(raw)
    print("file\udc80", file=stream, flush=True)
    assert raw.buffer.getvalue() == b"file\\udc80\n"


def test_a_bar_moves_the_cursor_and_its_title_does_not(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", edges.ShownStream(terminal))
    with bar.Bar("title\x1b[2J\nPROMOTE", 3) as shown:
        shown(2)
    assert "\r" in terminal.getvalue()
    assert "\x1b[2J" not in terminal.getvalue()
    assert "\nPROMOTE" not in terminal.getvalue()


def test_a_live_line_moves_the_cursor_and_text_of_a_server_does_not():
    terminal = Terminal()
    with LiveLine(edges.ShownStream(terminal)) as line:
        line.told(Event("running", CLEAR, level=f"warn{CLEAR}"))
        line.shown(JobProgress(f"ftjob{CLEAR}", CLEAR, trouble=CLEAR))
    said = terminal.getvalue()
    assert said.count("\x1b") == said.count("\r\x1b[K") == 3
    assert [line for line in said.splitlines() if line.startswith("promote")] == []


def test_the_reason_of_a_failed_job_stays_in_its_line():
    job = FineTuningJob.construct(
        id="j\npromote: yes", status="failed", error=Error(code="x", message=CLEAR, param=None)
    )
    with pytest.raises(JobFailed) as told:
        result(job)
    assert "\n" not in str(told.value)
    assert "\x1b" not in str(told.value)


def test_pytest_shows_no_control_character_of_a_model_a_server_or_a_grader(project, server):
    """With -v, in failures, in tracebacks, in captured output, in JUnit and in both reports."""
    hostile = f"no idea {CLEAR}"
    server.scripted["base"] = lambda body: (400, {"error": {"message": hostile}})
    server.scripted["candidate"] = lambda body: (
        200,
        {
            "id": CLEAR,
            "model": CLEAR,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": hostile}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1},
        },
    )
    project.cases(20, tags=[CLEAR])
    project.suite(gate='[better_than("base")]')
    project.write(
        "suites/test_more.py",
        "from distilltest import at_least, evaluation\n\n\n"
        '@evaluation(dataset="cases.jsonl", prompt="prompt.yaml", gate=[at_least(0.5)])\n'
        "def test_blocks(case, completion, exact_match):\n    print(completion.text)\n"
        "    exact_match(completion.text, case.reference)\n\n\n"
        '@evaluation(dataset="cases.jsonl", prompt="prompt.yaml", gate=[at_least(0.5)])\n'
        "def test_breaks(case, completion, exact_match):\n"
        "    if 'answer' not in completion.text:\n        raise ValueError(completion.text)\n"
        "    exact_match(completion.text, case.reference)\n",
    )
    result = project.run("-v", "--junitxml=junit.xml", "-p", "no:cacheprovider")
    folder = project.reports()[0].parent
    shown = [
        result.stdout.str(),
        result.stderr.str(),
        *(path.read_text() for path in (project.root / "junit.xml", folder / "report.md", folder / "report.json")),
    ]
    assert result.ret != 0
    assert "PROMOTE: everything is proven" in shown[0]
    assert "ValueError" in shown[0]
    for text in shown:
        assert not set(text) & {"\x1b", "\x9b", "\u202e", "\x85"}, text
        assert text is shown[0] or not re.search(
            r"^(promote: yes|PROMOTE)", text, re.MULTILINE
        )  # a body may print lines
    json.loads(shown[-1])


def test_a_stored_answer_is_shown_harmless_and_jsonl_stays_valid(project, server):
    answer = {
        "model": CLEAR,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": CLEAR}, "finish_reason": CLEAR}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
    }
    server.scripted["teacher"] = lambda body: (200, answer)
    project.cases(1)
    project.run("-q")
    listed = project.distilltest("completions", "list").stdout
    lines = project.distilltest("completions", "list", "--jsonl").stdout
    said = [json.loads(line) for line in lines.splitlines()]
    (row,) = [each for each in said if CLEAR in list(strings(each))]
    key = next(text for text in strings(row) if re.fullmatch("[0-9a-f]{64}", text))
    shown = project.distilltest("completions", "show", key).stdout
    assert "PROMOTE: everything is proven" in shown
    for text in (listed, lines, shown):
        assert not set(text) & {"\x1b", "\x9b", "\u202e", "\r"}
        assert not re.search("^promote: yes", text, re.MULTILINE)


def strings(value):
    """All texts of a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, str):
        yield value
