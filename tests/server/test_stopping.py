"""A stopping server does not wait for trainings: the process ends, and jobs continue at the next start."""

import asyncio
import subprocess
import sys
import threading

import openai
import pytest
from processes import FORKED, PATIENCE
from server.embedded_jobs import ended, lines

from distilltest.demo_models.embedded_server import EmbeddedServer
from distilltest.demo_models.models import EmbeddedModels
from distilltest.demo_models.training_job import StudentTraining
from distilltest.server import worker
from distilltest.server.app import LocalServer
from distilltest.server.folder_lock import FolderLock
from distilltest.server.threads import Threads

ENDING = """
import sys, threading
from pathlib import Path
import openai
from distilltest.config import load_config
from distilltest.completions.client import openai_client
from distilltest.server import worker
from distilltest.demo_models.training_job import StudentTraining

begun = threading.Event()
worker.PATIENCE = 0.05

def run(self, name, control):  # a step that never ends
    begun.set()
    threading.Event().wait()

StudentTraining.run = run
config = load_config(Path(sys.argv[1]))
client = openai_client(config.server("embedded"), config)
file = client.files.create(file=("train.jsonl", sys.stdin.buffer.read()), purpose="fine-tune")
job = client.fine_tuning.jobs.create(model="embedded-student", training_file=file.id)
assert begun.wait(60)
client.close()
print(job.id)
"""


def stuck(begun, go_on):
    """Models whose training does not check whether to stop."""

    class Stuck(StudentTraining):
        def run(self, name, control):
            begun.set()
            assert go_on.wait(60)
            return super().run(name, control)

    class Models(EmbeddedModels):
        def prepare(self, job, training, validation):
            return Stuck(**vars(super().prepare(job, training, validation)))

    return lambda objects: Models(objects, 0.05)


def status(server, job):
    with openai.OpenAI(base_url=server.base_url, api_key="none") as client:
        return client.fine_tuning.jobs.retrieve(job).status


def end_of(server, job):
    with openai.OpenAI(base_url=server.base_url, api_key="none") as client:
        return ended(client, client.fine_tuning.jobs.retrieve(job)).status


def start_job(server):
    with openai.OpenAI(base_url=server.base_url, api_key="none") as client:
        file = client.files.create(file=("train.jsonl", lines()), purpose="fine-tune")
        return client.fine_tuning.jobs.create(model="embedded-student", training_file=file.id).id


def test_a_stop_does_not_wait_for_a_training_that_does_not_look_and_the_job_goes_on_later(tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "PATIENCE", 0.05)
    monkeypatch.setattr(worker, "POLL_SECONDS", 0.01)
    begun, go_on = threading.Event(), threading.Event()
    first = LocalServer.start(tmp_path, models_of=stuck(begun, go_on))
    job = start_job(first)
    assert begun.wait(60)
    [thread] = [thread for thread in threading.enumerate() if thread.name == "distilltest-job"]
    first.stop()
    assert thread.is_alive()
    assert thread.daemon
    begun_again, refused = threading.Event(), threading.Event()
    take = FolderLock.take
    monkeypatch.setattr(FolderLock, "take", lambda self: take(self) or refused.set())
    second = LocalServer.start(tmp_path, models_of=stuck(begun_again, go_on))
    assert refused.wait(60)  # one folder, one training: the first still works
    assert not begun_again.is_set()
    assert status(second, job) == "running"
    go_on.set()
    thread.join(60)
    assert begun_again.wait(60)
    assert end_of(second, job) == "succeeded"
    second.stop()


def test_a_process_ends_while_a_training_goes_on_and_its_job_is_not_failed(tmp_path):
    command = [sys.executable, "-c", FORKED + ENDING, str(tmp_path)]
    done = subprocess.run(command, input=lines(), capture_output=True, check=False, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, b"")
    server = EmbeddedServer.start(tmp_path / ".distilltest" / "embedded", job_seconds=0.05)
    job = done.stdout.decode().strip()
    assert end_of(server, job) == "succeeded"
    server.stop()


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), KeyboardInterrupt()])
def test_what_a_thread_raises_is_raised_where_it_is_awaited(error):
    def work():
        raise error

    with pytest.raises(type(error)):
        asyncio.run(Threads("x").run(work))
