"""Files of completions: out without loss, in without half."""

import json
import subprocess
import sys

import orjson
import pytest
from processes import FORKED, PATIENCE, after_three_steps, started
from store.stored import answered, asked, keep

from distilltest.records import Request, ToolCall, Usage
from distilltest.store import CompletionFilter

MESSAGES = [{"role": "system", "content": "Git."}, {"role": "user", "content": 'größer?\n"x"'}]
CHAT = {
    "id": "chatcmpl-7",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": "teacher-1",
    "choices": [{"index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": "git"}}],
    "usage": {
        "prompt_tokens": 5,
        "completion_tokens": 1,
        "total_tokens": 6,
        "prompt_tokens_details": {"cached_tokens": 2},
    },
}


def rows(project):
    with project.store() as store:
        return [row._replace(id=0) for row in store.each_row()]


def lines(*contents):
    return "".join(json.dumps(content) + "\n" for content in contents)


def test_what_was_exported_comes_back_byte_for_byte(project):
    with project.store() as store:
        keep(store, "plain", created=1.5)
        keep(store, "labels", created=2.0, metadata={"ä": 'it\'s\n"quoted"'}, parameters={"temperature": 0.1 + 0.2})
        full = asked(
            "full", parameters={"tools": [{"type": "function"}]}, trial=3, store=True, metadata={"sent": "yes"}
        )
        calls = (ToolCall("1", "f", '{"a": "\\u2028"}'),)
        done = answered(
            full, "", 1763712000.1234567, tool_calls=calls, usage=Usage(3, 2, 1), served_id="chatcmpl-1", latency=0.1
        )
        store.save_all([(full, done, b'{"a":\r\n "b" }'), (asked("odd"), answered(asked("odd")), b"\xff\xfe no text")])
        vector = Request("s", "http://x/v1", "v", ({"role": "user", "content": "t"},), endpoint="embeddings")
        store.save_all([(vector, answered(vector, "[0.1]"), b"{}")])
        store.relabel(CompletionFilter(key=full.key), {"later": "too"})
    before = rows(project)
    assert project.run("export", "out.jsonl") == "out.jsonl: 5 completions\n"
    assert (project.root / "out.jsonl").stat().st_mode & 0o777 == 0o600
    assert (project.root / "out.jsonl").read_text() == project.run("list", "--oldest-first", "--jsonl")
    project.run("delete", "--all", "--yes")
    said = project.run("import", "out.jsonl", "--server", "s")
    assert said == "out.jsonl: 5 completions added, 0 were in the store already\n"
    assert rows(project) == before
    said = project.run("import", "out.jsonl", "--server", "s")
    assert said == "out.jsonl: 0 completions added, 5 were in the store already\n"
    assert rows(project) == before


def test_export_replaces_a_file_whole_or_leaves_it_as_it_was(project):
    with project.store() as store:
        keep(store, "one", model="m1")
    project.write("out.jsonl", "before\n")
    project.run("export", "out.jsonl", "--model", "nobody", code=3)
    assert "No completion meets these filters, so out.jsonl was not written" in project.error
    assert (project.root / "out.jsonl").read_text() == "before\n"
    project.run("export", "no/such/folder.jsonl", code=3)
    assert "cannot be written: No such file or directory" in project.error
    (project.root / "folder").mkdir()
    project.run("export", "folder", code=3)
    assert "cannot be written" in project.error
    project.run("export", "out.jsonl")
    assert [p.name for p in project.root.iterdir() if "out.jsonl" in p.name] == ["out.jsonl"]
    assert (project.root / "out.jsonl").read_text().startswith('{"request":')


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ({"messages": MESSAGES, "answer": "git log", "model": "teacher-1"}, "git log"),
        ({"messages": MESSAGES, "completion": "git log", "model": "teacher-1", "temperature": 0}, "git log"),
        (
            {"messages": MESSAGES, "completion": {"role": "assistant", "content": "git log"}, "model": "teacher-1"},
            "git log",
        ),
        ({"messages": MESSAGES, "completion": CHAT}, "git"),
        ({"messages": [*MESSAGES, {"role": "assistant", "content": "git log"}], "model": "teacher-1"}, "git log"),
        ({**CHAT, "messages": MESSAGES, "metadata": {"task": "git"}, "seed": 99, "top_p": 1.0}, "git"),
        ({"request": {"model": "teacher-1", "messages": MESSAGES, "temperature": 0}, "response": CHAT}, "git"),
        ({**CHAT, "messages": MESSAGES, "model": "teacher-1-2026-01-01"}, "git"),
    ],
)
def test_every_form_is_found_by_the_request_that_this_project_would_send(project, line, text):
    project.write("in.jsonl", lines(line))
    project.run("import", "in.jsonl", "--server", "s", "--set", "from=elsewhere")
    ours = Request("s", "http://x/v1", "teacher-1", tuple(MESSAGES), {"temperature": 0})
    with project.store() as store:
        found = store.completion(ours.key)
        labels = store.find_completions()[0].metadata
        known = store.find_rows()[0].server_id
    assert found is not None
    assert found.text == text
    assert labels["from"] == "elsewhere"
    if text == "git":
        assert (found.served_id, known, found.created) == ("chatcmpl-7", "chatcmpl-7", 1_700_000_000)
        assert (found.finish_reason, found.usage) == ("length", Usage(5, 1, 2))


