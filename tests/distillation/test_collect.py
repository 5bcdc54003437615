"""``distilltest collect``: the requests it sends, the answers it stores, and how it stops and continues."""

import json
import signal
import subprocess
import sys
import threading

import pytest
from completions.scripted_server import Reply, ScriptedServer
from processes import PATIENCE, started, until

from distilltest.cli import main
from distilltest.store import CompletionFilter, Store, state_keys


@pytest.fixture
def server():
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def project(tmp_path, monkeypatch, server):
    monkeypatch.chdir(tmp_path)
    configure(tmp_path, server.base_url)
    (tmp_path / "requests.txt").write_text("show the log\nshow the status\n")
    return tmp_path


def configure(root, url, more="", concurrency=10):
    (root / "distilltest.yaml").write_text(
        f"servers:\n  s: {{base_url: '{url}', max_retries: 0, max_concurrency: {concurrency}}}\n"
        "models:\n  teacher: {server: s, model: large, temperature: 0}\n  critic: {server: s, model: other}\n" + more
    )


def stored(root, **conditions):
    with Store.open(root / ".distilltest/store.sqlite3") as store:
        return store.find_completions(CompletionFilter(**conditions))


def collect(*arguments):
    return main(["collect", "--dataset", *arguments])


def said_last(body):
    return body["messages"][-1]["content"]


def test_each_request_is_asked_once_and_kept_with_its_labels(project, server, capsys):
    assert collect("requests.txt", "--metadata", "task=git", "--metadata", "by=me") == 0
    assert sorted(map(said_last, server.calls)) == ["show the log", "show the status"]
    assert all(call["store"] and call["metadata"] == {"task": "git", "by": "me"} for call in server.calls)
    assert {call["model"] for call in server.calls} == {"large"}
    assert len(stored(project, model="large", metadata={"task": "git", "by": "me"})) == 2
    before, after = capsys.readouterr().out.splitlines()
    assert before == "teacher (large): 2 requests: 2 answers, 2 calls to make"
    assert after == "2 answers to 2 requests: 2 new, 2,000 tokens in, 2,000 out"
    assert collect("requests.txt", "--metadata", "task=git") == 0
    assert len(server.calls) == 2
    before, after = capsys.readouterr().out.splitlines()
    assert before.endswith("2 answers, 0 calls to make")
    assert after == "2 answers to 2 requests: 0 new, 2 from the store"


def test_what_was_asked_before_gets_the_labels_too(project, server):
    assert collect("requests.txt", "--metadata", "first=1") == 0
    assert collect("requests.txt", "--metadata", "task=git", "--metadata", "first=2") == 0
    assert len(server.calls) == 2
    assert [item.metadata for item in stored(project)] == [{"first": "2", "task": "git"}] * 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "f.jsonl",
            '{"id": "a", "request": "show the log", "reference": "git log", "tags": ["x"]}\n"show the status"\n',
        ),
        ("f.json", '{"requests": ["show the log", {"question": "show the status"}]}'),
        ("f.json", '["show the log", "show the status"]'),
        ("f.yaml", "- {id: 1, request: show the log, tags: x}\n- show the status\n"),
        ("f.yml", "requests:\n  - show the log\n  - prompt: show the status\n"),
        ("f.csv", "id,request\n1,show the log\n2,show the status\n"),
        ("f.txt", "show the log\n\nshow the status\nshow the log\n"),
    ],
)
def test_requests_come_from_any_format_and_from_evaluation_datasets(project, server, name, content):
    (project / name).write_text(content)
    assert collect(name) == 0
    assert sorted(map(said_last, server.calls)) == ["show the log", "show the status"]
    assert all(len(call["messages"]) == 1 for call in server.calls)


def test_messages_of_an_input_are_sent_as_they_are(project, server):
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "hi"},
        {"role": "user", "content": [{"type": "text", "text": "and now?"}]},
    ]
    (project / "chats.jsonl").write_text(json.dumps({"messages": messages}) + "\n")
    assert collect("chats.jsonl") == 0
    assert server.calls[0]["messages"] == messages
    assert collect("chats.jsonl", "--system", "Be brief.") == 0
    assert server.calls[1]["messages"] == [{"role": "system", "content": "Be brief."}, *messages[1:]]


