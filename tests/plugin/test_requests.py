"""Which requests are sent, which are not sent again, and failures to send."""

import signal
import threading

import pytest
from plugin.answering_server import chat_answer
from processes import PATIENCE

from distilltest.exit_codes import COULD_NOT_RUN, INCOMPLETE


def test_a_second_run_asks_nothing(project):
    project.small()
    project.run()
    asked = project.server.calls.total()
    assert asked == 60
    assert project.run().ret == 0
    assert project.server.calls.total() == asked


def test_fresh_asks_everything_once_more(project):
    project.small()
    project.run()
    assert project.run("--fresh").ret == 0
    assert set(project.server.calls.values()) == {2}


def test_another_candidate_asks_the_candidate_only(project):
    project.small()
    project.run()
    project.server.knows["other"] = lambda n: True
    assert project.run("--candidate", "other").ret == 0
    assert project.server.calls.total() == 80


def test_offline_lists_the_missing_completions(project):
    project.small()
    result = project.run("--offline")
    assert result.ret == INCOMPLETE
    result.stdout.fnmatch_lines(["*not in the store*"])
    assert not project.server.calls
    project.run()
    assert project.run("--offline").ret == 0


def test_trials_are_asked_apart_and_averaged(project):
    project.cases(20)
    project.suite(trials="2", gate='[better_than("base")]')
    assert project.run().ret == 0
    assert set(project.server.calls.values()) == {2}


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, {"error": {"message": "bad key"}}, "not authorised"),
        (429, {"error": {"message": "slow down"}}, "rate limited"),
        (200, b'{"choices": [{"mess', "unusable answer"),
        (200, {"id": "x", "choices": []}, "unusable answer"),
        (400, {"error": {"message": "too long"}}, "request rejected"),
    ],
    ids=["401", "429", "half", "no choices", "400"],
)
def test_calls_that_fail_are_named_and_lose_nothing(project, status, body, words):
    project.cases(8)
    project.server.special["candidate"] = lambda model, number: (status, body)
    result = project.run()
    assert result.ret == INCOMPLETE
    result.stdout.fnmatch_lines([f"*{words}*"])
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
    del project.server.special["candidate"]
    before = {key: n for key, n in project.server.calls.items() if key[0] != "candidate"}
    project.run()
    assert {key: n for key, n in project.server.calls.items() if key[0] != "candidate"} == before


def test_a_model_that_does_not_exist_is_named(project):
    project.small()
    result = project.run("--candidate", "nobody")
    assert result.ret == INCOMPLETE
    result.stdout.fnmatch_lines(["*no such model*"])


def test_a_server_that_is_not_there_is_named(project):
    text = (project.root / "distilltest.yaml").read_text().replace(project.server.base_url, "http://127.0.0.1:9/v1")
    project.write("distilltest.yaml", text)
    project.cases(5)
    result = project.run()
    assert result.ret == INCOMPLETE
    result.stdout.fnmatch_lines(["*server not reachable*"])


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("cases.jsonl", '{"id": "a"}\n{"id": \n', "*cases.jsonl:2: not JSON*"),
        ("cases.jsonl", '{"id": "a"}\n{"id": "a"}\n', "*cases.jsonl:2:*there twice, first at cases.jsonl:1*"),
        ("cases.jsonl", "\n", "*the dataset is empty*"),
        ("prompt.yaml", "messages: [{role: user, content: '{{ item.nope }}'}]", "*item.nope }} names nothing in case*"),
        ("distilltest.yaml", "modles: {}\n", "*distilltest.yaml:1: unknown key 'modles'*'models'*"),
    ],
    ids=["broken line", "duplicate", "empty", "prompt field", "unknown key"],
)
def test_bad_input_is_named_with_its_place(project, name, text, words):
    project.write(name, text)
    result = project.run()
    assert result.ret == COULD_NOT_RUN
    result.stdout.fnmatch_lines([words])
    assert "Traceback" not in result.stdout.str()
    assert not project.server.calls


def test_a_dataset_that_is_not_there_is_named(project):
    (project.root / "cases.jsonl").unlink()
    result = project.run()
    assert result.ret == COULD_NOT_RUN
    result.stdout.fnmatch_lines(["*cases.jsonl: there is no such file*"])
    result.stdout.no_fnmatch_line("*another exception occurred*")


def test_an_unknown_role_in_a_rule_is_named(project):
    project.suite(gate='[better_than("bas")]')
    result = project.run()
    assert result.ret == COULD_NOT_RUN
    result.stdout.fnmatch_lines(["*the role 'bas'*base, teacher, candidate*"])


def test_a_missing_key_variable_is_named(project):
    text = (project.root / "distilltest.yaml").read_text().replace("{base_url", "{api_key: '${NO_SUCH_KEY}', base_url")
    project.write("distilltest.yaml", text)
    result = project.run()
    assert result.ret == COULD_NOT_RUN
    result.stdout.fnmatch_lines(["*NO_SUCH_KEY, which is not set*"])


def test_ctrl_c_stops_at_once_and_keeps_responses(project):
    asked, ended = threading.Event(), threading.Event()

    def slow(model, number):
        if sum(n for (name, _), n in project.server.calls.items() if name == model) > 10:
            asked.set()
            ended.wait(PATIENCE)  # so that it ends although answers are outstanding
        return 200, chat_answer(model, f"answer {number}")

    project.server.special["candidate"] = slow
    project.at_once(4)
    running = project.start()
    assert asked.wait(PATIENCE)
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=PATIENCE)
    ended.set()
    assert running.returncode == 2
    assert "asks only for what is missing" in out
    interrupted = dict(project.server.calls)
    project.server.special.clear()
    assert project.run().ret == 0
    again = sum(n - interrupted.get(key, 0) for key, n in project.server.calls.items() if interrupted.get(key))
    assert again <= 4  # only what was in flight