def test_other_parameters_another_model_or_another_server_is_another_completion(project):
    line = {"messages": MESSAGES, "answer": "a", "model": "teacher-1"}
    project.write("in.jsonl", lines({**line, "temperature": 0.7}, {**line, "model": "unknown", "top_p": 0.5, "row": 7}))
    project.run("import", "in.jsonl", "--server", "s")
    project.write("in.jsonl", lines({"messages": MESSAGES, "answer": "a"}))
    project.run("import", "in.jsonl", "--server", "other", "--model", "teacher-1")
    shapes = [
        ("http://x/v1", "teacher-1", {"temperature": 0.7}),
        ("http://x/v1", "unknown", {"top_p": 0.5}),
        ("http://y/v1", "teacher-1", {}),
    ]
    with project.store() as store:
        for url, model, parameters in shapes:
            assert store.completion(Request("", url, model, tuple(MESSAGES), parameters).key), (url, model)
        assert store.count_completions() == 3


def test_a_pytest_run_asks_nothing_that_was_imported(project):
    project.write("prompt.yaml", 'messages:\n  - {role: user, content: "{{ item.q }}"}\n')
    project.write("cases.jsonl", lines(*({"id": f"{i}", "q": f"number {i}", "reference": "yes"} for i in range(5))))
    project.write(
        "test_it.py",
        "from distilltest import at_least, evaluation\n\n\n"
        '@evaluation(dataset="cases.jsonl", prompt="prompt.yaml", gate=[at_least(0.1)])\n'
        "def test_it(case, completion, exact_match):\n    exact_match(completion.text, case.reference)\n",
    )
    project.write("pytest.ini", "[pytest]\n")
    answers = [
        {"messages": [{"role": "user", "content": f"number {i}"}], "answer": "yes", "model": model}
        for i in range(5)
        for model in ("teacher-1", "small", "mine")
    ]
    project.write("in.jsonl", lines(*answers))
    project.run("import", "in.jsonl", "--server", "s")
    config = (project.root / "distilltest.yaml").read_text()
    project.write("distilltest.yaml", config.replace("models:", "models:\n  candidate: {server: s, model: mine}"))
    command = [sys.executable, "-m", "pytest", "--offline", "-p", "no:cacheprovider"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=project.root)
    assert done.returncode == 0, done.stdout


def test_several_answers_to_one_request_become_trials_and_the_same_one_is_known(project):
    line = {"messages": MESSAGES, "model": "teacher-1"}
    project.write("in.jsonl", lines({**line, "answer": "a"}, {**line, "answer": "b"}, {**line, "answer": "a"}))
    assert "2 completions added, 1 were" in project.run("import", "in.jsonl", "--server", "s")
    assert "0 completions added, 3 were" in project.run("import", "in.jsonl", "--server", "s")
    with project.store() as store:
        assert sorted((i.completion.trial, i.completion.text) for i in store.find_completions()) == [(0, "a"), (1, "b")]


def test_what_came_by_a_file_without_an_id_is_known_when_it_comes_with_one(project):
    project.write("in.jsonl", lines({"messages": MESSAGES, "model": "teacher-1", "answer": "git"}))
    project.run("import", "in.jsonl", "--server", "s")
    project.write("in.jsonl", lines({**CHAT, "messages": MESSAGES}, {**CHAT, "messages": MESSAGES, "id": "chatcmpl-8"}))
    assert "0 completions added, 2 were" in project.run("import", "in.jsonl", "--server", "s")


def test_a_server_that_has_another_name_now_is_the_same_server(project):
    project.write("in.jsonl", lines({**CHAT, "messages": MESSAGES}))
    project.run("import", "in.jsonl", "--server", "s")
    text = (project.root / "distilltest.yaml").read_text()
    project.write("distilltest.yaml", text.replace("  s: {", "  renamed: {").replace("server: s,", "server: renamed,"))
    assert "0 completions added, 1 were" in project.run("import", "in.jsonl", "--server", "renamed")