def test_an_instruction_is_sent_with_its_input_and_no_field_is_dropped_without_a_word(project, server, capsys):
    rows = [
        {"instruction": "Translate.", "input": "Haus", "output": "house"},
        {"instruction": "Say hello.", "input": "", "output": "hello"},
        {"question": "Who wrote it?", "text": "It was written by Ada."},
    ]
    (project / "alpaca.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert collect("alpaca.jsonl") == 0
    assert {*map(said_last, server.calls)} == {"Translate.\n\nHaus", "Say hello.", "Who wrote it?"}
    assert "remark: 1 rows of alpaca.jsonl have a field 'text' that is not sent" in capsys.readouterr().out


def test_a_prompt_takes_the_fields_of_a_row(project, server):
    (project / "p.yaml").write_text(
        'messages:\n  - {role: system, content: Git.}\n  - {role: user, content: "Do: {{ item.what }}"}\n'
    )
    (project / "rows.csv").write_text("what,where\nlog,here\n")
    assert collect("rows.csv", "--prompt", "p.yaml") == 0
    assert [m["content"] for m in server.calls[0]["messages"]] == ["Git.", "Do: log"]


def test_every_combination_is_asked_as_often_as_samples_say(project, server, capsys):
    (project / "long.md").write_text("\ufeffAnswer at length.\n")
    ways = [
        "--samples",
        "2",
        "--temperature",
        "0.5,1",
        "--top-p",
        "0.9",
        "--system",
        "Be brief.",
        "--system",
        "long.md",
    ]
    assert collect("requests.txt", *ways, "--limit", "1") == 0
    asked = [(c["messages"][0]["content"], c["temperature"], c["top_p"]) for c in server.calls]
    assert {way: asked.count(way) for way in asked} == {
        (system, temperature, 0.9): 2 for system in ("Be brief.", "Answer at length.") for temperature in (0.5, 1)
    }
    assert len(stored(project)) == 8
    said = capsys.readouterr().out
    assert "1 request × 2 system prompts × 2 temperatures × 2 samples: 8 answers, 8 calls to make" in said
    assert collect("requests.txt", *ways) == 0
    assert len(server.calls) == 16


def test_a_temperature_that_the_model_has_anyway_makes_the_same_request(project, server):
    assert collect("requests.txt") == 0
    assert collect("requests.txt", "--temperature", "0.0") == 0
    assert len(server.calls) == 2


def test_samples_at_temperature_0_are_remarked_upon(project, capsys):
    assert collect("requests.txt", "--samples", "3", "--dry-run") == 0
    assert "remark: at temperature 0 the samples of a request hardly differ" in capsys.readouterr().out
    assert collect("requests.txt", "--samples", "3", "--temperature", "0.8", "--dry-run") == 0
    assert "remark" not in capsys.readouterr().out


def test_a_dry_run_sends_nothing(project, server, capsys):
    assert collect("requests.txt", "--dry-run") == 0
    assert "2 calls to make" in capsys.readouterr().out
    assert server.calls == []


def test_any_role_another_model_and_another_server_can_be_asked(project, server):
    for arguments in (["--role", "critic"], ["--model", "new"], ["--model", "third", "--server", "s"]):
        assert collect("requests.txt", "--limit", "1", *arguments) == 0
    assert [(call["model"], call.get("temperature")) for call in server.calls] == [
        ("other", None),
        ("new", 0),
        ("third", None),
    ]


def test_the_candidate_is_the_last_tuned_model_where_nothing_else_is(project, server):
    with Store.open(project / ".distilltest/store.sqlite3") as store:
        store.set_state(state_keys.CANDIDATE, {"model": "ft:small:1"})
    assert collect("requests.txt", "--limit", "1", "--role", "candidate") == 0
    assert server.calls[0]["model"] == "ft:small:1"


def test_failed_calls_are_counted_by_kind_and_only_they_are_asked_again(project, server, capsys):
    (project / "requests.txt").write_text("".join(f"request {n}\n" for n in range(20)))
    refused = {"request 3": Reply(400), "request 4": Reply(500), "request 5": Reply(500)}
    server.script = lambda _number, body: refused.get(said_last(body), Reply())
    assert collect("requests.txt", "--out", "a.jsonl") == 11
    said = capsys.readouterr()
    assert "17 answers to 20 requests: 17 new" in said.out
    assert "a.jsonl: 17 answers, 3 missing" in said.out
    assert "3 calls failed: 2 server error, 1 request rejected" in said.err
    assert "HTTP 400" in said.err
    assert "Run the same command again: only these are asked." in said.err
    server.script = lambda _number, _body: Reply()
    asked = len(server.calls)
    assert collect("requests.txt", "--out", "a.jsonl") == 0
    assert sorted(map(said_last, server.calls[asked:])) == ["request 3", "request 4", "request 5"]
    rows = [json.loads(line) for line in (project / "a.jsonl").read_text().splitlines()]
    assert [row["messages"][0]["content"] for row in rows] == [f"request {n}" for n in range(20)]


def test_the_answers_are_written_in_the_order_of_the_requests(project, server):
    server.script = lambda number, body: Reply(text=f"to {said_last(body)}", delay=0.02 * (number % 3))
    (project / "rows.jsonl").write_text("".join(f'{{"id": {n}, "request": "request {n}"}}\n' for n in range(30)))
    assert collect("rows.jsonl", "--samples", "2", "--out", "new/a.jsonl") == 0
    rows = [json.loads(line) for line in (project / "new/a.jsonl").read_text().splitlines()]
    assert [(row["id"], row["trial"]) for row in rows] == [(str(n), k) for n in range(30) for k in (0, 1)]
    assert [row["answer"] for row in rows] == [f"to request {n}" for n in range(30) for _ in (0, 1)]
    assert rows[0]["parameters"] == {"temperature": 0}
    assert [path.name for path in (project / "new").iterdir()] == ["a.jsonl"]


def test_many_requests_go_in_chunks_and_all_are_answered(project, server, monkeypatch):
    monkeypatch.setattr("distilltest.distillation.collect.CHUNK", 7)
    (project / "requests.txt").write_text("".join(f"request {n}\n" for n in range(50)))
    assert collect("requests.txt", "--out", "a.jsonl") == 0
    assert sorted(map(said_last, server.calls)) == sorted(f"request {n}" for n in range(50))
    assert (project / "a.jsonl").read_text().count("\n") == 50


def test_rows_that_ask_the_same_are_one_call(project, server, capsys):
    (project / "rows.jsonl").write_text("".join(f'{{"id": {n}, "request": "the same"}}\n' for n in range(3)))
    assert collect("rows.jsonl", "--out", "a.jsonl") == 0
    assert len(server.calls) == 1
    said = capsys.readouterr().out
    assert "3 answers, 1 call to make" in said
    assert "3 answers to 3 requests: 1 new, 1,000 tokens in, 1,000 out" in said
    assert (project / "a.jsonl").read_text().count("\n") == 3


def test_the_budget_is_kept_and_what_it_cost_is_said(project, server, capsys):
    (project / "requests.txt").write_text("".join(f"request {n}\n" for n in range(10)))
    (project / "prices.yaml").write_text("large: {input: 1, output: 9}\n")  # one cent a call
    configure(project, server.base_url, "prices: prices.yaml\nbudget: {usd: 0.03}\n", concurrency=1)
    assert collect("requests.txt") == 11
    said = capsys.readouterr()
    assert len(server.calls) == 3
    assert "3 answers to 10 requests: 3 new, 3,000 tokens in, 3,000 out, $0.0300" in said.out
    assert "7 calls failed: 7 over budget" in said.err
    configure(project, server.base_url, "budget: {usd: 0.03}\n")
    assert collect("requests.txt") == 3
    assert "no price for 'large'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["requests.txt", "--role", "other"], "No model plays the role 'other'"),
        (["requests.txt", "--server", "s"], "which model there? Add --model MODEL"),
        (
            ["requests.txt", "--server", "x", "--model", "m"],
            "--server x: unknown server. distilltest.yaml has s, embedded",
        ),
        (["requests.txt", *(f"--metadata=k{n}=v" for n in range(17))], "17 labels, but a completion has at most 16"),
        (["requests.txt", "--prompt", "none.yaml"], "there is no such prompt file"),
        (["requests.txt", "--prompt", "p.yaml"], "{{ item.what }} names nothing in case"),
        (["requests.txt", "--system", "none.txt"], "--system none.txt cannot be read: there is no such file"),
        (["requests.txt", "--system", " "], "--system: the text is empty"),
        (["requests.txt", "--out", "requests.txt"], "that is the file with the requests"),
        (["requests.txt", "--out", "requests.txt/x"], "requests.txt/x cannot be written"),
        (["none.txt"], "none.txt cannot be read: there is no such file"),
        (["odd.jsonl"], "odd.jsonl:2: it has 'what', but no text to send. Give"),
        (["odd.docx"], "odd.docx: it ends in '.docx'; requests are read from"),
    ],
)
def test_mistakes_are_named_before_anything_is_sent(project, server, capsys, arguments, words):
    (project / "p.yaml").write_text('messages:\n  - {role: user, content: "{{ item.what }}"}\n')
    (project / "odd.jsonl").write_text('{"request": "fine"}\n{"what": "?"}\n')
    assert collect(*arguments) == 3
    said = capsys.readouterr()
    assert words in said.err
    assert "Traceback" not in said.err
    assert server.calls == []


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--samples", "0", "is not a whole number from 1"),
        ("--limit", "x", "is not a whole number from 1"),
        ("--temperature", "0.2;1", "is not a list of temperatures from 0 to 2"),
        ("--temperature", "3", "is not a list of temperatures from 0 to 2"),
        ("--metadata", "task", "'task' is not a label; write KEY=VALUE"),
        ("--metadata", "k=" + "v" * 513, "its value up to 512"),
        ("--top-p", "nan", "is not a list of numbers from 0 to 1"),
    ],
)
def test_contradictory_options_are_a_wrong_command_line(project, capsys, option, value, words):
    with pytest.raises(SystemExit, match="2"):
        collect("requests.txt", option, value)
    assert words in capsys.readouterr().err


