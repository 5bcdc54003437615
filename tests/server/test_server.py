"""The embedded server through the official client, over real HTTP."""

import ast
import json
import socket
from pathlib import Path

import openai
import pytest
from held import held_jobs
from processes import until

import distilltest.demo_models
from distilltest.demo_models.embedded_server import EmbeddedServer
from distilltest.demo_models.learning import StudentTraining
from distilltest.demo_models.models import EmbeddedModels
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


def ask(client, text, model="embedded-teacher", **more):
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **more)


def lines(count=12):
    return b"\n".join(
        json.dumps(
            {
                "messages": [
                    {"role": "user", "content": f"go to b-{i}"},
                    {"role": "assistant", "content": f"git switch b-{i}"},
                ]
            }
        ).encode()
        for i in range(count)
    )


def run_job(client, data, **more):
    file = client.files.create(file=("train.jsonl", data), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(model="embedded-student", training_file=file.id, **more)
    until(lambda: client.fine_tuning.jobs.retrieve(job.id).status in ("succeeded", "failed", "cancelled"))
    return client.fine_tuning.jobs.retrieve(job.id)


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


def test_a_job_tunes_a_model_that_has_learned(client):
    job = run_job(client, lines(), suffix="mine", metadata={"a": "b"}, validation_file=None)
    assert job.status == "succeeded"
    assert ask(client, "go to b-99", job.fine_tuned_model).choices[0].message.content == "git switch b-99"
    assert ask(client, "go to b-99", "embedded-student").choices[0].message.content != "git switch b-99"
    assert job.fine_tuned_model in [model.id for model in client.models.list()]
    assert client.models.retrieve(job.fine_tuned_model).owned_by == "distilltest"
    losses = [e.data["train_loss"] for e in client.fine_tuning.jobs.list_events(job.id) if e.type == "metrics"]
    assert len(losses) == 5
    assert losses[0] <= losses[-1]  # the newest first
    assert len(client.fine_tuning.jobs.checkpoints.list(job.id).data) == 3
    assert [j.id for j in client.fine_tuning.jobs.list()] == [job.id]


def test_a_bad_training_file_fails_the_job_and_names_the_line(client):
    job = run_job(client, lines() + b"\n{broken")
    assert (job.status, job.error.code) == ("failed", "invalid_training_file")
    assert "Line 13" in job.error.message
    assert run_job(client, lines(9)).error.message.startswith("Training file has 9")


def test_preferences_shift_answers(client):
    row = {
        "input": {"messages": [{"role": "user", "content": "go to main"}]},
        "preferred_output": [{"role": "assistant", "content": "git switch main"}],
        "non_preferred_output": [{"role": "assistant", "content": "git checkout main"}],
    }
    job = run_job(client, b"\n".join([json.dumps(row).encode()] * 10), method={"type": "dpo"})
    assert ask(client, "go to develop", job.fine_tuned_model).choices[0].message.content == "git switch develop"


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


def test_embeddings_of_near_texts_are_near(client):
    answer = client.embeddings.create(
        model="embedded-teacher", input=["show the status", "show status", "delete a tag"]
    )
    first, near, far = (item.embedding for item in answer.data)
    product = lambda a, b: sum(x * y for x, y in zip(a, b, strict=True))  # noqa: E731
    assert product(first, near) > product(first, far)


def test_it_listens_on_the_loopback_address_only(server):
    port = int(server.base_url.rsplit(":", 1)[1].split("/")[0])
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for address in others:
        if not address.startswith("127."):
            with pytest.raises(OSError, match=r".+"):
                socket.create_connection((address, port), timeout=0.5)
    assert server.base_url.startswith("http://127.0.0.1:")


def test_the_models_read_no_files():
    for name in (
        "features",
        "learning",
        "lessons",
        "lexicon",
        "memory",
        "preferences",
        "rulebook",
        "rules",
        "slots",
        "student",
    ):
        source = Path(distilltest.demo_models.__file__).with_name(f"{name}.py").read_text()
        assert "fixtures" not in source
        called = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
        assert not called & {"open", "Path", "__import__"}
