"""What servers without jobs, closed ones and broken ones lead to: one message, no traceback, the file's path."""

import json

import pytest
from finetuning.odd_server import OddServer
from finetuning.project import Project

CLOSED = {"error": {"message": "Fine-tuning is closed.", "code": "training_not_available", "type": "x", "param": None}}
EMPTY = {"object": "list", "data": [], "has_more": False}
FILE = {
    "id": "file-1",
    "object": "file",
    "bytes": 1,
    "created_at": 1,
    "filename": "train.jsonl",
    "purpose": "fine-tune",
    "status": "processed",
}


def reply(content, status=200):
    return status, "application/json", json.dumps(content).encode()


def no_jobs(status, body=b'{"detail": "Not Found"}'):
    return lambda _method, _path: (status, "application/json", body)


def closed(method, path):
    if method == "GET":
        return reply(EMPTY)
    return reply(FILE) if path.endswith("/files") else reply(CLOSED, 403)


def no_files(_method, path):
    return reply(EMPTY) if "/jobs" in path else (404, "text/plain", b"404 page not found")


def rejecting(method, path):
    if method == "GET":
        return reply(EMPTY)
    return reply({"error": {"message": "Invalid file format for Fine-Tuning API. Must be .jsonl", "code": "x"}}, 400)


def page(_method, _path):
    return 200, "text/html", b"<html>Welcome to our proxy</html>"


START = ("finetune", "start", "train.jsonl")
MISSING = ("has no fine-tuning", "train.jsonl", "--candidate MODEL")


@pytest.mark.parametrize(
    ("script", "arguments", "words"),
    [
        (no_jobs(404), START, (*MISSING, "HTTP 404")),
        (no_jobs(405), START, (*MISSING, "HTTP 405")),
        (no_jobs(501), START, (*MISSING, "HTTP 501")),
        (
            no_jobs(404, b'{"error": {"message": "Invalid URL (GET /v1/fine_tuning/jobs)", "code": null}}'),
            START,
            MISSING,
        ),
        (no_files, START, MISSING),
        (
            closed,
            START,
            ("takes no new fine-tuning jobs", "training_not_available", "train.jsonl", "--candidate MODEL"),
        ),
        (
            rejecting,
            START,
            ("HTTP 400: Invalid file format for Fine-Tuning API. Must be .jsonl.", "The training file is ready"),
        ),
        (page, START, ("answered with text that is not JSON", "base_url")),
        (page, ("finetune", "list"), ("answered with text that is not JSON", "base_url")),
        (page, ("finetune", "show", "ftjob-1"), ("answered with text that is not JSON", "base_url")),
        (page, ("finetune", "checkpoints", "ftjob-1"), ("answered with text that is not JSON", "base_url")),
        (page, ("finetune", "cancel", "ftjob-1"), ("answered with text that is not JSON", "base_url")),
        (page, ("finetune", "watch", "ftjob-1"), ("answered with text that is not JSON", "base_url")),
        (no_jobs(404), ("finetune", "watch"), ("has no fine-tuning",)),
        (no_jobs(404), ("finetune", "checkpoints", "ftjob-1"), ("has no fine-tuning",)),
    ],
)
def test_each_refusal_is_one_clear_message(tmp_path, script, arguments, words):
    with OddServer(script) as server:
        project = Project.make(tmp_path / "project", server.url)
        done = project.call(*arguments)
    assert done.returncode == 3, done.stdout + done.stderr
    message = done.stderr.partition("distilltest: error: ")[2]
    assert message
    for word in words:
        assert word in message
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [START, ("finetune", "list"), ("finetune", "watch", "ftjob-1")])
def test_an_unreachable_server_is_named(tmp_path, arguments):
    with OddServer(page) as server:
        url = server.url
    project = Project.make(tmp_path / "project", url)
    done = project.call(*arguments)
    assert done.returncode == 3
    assert "Server 's' is not reachable" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("action", ["show", "watch", "cancel", "checkpoints"])
def test_a_job_that_is_not_there_is_named(project, action):
    done = project.call("finetune", action, "ftjob-nobody")
    assert done.returncode == 3
    assert "Server 's' has no ftjob-nobody" in done.stderr
    assert "finetune list" in done.stderr


def test_a_job_that_has_ended_cannot_be_cancelled_and_the_server_says_why(project):
    project.call(*START, "--watch")
    [job] = project.jobs()
    done = project.call("finetune", "cancel", job.id)
    assert done.returncode == 3
    assert "has already ended: succeeded" in done.stderr


def test_list_and_show_say_what_the_server_knows(project):
    assert project.call(*START, "--suffix", "mine", "--metadata", "team=git", "--watch").returncode == 0
    [job] = project.jobs()
    listed = project.call("finetune", "list").stdout
    assert job.id in listed
    assert job.fine_tuned_model in listed
    shown = project.call("finetune", "show", job.id).stdout
    for words in ("succeeded", job.fine_tuned_model, "n_epochs auto", "team=git", job.training_file, "ckpt-step-8"):
        assert words in shown
    assert "ckpt-step-24" in project.call("finetune", "checkpoints", job.id).stdout