def test_killed_at_any_moment_nothing_received_is_asked_twice(project, server):
    enough = threading.Event()
    stop_at = 60

    def reply(number, _body):
        if number > stop_at:
            enough.wait(PATIENCE)
            return Reply(drop=True)
        return Reply()

    (project / "requests.txt").write_text("".join(f"switch to branch b{n}\n" for n in range(150)))
    command = [sys.executable, "-m", "distilltest", "collect", "--dataset", "requests.txt", "--samples", "2"]
    command += ["--temperature", "0.7", "--metadata", "task=git", "--out", "answers.jsonl"]
    server.script = reply
    for kept in (60, 160):
        with started(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
            until(lambda kept=kept: len(stored(project, metadata={"task": "git"})) == kept)  # all that was answered
            running.kill()
        enough.set()
        assert not (project / "answers.jsonl").exists()
        until(lambda: not server.in_flight)
        enough.clear()
        stop_at = len(server.calls) + 100
    server.script = lambda _number, _body: Reply()
    before = len(server.calls)
    last = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE)
    assert "300 answers, 140 calls to make" in last.stdout
    assert "300 answers to 150 requests: 140 new, 160 from the store" in last.stdout
    assert len(server.calls) - before == 140
    assert (project / "answers.jsonl").read_text().count("\n") == 300
    assert list(project.glob(".answers.jsonl*")) == []  # what the killed ones had begun to write


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_interrupted_it_says_that_it_can_go_on(project, server, name):
    going, stopped = threading.Event(), threading.Event()

    def reply(number, _body):
        if number > 5:
            going.set()
            stopped.wait(PATIENCE)
        return Reply()

    server.script = reply
    (project / "requests.txt").write_text("".join(f"request {n}\n" for n in range(400)))
    command = [sys.executable, "-m", "distilltest", "collect", "--dataset", "requests.txt"]
    with started(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as running:
        assert going.wait(PATIENCE)
        running.send_signal(getattr(signal, name))
        running.send_signal(getattr(signal, name))  # again, while it is about to end
        _, errors = running.communicate(timeout=PATIENCE)
        stopped.set()
    assert running.returncode == 130
    assert "the same command goes on from here" in errors
    assert "Traceback" not in errors


def test_a_time_limit_ends_it_as_incomplete(project, server):
    release = threading.Event()

    def reply(number, _body):
        if number > 5:
            release.wait()
        return Reply()

    server.script = reply
    (project / "requests.txt").write_text("".join(f"request {n}\n" for n in range(40)))
    command = [sys.executable, "-m", "distilltest", "collect", "--dataset", "requests.txt", "--time-limit", "2s"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    release.set()
    assert done.returncode == 11
    assert "The time limit of 2s is over. Everything that had arrived is kept" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(stored(project)) <= 5  # on a busy machine the time may be over before


def test_what_would_fail_again_is_not_worth_another_run(project, server, capsys):
    too_long = Reply(400, code="context_length_exceeded")
    server.script = lambda _number, body: too_long if "log" in said_last(body) else Reply()
    assert collect("requests.txt") == 11
    said = capsys.readouterr().err
    assert "1 call failed: 1 prompt too long" in said
    assert "It would fail again: change it, leave it out, or change the model." in said
    assert "Run the same" not in said