def test_a_disk_that_is_full_leaves_the_file_as_it_was(project):
    with project.store() as store:
        for i in range(50):
            keep(store, f"number {i}", "x" * 10_000)
    project.write("out.jsonl", "before\n")
    script = """
import resource, signal
from distilltest.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
raise SystemExit(main(["completions", "export", "out.jsonl"]))
"""
    command = [sys.executable, "-c", FORKED + script]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=project.root)
    assert done.returncode == 3
    assert "out.jsonl cannot be written: File too large" in done.stderr
    assert (project.root / "out.jsonl").read_text() == "before\n"
    assert [path.name for path in project.root.iterdir() if "out" in path.name] == ["out.jsonl"]


IMPORT = """
import sys
from pathlib import Path
from distilltest.exchange.import_file import import_file
from distilltest.exchange.incoming import ImportContext
from distilltest.config import load_config
from distilltest.store import Store

config = load_config(Path())
with Store.open(config.store_path) as store:
    place = ImportContext(config, config.servers["s"], 1.0)
    done = import_file(Path("in.jsonl"), store, place, progress=lambda n: (print(n, flush=True), sys.stdin.readline()))
print("added", done.added, "known", done.known)
"""


def test_an_import_that_was_killed_left_nothing_behind_and_the_next_one_adds_all(project):
    rows_ = [
        {"messages": [{"role": "user", "content": f"number {i}"}], "answer": "x" * 500, "model": "m"}
        for i in range(20_000)
    ]
    project.write("in.jsonl", lines(*rows_))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with started([sys.executable, "-c", FORKED + IMPORT], cwd=project.root, **pipes) as first:
        after_three_steps(first)
        first.kill()
    with project.store() as store:
        assert store.count_completions() == 0
    assert "20,000 completions added, 0 were" in project.run("import", "in.jsonl", "--server", "s")


def test_two_imports_of_one_file_at_once_keep_each_completion_once(project):
    rows_ = [
        {"messages": [{"role": "user", "content": f"number {i}"}], "answer": "x", "model": "m"} for i in range(2_000)
    ]
    project.write("in.jsonl", lines(*rows_))
    command = [sys.executable, "-c", FORKED + IMPORT]
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "cwd": project.root}
    with started(command, **options) as one, started(command, **options) as other:
        said = sorted(process.communicate(timeout=PATIENCE)[0].splitlines()[-1] for process in (one, other))
    assert said == ["added 0 known 2000", "added 2000 known 0"]


