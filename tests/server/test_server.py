"""The embedded server through the official client, over real HTTP."""

import json
import socket

import openai
import pytest
from held import held_jobs
from processes import until
from server.embedded_jobs import ask, ended, lines, run_job, upload

from distilltest.demo_models.embedded_server import EmbeddedServer
from distilltest.demo_models.models import EmbeddedModels
from distilltest.demo_models.training_job import StudentTraining
from distilltest.server.app import LocalServer

REQUESTS = ["switch to the branch docs", "show the status", "stash my changes", "list all tags", "push docs to origin"]


@pytest.fixture
def server(tmp_path):
    running = EmbeddedServer.start(tmp_path, job_seconds=0.05)
    yield running
    running.stop()


@pytest.fixture
def client(server):
    with openai.OpenAI(base_url=server.base_url, api_key="none", max_retries=0) as made:
        yield made


def test_chat_answers_with_usage(client):
    answer = ask(client, "show the status", n=2, seed=1)
    assert [choice.message.content for choice in answer.choices] == ["git status"] * 2
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert ask(client, "push docs to origin", max_completion_tokens=2).choices[0].finish_reason == "length"
    schema = {"name": "a", "schema": {"type": "object", "properties": {"command": {"type": "string"}}}}
    shaped = ask(client, "show the status", response_format={"type": "json_schema", "json_schema": schema})
    assert json.loads(shaped.choices[0].message.content) == {"command": "git status"}


def test_stored_completions_are_listed_filtered_paged_changed_and_deleted(client):
    for number, text in enumerate(REQUESTS):
        ask(client, text, store=True, metadata={"task": "git", "number": str(number)})
    ask(client, "not stored")
    assert len(list(client.chat.completions.list(limit=2))) == len(REQUESTS)
    [third] = client.chat.completions.list(metadata={"number": "2"}, model="embedded-teacher").data
    assert client.chat.completions.retrieve(third.id).choices[0].message.content == "git stash"
    assert client.chat.completions.messages.list(third.id).data[0].content == REQUESTS[2]
    client.chat.completions.update(third.id, metadata={"task": "other"})
    assert [c.id for c in client.chat.completions.list(metadata={"task": "other"})] == [third.id]
    assert client.chat.completions.delete(third.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.retrieve(third.id)


def test_files_are_kept(client):
    file = client.files.create(file=("a.jsonl", b"{}"), purpose="fine-tune")
    assert client.files.retrieve(file.id).bytes == 2
    assert client.files.content(file.id).read() == b"{}"
    assert [f.id for f in client.files.list(purpose="fine-tune")] == [file.id]
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.BadRequestError):
        client.files.create(file=("a", b""), purpose="nonsense")


def test_a_running_job_can_be_cancelled_and_survives_a_restart(tmp_path):
    first = EmbeddedServer.start(tmp_path, job_seconds=3600)
    with openai.OpenAI(base_url=first.base_url, api_key="none") as client:
        file = client.files.create(file=("train.jsonl", lines()), purpose="fine-tune")
        kept, cancelled = (
            client.fine_tuning.jobs.create(model="embedded-student", training_file=file.id) for _ in range(2)
        )
        assert client.fine_tuning.jobs.cancel(cancelled.id).status == "cancelled"
    first.stop()
    second = EmbeddedServer.start(tmp_path, job_seconds=0.05)
    with openai.OpenAI(base_url=second.base_url, api_key="none") as client:
        until(lambda: client.fine_tuning.jobs.retrieve(kept.id).status == "succeeded")
        assert client.fine_tuning.jobs.retrieve(cancelled.id).status == "cancelled"
    second.stop()


def test_errors_have_openais_shape(client):
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client, "x", "nobody")
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError):
        ask(client, "x", metadata={"k": "v" * 513})
    with pytest.raises(openai.PermissionDeniedError):
        client.fine_tuning.jobs.create(
            model="embedded-teacher", training_file=client.files.create(file=("a", lines()), purpose="fine-tune").id
        )


def test_a_job_whose_file_is_deleted_before_it_is_read_fails_and_says_so(tmp_path):
    first = EmbeddedServer.start(tmp_path, job_seconds=3600)
    with openai.OpenAI(base_url=first.base_url, api_key="none") as client:
        file = client.files.create(file=("train.jsonl", lines()), purpose="fine-tune")
        job = client.fine_tuning.jobs.create(model="embedded-student", training_file=file.id)
        client.files.delete(file.id)
    first.stop()
    second = EmbeddedServer.start(tmp_path, job_seconds=0.05)
    with openai.OpenAI(base_url=second.base_url, api_key="none") as client:
        until(lambda: client.fine_tuning.jobs.retrieve(job.id).status == "failed")
        job = client.fine_tuning.jobs.retrieve(job.id)
        assert f"No such File object: {file.id}" in job.error.message
    second.stop()


