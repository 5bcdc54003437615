"""``kill -9`` at any moment: the same command goes on, the server is asked for nothing twice, no file is half-written."""

import json
import threading

import pytest
from aiohttp import web
from finetuning.project import Project
from held import held_jobs
from processes import PATIENCE, line_with

from distilltest.demo_models.embedded_server import EmbeddedServer
from distilltest.server import app as embedded


class Moment:
    """Holds the answer to one request back, before or after the server has acted on it."""

    def __init__(self, method, path, after, number=1):
        self.method, self.path, self.after = method, path, after
        self.left = number
        self.reached = threading.Event()

    def holds(self, request):
        if self.reached.is_set() or (request.method, request.path) != (self.method, self.path):
            return False
        self.left -= 1
        return self.left == 0


@pytest.fixture
def held(monkeypatch, tmp_path):
    """Starts a server that holds back the answer to a certain request; whoever asked is killed meanwhile."""
    running = []

    def start(moment, **options):
        make = embedded.create_app

        def create_app(*arguments, **more):
            app = make(*arguments, **more)

            @web.middleware
            async def hold(request, handler):
                if not moment.holds(request):
                    return await handler(request)
                answer = await handler(request) if moment.after else web.Response(status=503)
                moment.reached.set()
                return answer

            app.middlewares.append(hold)
            return app

        monkeypatch.setattr(embedded, "create_app", create_app)
        running.append(EmbeddedServer.start(tmp_path / "server", **options))
        return Project.make(tmp_path / "project", running[-1].base_url)

    yield start
    for server in running:
        server.stop()


def killed(moment, process):
    """Let a command run until the moment is reached, and kill it."""
    with process as running:
        assert moment.reached.wait(PATIENCE)
        running.kill()


def whole(project):
    """Every file that somebody reads is whole."""
    for path in project.root.rglob("*.jsonl"):
        if not path.name.startswith("."):
            assert path.read_text().endswith("}\n"), path
    for path in project.root.rglob("curve.json"):
        json.loads(path.read_text())


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("path", ["/v1/files", "/v1/fine_tuning/jobs"])
def test_killed_while_starting_there_is_one_upload_and_one_job(held, path, after):
    moment = Moment("POST", path, after)
    project = held(moment, job_seconds=0.05)
    killed(moment, project.popen("finetune", "start", "train.jsonl", "--watch"))
    second = project.run("finetune", "start", "train.jsonl", "--watch")
    assert second.returncode == 0, second.stderr
    assert (project.stats()["files"], project.stats()["jobs"]) == (1, 1)
    whole(project)


def test_killed_between_the_two_jobs_of_a_sequence_the_second_is_started_once(held):
    moment = Moment("POST", "/v1/fine_tuning/jobs", after=True, number=2)
    project = held(moment, job_seconds=0.05)
    command = ("finetune", "start", "train.jsonl", "--then-dpo", "preferences.jsonl", "--watch")
    killed(moment, project.popen(*command))
    second = project.run(*command)
    assert second.returncode == 0, second.stderr
    assert (project.stats()["files"], project.stats()["jobs"]) == (2, 2)


def test_killed_while_watching_the_job_goes_on_and_is_watched_again(tmp_path):
    with held_jobs() as go_on:
        server = EmbeddedServer.start(tmp_path / "server", job_seconds=0.05)
        project = Project.make(tmp_path / "project", server.base_url)
        with project.popen("finetune", "start", "train.jsonl", "--watch", "--set-candidate") as first:
            job = first.stdout.readline().split(":")[0]
            line_with("Step", first.stdout)
            first.kill()
        text = (project.root / "distilltest.yaml").read_text()
        go_on.set()
        second = project.run("finetune", "watch", job, "--set-candidate")
    server.stop()
    assert second.returncode == 0, second.stderr
    assert "candidate" not in text
    assert "candidate: {server: s, model: 'ft:embedded-student" in (project.root / "distilltest.yaml").read_text()


CURVE = ("learning-curve", "--file", "train.jsonl", "--sizes", "10,20,all")
ASKED = 30 * (3 + 2)
"""Chat completions of three sizes, and of base and teacher once, on 30 cases."""


@pytest.mark.parametrize(
    ("method", "path", "number"), [("POST", "/v1/fine_tuning/jobs", 2), ("POST", "/v1/chat/completions", 80)]
)
def test_killed_while_measuring_a_learning_curve_nothing_is_paid_twice(held, method, path, number):
    moment = Moment(method, path, after=True, number=number)
    project = held(moment, job_seconds=0.5)
    killed(moment, project.popen(*CURVE))
    whole(project)
    assert not list((project.root / "reports").glob("learning-curve-*"))
    second = project.run(*CURVE)
    assert second.returncode == 0, second.stdout + second.stderr
    assert (project.stats()["files"], project.stats()["jobs"]) == (3, 3)
    # Answers that were on their way when it was killed are asked again: at most the calls in flight at once.
    assert ASKED <= project.stats()["chat_completions"] <= ASKED + 100
    before = project.stats()
    third = project.run(*CURVE)
    assert third.returncode == 0, third.stdout + third.stderr
    assert "started before, succeeded" in third.stdout
    assert project.stats() == before
    whole(project)
