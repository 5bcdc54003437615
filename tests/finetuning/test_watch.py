"""``distilltest finetune watch``: every event once, through lost connections; what is done at the end."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys

import openai
import processes
import pytest
from finetuning.odd_server import OddServer
from finetuning.project import Project
from held import held_jobs, own_port
from processes import PATIENCE, line_with

from distilltest.demo_models.embedded_server import EmbeddedServer
from distilltest.errors import DistilltestError
from distilltest.finetuning import follow
from distilltest.finetuning.jobs import TuningServer

JOB = {
    "id": "ftjob-1",
    "object": "fine_tuning.job",
    "created_at": 1,
    "hyperparameters": {},
    "model": "m",
    "organization_id": "o",
    "result_files": [],
    "seed": 0,
    "status": "succeeded",
    "fine_tuned_model": "ft:m:1",
    "training_file": "file-1",
}


def reply(content, status=200):
    return status, "application/json", json.dumps(content).encode()


def started(project, *more):
    return project.call("finetune", "start", "train.jsonl", *more).stdout.split(":")[0]


def messages(output):
    return [line[10:] for line in output.splitlines() if re.match(r"\d\d:\d\d:\d\d  ", line)]


def test_every_event_is_a_line_once_and_in_order(project):
    done = project.call("finetune", "watch", started(project))
    said = messages(done.stdout)
    assert said[0].startswith("Created fine-tuning job")
    assert [line.split(":")[0] for line in said[3:8]] == [f"Step {n}/40" for n in (8, 16, 24, 32, 40)]
    assert said[-1] == "The job has successfully completed"
    assert len(said) == len(set(said)) == 10
    again = project.call("finetune", "watch", project.jobs()[0].id)
    assert messages(again.stdout) == said


def test_without_a_name_the_newest_unfinished_job_is_watched(tmp_path):
    with held_jobs() as go_on:
        server = EmbeddedServer.start(tmp_path / "server", job_seconds=0.05)
        project = Project.make(tmp_path / "project", server.base_url)
        job = started(project)
        with project.popen("finetune", "watch") as watching:
            line_with("Step 8/40", watching.stdout)
            go_on.set()
            assert f"{job} succeeded" in watching.communicate(timeout=PATIENCE)[0]
    none = project.call("finetune", "watch")
    assert none.returncode == 3
    assert f"no unfinished job: the newest, {job}, has succeeded" in none.stderr
    server.stop()


def test_lost_connections_are_waited_out_and_no_event_is_told_twice(tmp_path):
    port = own_port()
    first = EmbeddedServer.start(tmp_path / "server", port=port, job_seconds=3600.0)
    project = Project.make(tmp_path / "project", first.base_url)
    with project.popen("finetune", "watch", started(project)) as watching:
        created = line_with("Created", watching.stdout)
        first.stop()
        lost = line_with("no answer", watching.stdout)
        second = EmbeddedServer.start(tmp_path / "server", port=port, job_seconds=0.05)
        output, errors = watching.communicate(timeout=PATIENCE)
    second.stop()
    assert watching.returncode == 0, errors
    said = messages(created + lost + output)
    assert len(said) == len(set(said))
    assert said[-1] == "The job has successfully completed"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_leaves_the_job_running_and_says_how_to_go_on(tmp_path, name):
    slow = EmbeddedServer.start(tmp_path / "server", job_seconds=3600.0)
    project = Project.make(tmp_path / "project", slow.base_url)
    job = started(project)
    with project.popen("finetune", "watch") as watching:
        line_with("Created", watching.stdout)
        watching.send_signal(getattr(signal, name))
        _, errors = watching.communicate(timeout=PATIENCE)
    assert watching.returncode == 130
    assert f"distilltest finetune watch {job}" in errors
    assert "Traceback" not in errors
    assert next(each.status for each in project.jobs() if each.id == job) not in ("cancelled", "failed")
    slow.stop()


def test_on_a_terminal_one_line_is_written_anew(project):
    job = started(project)
    ours, theirs = pty.openpty()
    command = project.command("finetune", "watch", job)
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with processes.started(command, stdout=theirs, stderr=theirs, env=environment) as watching:
        os.close(theirs)
        output = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end has been closed
                break
            if not part:
                break
            output += part
        watching.wait(PATIENCE)
    os.close(ours)
    assert watching.returncode == 0
    text = output.decode()
    live = [part for part in text.split("\r\x1b[K") if part.startswith(job)]
    assert any("running" in part or "succeeded" in part for part in live)
    assert any("training loss" in part for part in live)
    assert all(len(part.splitlines()[0]) < 100 for part in live[:-1])
    assert "tuned model: ft:embedded-student" in text


def test_the_model_is_set_as_candidate_and_comments_stay(project):
    done = project.call("finetune", "watch", started(project), "--set-candidate")
    assert done.returncode == 0, done.stderr
    model = re.search(r"tuned model: (\S+)", done.stdout)[1]
    text = (project.root / "distilltest.yaml").read_text()
    assert f"  candidate: {{server: s, model: '{model}'}}\n" in text
    assert "# who plays\n" in text
    assert "# the student\n" in text


def test_a_checkpoint_is_a_candidate_and_is_asked_with_the_prompt_that_it_learned_with(project):
    done = project.call("finetune", "watch", started(project))
    checkpoint = re.search(r"(\S+:ckpt-step-8)", done.stdout)[1]
    command = [sys.executable, "-m", "pytest", "suites", "--candidate", checkpoint, "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(command, check=False, cwd=project.root, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    [report] = (project.root / "reports").glob("*/report.json")
    roles = {line["role"]: line for line in json.loads(report.read_text())["evaluations"][0]["roles"]}
    assert (roles["candidate"]["model"], roles["candidate"]["prompt"]) == (checkpoint, "short.yaml")
    assert roles["candidate"]["rate"] == 1.0
    assert roles["base"]["prompt"] == "long.yaml"


NOTE = 'printf \'%s|%s|%s\' "$DISTILLTEST_JOB" "$DISTILLTEST_STATUS" "$DISTILLTEST_MODEL" > note.txt'


def test_the_notification_knows_how_the_job_ended(project):
    job = started(project)
    done = project.call("finetune", "watch", job, "--notify", NOTE)
    model = re.search(r"tuned model: (\S+)", done.stdout)[1]
    assert (project.root / "note.txt").read_text() == f"{job}|succeeded|{model}"
    failing = project.call("finetune", "watch", job, "--notify", "exit 7")
    assert failing.returncode == 0
    assert "ended with exit code 7" in failing.stderr


def test_a_cancelled_job_is_an_error_and_notified_too(tmp_path, follower):
    slow = EmbeddedServer.start(tmp_path / "server", job_seconds=3600.0)
    project = Project.make(tmp_path / "project", slow.base_url)
    job = started(project)
    assert project.call("finetune", "cancel", job).stdout == f"{job} cancelled\n"
    done = project.call("finetune", "watch", job, "--notify", NOTE, "--set-candidate")
    assert done.returncode == 3
    assert f"{job} cancelled" in done.stderr
    assert (project.root / "note.txt").read_text() == f"{job}|cancelled|"
    assert "candidate" not in (project.root / "distilltest.yaml").read_text()
    assert "started; " in project.call("finetune", "start", "train.jsonl").stdout
    slow.stop()


@pytest.fixture
def follower(tmp_path):
    """Makes followers of jobs; their connections end with the test."""
    with contextlib.ExitStack() as clients:

        def make(url, told=lambda _: None, **more):
            client = clients.enter_context(openai.OpenAI(base_url=url, api_key="none"))
            return follow.Follower(TuningServer("s", url, client, tmp_path), told, **more)

        yield make


def test_errors_of_the_server_are_waited_out_but_a_refused_key_is_not(follower):
    answers = iter(
        [reply({}, 503), reply({}, 429), reply(JOB), reply({"object": "list", "data": [], "has_more": False})]
    )
    waited = []
    with OddServer(lambda _method, _path: next(answers)) as server:
        job, _ = follower(server.url, sleep=waited.append).follow("ftjob-1")
    assert (job.status, waited) == ("succeeded", [2.0, 4.0])
    with (
        OddServer(lambda _method, _path: reply({"error": {"message": "no"}}, 401)) as server,
        pytest.raises(DistilltestError, match="HTTP 401"),
    ):
        follower(server.url).follow("ftjob-1")


def test_after_ten_minutes_without_an_answer_following_gives_up_and_says_how_to_go_on(follower):
    with OddServer(lambda *_: reply({})) as server:
        url = server.url
    now = [0.0]

    def sleep(seconds):
        now[0] += seconds

    with pytest.raises(DistilltestError, match=r"not reachable.*Run the same command again"):
        follower(url, sleep=sleep, clock=lambda: now[0]).follow("ftjob-1")
    assert follow.PATIENCE < now[0] < follow.PATIENCE + 20


def test_losses_are_read_from_whatever_form_a_server_gives_them(follower):
    base = {"object": "fine_tuning.job.event", "created_at": 1, "level": "info"}
    events = [
        base
        | {
            "id": "3",
            "message": "Step 30/30: training loss=0.1",
            "type": "metrics",
            "data": {"train_loss": 0.1, "step": 30},
        },
        base
        | {
            "id": "2",
            "message": "Step 20",
            "type": "metrics",
            "data": {"full_valid_loss": 0.3, "valid_loss": 9, "total_steps": 30},
        },
        base | {"id": "1", "message": "Step 10/30: odd", "data": None, "level": "warn"},
    ]
    content = {"object": "list", "data": events, "has_more": False}
    told = []
    with OddServer(lambda _m, path: reply(content if "events" in path else JOB)) as server:
        _, progress = follower(server.url, told.append).follow("ftjob-1")
    assert [(e.step, e.steps, e.train_loss, e.valid_loss) for e in told] == [
        (10, 30, None, None),
        (20, 30, None, 0.3),
        (30, 30, 0.1, None),
    ]
    assert (progress.step, progress.train, progress.valid) == (30, (0.1,), (0.3,))


def test_pages_of_events_are_read_only_as_far_as_there_is_news(tmp_path, follower):
    slow = EmbeddedServer.start(tmp_path / "server", job_seconds=1.0)
    project = Project.make(tmp_path / "project", slow.base_url)
    job = started(project)
    told = []
    follower(slow.base_url, told.append).follow(job, pause=0.05)
    slow.stop()
    assert len(told) == len({event.message for event in told}) == 10