def test_a_job_that_another_server_on_the_folder_cancels_stops(tmp_path):
    first, second = (EmbeddedServer.start(tmp_path, job_seconds=0.05) for _ in range(2))
    with (
        held_jobs() as go_on,
        openai.OpenAI(base_url=first.base_url, api_key="none") as one,
        openai.OpenAI(base_url=second.base_url, api_key="none") as other,
    ):
        jobs = one.fine_tuning.jobs
        file = one.files.create(file=("train.jsonl", lines()), purpose="fine-tune")
        job = jobs.create(model="embedded-student", training_file=file.id)
        until(lambda: any(event.message.startswith("Step ") for event in jobs.list_events(job.id)))
        other.fine_tuning.jobs.cancel(job.id)
        told = len(jobs.list_events(job.id).data)
        after = jobs.create(
            model="embedded-student", training_file=file.id
        )  # for which the first server looks at all jobs
        until(lambda: jobs.retrieve(after.id).status == "running")
        go_on.set()
        until(lambda: jobs.retrieve(after.id).status == "succeeded")
        assert jobs.retrieve(job.id).status == "cancelled"
        assert len(jobs.list_events(job.id).data) == told
    first.stop()
    second.stop()


def test_a_job_that_another_server_cancels_at_its_very_end_stays_cancelled(tmp_path):
    class CancelledAtItsEnd(StudentTraining):
        def run(self, name, watch):
            tokens = super().run(name, watch)
            another = EmbeddedServer.start(tmp_path)
            with openai.OpenAI(base_url=another.base_url, api_key="none") as client:
                [job] = [job for job in client.fine_tuning.jobs.list() if job.status == "running"]
                client.fine_tuning.jobs.cancel(job.id)
            another.stop()
            return tokens

    class OneByOne(EmbeddedModels):
        jobs_at_once = 1

        def prepare(self, job, training, validation):
            return CancelledAtItsEnd(**vars(super().prepare(job, training, validation)))

    server = LocalServer.start(tmp_path, models_of=lambda objects: OneByOne(objects, 0.05))
    with openai.OpenAI(base_url=server.base_url, api_key="none") as client:
        first, second = (run_job(client, lines()) for _ in range(2))  # the second runs when the first is done with
        assert (client.fine_tuning.jobs.retrieve(first.id).status, second.status) == ("cancelled", "cancelled")
        [newest, *_] = client.fine_tuning.jobs.list_events(first.id)
        assert newest.message == "The job was cancelled"
    server.stop()


@pytest.mark.parametrize("seed", [-1, 2**32, "one"])
def test_a_seed_that_no_generator_takes_is_refused(client, seed):
    file = client.files.create(file=("a", lines()), purpose="fine-tune")
    with pytest.raises(openai.BadRequestError, match="seed"):
        client.fine_tuning.jobs.create(model="embedded-student", training_file=file.id, seed=seed)


def test_a_key_is_demanded_where_one_is_set(tmp_path):
    server = EmbeddedServer.start(tmp_path, api_key="secret")
    with (
        openai.OpenAI(base_url=server.base_url, api_key="wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.models.list()
    server.stop()


def test_it_listens_on_the_loopback_address_only(server):
    port = int(server.base_url.rsplit(":", 1)[1].split("/")[0])
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for address in others:
        if not address.startswith("127."):
            with pytest.raises(OSError, match=r".+"):
                socket.create_connection((address, port), timeout=0.5)
    assert server.base_url.startswith("http://127.0.0.1:")


def test_of_two_servers_on_one_folder_one_runs_a_job_and_the_other_takes_over_when_it_ends(tmp_path):
    first, second = (EmbeddedServer.start(tmp_path, job_seconds=0.05) for _ in range(2))
    with openai.OpenAI(base_url=first.base_url, api_key="none") as one:
        file = upload(one, lines(60))
    with held_jobs() as go_on, openai.OpenAI(base_url=second.base_url, api_key="none") as other:
        job = other.fine_tuning.jobs.create(model="embedded-student", training_file=file)
        until(lambda: other.fine_tuning.jobs.retrieve(job.id).status == "running")
        first.stop()  # which had the claim, so it ran the job
        go_on.set()
        job = ended(other, job)
        assert job.status == "succeeded"
        messages = [event.message for event in other.fine_tuning.jobs.list_events(job.id, limit=100)]
        assert len(messages) == len(set(messages)) == 10
        assert len(other.fine_tuning.jobs.checkpoints.list(job.id).data) == 3
    second.stop()