GOOD = {"messages": MESSAGES, "answer": "a", "model": "teacher-1"}
DEEP = '{"messages": [{"role": "user", "content": ' + "[" * 300 + "]" * 300 + '}], "answer": "a", "model": "m"}'
EXPORTED = {
    "request": {"messages": MESSAGES},
    "completion": {"key": "a" * 64, "server": "s", "model": "m", "text": "t", "finish_reason": "stop"},
}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"messages": [', "not JSON"),
        ("[1]", "no object"),
        ("7", "no object"),
        ("", "a blank line"),
        (DEEP, "nested more than 100 deep"),
        ({"answer": "a"}, 'no "messages"'),
        ({**GOOD, "messages": []}, 'no "messages"'),
        ({**GOOD, "messages": ["hello"]}, "messages[0] has no role"),
        ({**GOOD, "messages": [{"role": "user", "content": 7}]}, "messages[0].content is 7"),
        ({**GOOD, "answer": None}, 'neither "completion" nor "answer"'),
        ({**GOOD, "answer": 7}, "neither text"),
        ({**GOOD, "model": None}, 'there is no "model"'),
        ({**GOOD, "model": 7}, '"model" is 7'),
        ({**GOOD, "created": "today"}, '"created" is'),
        ({**GOOD, "created": -1}, '"created" is -1'),
        ({**GOOD, "metadata": {"a": 1}}, "Write numbers as strings"),
        ({**GOOD, "metadata": {f"{i}": "x" for i in range(17)}}, "at most 16 labels"),
        ({**CHAT, "choices": [], "messages": MESSAGES}, '"choices" is empty'),
        ({**CHAT, "choices": CHAT["choices"] * 2, "messages": MESSAGES}, "Write each as a completion of its own"),
        ({**CHAT, "choices": [{"message": {"content": 7}}], "messages": MESSAGES}, "the answer's content is 7"),
        (
            {**CHAT, "choices": [{"message": {"content": "", "tool_calls": [{"id": "1"}]}}], "messages": MESSAGES},
            "tool_calls[0].function is missing",
        ),
        (
            {"messages": MESSAGES, "model": "m", "answer": {"content": [{"type": "text", "value": "x"}]}},
            "not a part with a text",
        ),
        ({**CHAT, "choices": [{"message": {"content": None}}], "messages": MESSAGES}, "no content, no tool call"),
        (
            {
                **CHAT,
                "choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}],
                "messages": MESSAGES,
            },
            "its finish_reason is 'content_filter'",
        ),
        ({"request": 7, "response": CHAT}, '"request" is not an object'),
        ({**EXPORTED, "request": 7}, '"request" is not a request body'),
        ({**EXPORTED, "completion": {**EXPORTED["completion"], "key": "short"}}, "not the key of a completion"),
        ({**EXPORTED, "completion": {**EXPORTED["completion"], "trial": "1"}}, "\"completion.trial\" is '1'"),
        ({**EXPORTED, "completion": {**EXPORTED["completion"], "mood": "good"}}, "Upgrade it"),
        ({**EXPORTED, "completion": {**EXPORTED["completion"], "usage": {"x": 1}}}, "is invalid. Export it again"),
        ({**EXPORTED, "response_base64": "%"}, "is not Base64"),
    ],
)
def test_a_broken_line_is_named_with_its_place_and_nothing_is_kept_or_the_good_ones(project, line, words):
    broken = line if isinstance(line, str) else json.dumps(line)
    project.write("in.jsonl", lines(GOOD) + broken + "\n" + lines({**GOOD, "answer": "b"}))
    project.run("import", "in.jsonl", "--server", "s", code=3)
    assert "in.jsonl:2: " in project.error
    assert words in project.error
    assert "Nothing was imported, because 1 of 3 lines are bad" in project.error
    assert rows(project) == []
    said = project.run("import", "in.jsonl", "--server", "s", "--skip-bad")
    assert said == "in.jsonl: 2 completions added, 0 were in the store already, 1 bad ones left out\n"
    assert "in.jsonl:2: " in project.error
    assert len(rows(project)) == 2


def test_many_bad_lines_are_counted_and_the_first_are_shown(project):
    project.write("in.jsonl", "x\n" * 50)
    project.run("import", "in.jsonl", "--server", "s", code=3)
    assert "in.jsonl:20: " in project.error
    assert "in.jsonl:21: " not in project.error
    assert "… and 30 more" in project.error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["import"], "either a FILE, or --from-server"),
        (["import", "in.jsonl", "--from-server"], "either a FILE, or --from-server"),
        (["import", "in.jsonl", "--metadata", "a=b"], "go with --from-server"),
        (["import", "--from-server", "--skip-bad"], "--skip-bad goes with a FILE"),
        (["import", "in.jsonl", "--server", "nobody"], "there is no server 'nobody'"),
        (["import", "missing.jsonl"], "there is no such file"),
        (["import", "."], "cannot be read: it is a folder"),
    ],
)
def test_a_wrong_import_is_told_in_a_sentence(project, arguments, words):
    project.write("in.jsonl", lines(GOOD))
    project.run(*arguments, code=3)
    assert words in project.error


def test_where_the_models_are_on_several_servers_the_one_must_be_named(project):
    text = (project.root / "distilltest.yaml").read_text()
    project.write("distilltest.yaml", text.replace("base: {server: s", "base: {server: other"))
    project.write("in.jsonl", lines(GOOD))
    project.run("import", "in.jsonl", code=3)
    assert "on several servers (other, s). Say with --server" in project.error


def test_memory_is_flat_in_the_size_of_a_file(project):
    """A file of 12,000 answers of 4 kB needs no more than one of 1,000, but for what SQLite holds: a fraction of the file."""
    script = """
import resource, sys
from distilltest.cli import main
assert main(["completions", "import", sys.argv[1], "--server", "s"]) == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    peaks = []
    for count in (1_000, 12_000):
        with (project.root / "in.jsonl").open("wb") as file:
            for i in range(count):
                message = {"role": "user", "content": f"{count} number {i}"}
                file.write(orjson.dumps({"messages": [message], "answer": "x" * 4000, "model": "m"}) + b"\n")
        command = [sys.executable, "-c", script, "in.jsonl"]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=project.root)
        peaks.append(int(done.stdout.splitlines()[-1]) / 1024)
    assert peaks[1] - peaks[0] < 16  # MB; the larger file has 48
