"""Jobs while they run: cancelled, paused, interrupted; and adapters on disk."""

import shutil

import openai
import pytest
import torch
from peft import PeftModel
from trainer.client_calls import answer, ask, metrics, run_job, said, start_job, supervised_lines, wait
from trainer.conftest import start

from distilltest.server.objects import Objects
from distilltest.server.worker import DIED
from distilltest.trainer.adapters import IN_MEMORY, Adapters
from distilltest.trainer.loading import load_base

LONG = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 50, "batch_size": 1}}}
SHORT = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1, "batch_size": 4}}}


def connected(server):
    return openai.OpenAI(base_url=server.base_url, api_key="none", max_retries=0)


def wait_for_steps(client, job, least=2):
    job = wait(client, job, ("running", "failed"))
    while len(metrics(client, job)) < least:
        job = client.fine_tuning.jobs.retrieve(job.id)
        assert job.status == "running", job
    return job


def test_a_job_is_cancelled_in_the_middle_while_chat_still_answers(client):
    job = wait_for_steps(client, start_job(client, supervised_lines(), method=LONG))
    assert ask(client, "hello").usage.completion_tokens == 20
    assert client.fine_tuning.jobs.retrieve(job.id).status == "running"
    assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"
    after = run_job(client, supervised_lines(), method=SHORT)  # starts when the cancelled job has stopped
    assert after.status == "succeeded"
    assert client.fine_tuning.jobs.retrieve(job.id).status == "cancelled"
    assert metrics(client, job)[-1]["step"] < 600
    assert client.fine_tuning.jobs.checkpoints.list(job.id).data == []


def test_a_second_job_is_queued_until_the_first_has_ended(client):
    first = wait_for_steps(client, start_job(client, supervised_lines(), method=LONG))
    second = wait(client, start_job(client, supervised_lines(), method=SHORT), ("queued", "running"))
    assert second.status == "queued"
    client.fine_tuning.jobs.cancel(first.id)
    assert wait(client, second).status == "succeeded"


def test_a_paused_job_begins_anew_and_tells_no_step_twice(client):
    job = wait_for_steps(client, start_job(client, supervised_lines(), method=LONG))
    client.fine_tuning.jobs.pause(job.id)
    steps = metrics(client, job)[-1]["step"]
    job = client.fine_tuning.jobs.resume(job.id)
    told = metrics(client, wait_for_steps(client, job, least=steps + 3))
    assert [data["step"] for data in told] == list(range(1, len(told) + 1))
    client.fine_tuning.jobs.cancel(job.id)


def interrupted(base, folder):
    """Stop a server during training; return the job's record, and a tuned model with one of its answers."""
    server = start(base, folder)
    with connected(server) as client:
        tuned = run_job(client, supervised_lines(), method=SHORT).fine_tuned_model
        said_before = answer(client, "hello", tuned)
        job = wait_for_steps(client, start_job(client, supervised_lines(), method=LONG))
    server.stop()
    return job, tuned, said_before


def change(folder, job, *, deaths):
    """Make it look as if the server had been killed, and shorten the job."""
    objects = Objects(folder)
    kept = objects.get("job", job.id)
    assert kept["status"] == "running"
    assert objects.delete("stopped", job.id)
    method = {**SHORT, "supervised": {"hyperparameters": {"n_epochs": 1, "batch_size": 4}}}
    objects.put("job", {**kept, "method": method}, kept["created_at"])
    for number in range(deaths):
        event = {"id": f"ftevent-{number}", "message": DIED, "level": "warn", "type": "message", "data": {}}
        objects.put("event", {**event, "created_at": 1, "object": "fine_tuning.job.event"}, 1.0, parent=job.id)
    objects.close()


def test_a_job_that_a_death_interrupted_begins_anew_and_tuned_models_are_still_there(tiny, tmp_path):
    job, tuned, said_before = interrupted(load_base(str(tiny)), tmp_path)
    change(tmp_path, job, deaths=0)
    server = start(load_base(str(tiny)), tmp_path)
    with connected(server) as client:
        assert answer(client, "hello", tuned) == said_before
        job = wait(client, job)
        assert (job.status, job.hyperparameters.n_epochs) == ("succeeded", 1)
        [warned] = [e.message for e in client.fine_tuning.jobs.list_events(job.id, limit=100) if e.level == "warn"]
        assert warned == DIED
        assert len(client.fine_tuning.jobs.checkpoints.list(job.id).data) == 1
    server.stop()


def test_a_job_that_was_running_at_three_deaths_ends_as_failed(tiny, tmp_path):
    job, _, _ = interrupted(load_base(str(tiny)), tmp_path)
    change(tmp_path, job, deaths=2)
    server = start(load_base(str(tiny)), tmp_path)
    with connected(server) as client:
        job = wait(client, job)
        assert (job.status, job.error.code) == ("failed", "server_died")
    server.stop()


def test_an_adapter_is_a_folder_that_peft_loads_and_answers_the_same_from(client, base, data, tuned):
    folder = data / "adapters" / tuned.id
    assert {path.name for path in folder.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    model = PeftModel.from_pretrained(base.another_model(), str(folder)).eval()
    assert model.peft_config["default"].base_model_name_or_path == base.source
    text = base.tokenizer.apply_chat_template([said("user", "push")], tokenize=False, add_generation_prompt=True)
    ids = torch.tensor([base.tokenizer(text)["input_ids"]])
    output = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=20)
    assert base.tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True) == "git push"


def test_a_model_whose_adapter_is_gone_says_so(client, data):
    job = run_job(client, supervised_lines(), method=SHORT)
    (data / "adapters" / job.id / "adapter_model.safetensors").unlink()
    with pytest.raises(openai.NotFoundError, match=r"has no adapter_model\.safetensors"):
        ask(client, "hello", job.fine_tuned_model)
    again = run_job(client, supervised_lines(), model=job.fine_tuned_model, method=SHORT)
    assert (again.status, again.error.code) == ("failed", "model_not_found")


def test_more_adapters_than_fit_beside_the_model_are_loaded_again(base, data, tuned, tmp_path):
    folders = [shutil.copytree(data / "adapters" / tuned.id, tmp_path / f"copy-{n}") for n in range(IN_MEMORY + 2)]
    adapters = Adapters(base.another_model())
    ids = torch.tensor([base.tokenizer("push")["input_ids"]])
    scores = []
    for folder in [None, *folders, folders[0], None]:
        with adapters.using(folder) as model, torch.no_grad():
            scores.append(model(ids).logits)
            loaded = len(getattr(model, "peft_config", ()))
            assert loaded <= IN_MEMORY
    assert torch.equal(scores[0], scores[-1])
    assert not torch.allclose(scores[0], scores[1])
    assert all(torch.equal(scores[1], other) for other in scores[1:-1])
