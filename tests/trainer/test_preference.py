"""Preference jobs over HTTP, on a tuned model and on the base model."""

import pytest
import torch
from peft import PeftModel
from trainer.client_calls import LEARNED, answer, metrics, preference_line, run_job, said

from distilltest.trainer.template import NOT_LEARNED, teach

BETTER = dict(zip(LEARNED, [*list(LEARNED.values())[1:], "git stash"], strict=True))
"""The preferred answers: each request prefers the next one's learned answer."""
CONTENT = b"\n".join(preference_line(asked, BETTER[asked], LEARNED[asked]) for asked in LEARNED)


def dpo(**hyperparameters):
    return {"type": "dpo", "dpo": {"hyperparameters": hyperparameters}}


@pytest.fixture(scope="module")
def preferring(client, tuned):
    """A preference job on the tuned model."""
    return run_job(
        client,
        CONTENT,
        model=tuned.fine_tuned_model,
        validation=CONTENT,
        method=dpo(n_epochs=10, batch_size=5, learning_rate_multiplier=50, beta=0.5),
    )


def margins(base, folder):
    """How much likelier the better answer is for each request, with an adapter that peft loads."""
    model = PeftModel.from_pretrained(base.another_model(), str(folder)).eval()
    return [
        log_probability(base, model, asked, BETTER[asked]) - log_probability(base, model, asked, LEARNED[asked])
        for asked in LEARNED
    ]


def log_probability(base, model, asked, answered):
    [example] = teach(base.tokenizer, [said("user", asked), said("assistant", answered)], base.end_ids)
    with torch.no_grad():
        scores = model(torch.tensor([example.input_ids])).logits[0].log_softmax(-1)
    pairs = zip(scores[:-1], example.labels[1:], strict=True)
    return sum(float(row[label]) for row, label in pairs if label != NOT_LEARNED)


def test_the_better_answers_become_likelier_than_the_others_and_answers_change(client, base, data, tuned, preferring):
    assert (preferring.status, preferring.error and preferring.error.message) == ("succeeded", None)
    before, after = (margins(base, data / "adapters" / job.id) for job in (tuned, preferring))
    assert all(later > earlier + 3 for earlier, later in zip(before, after, strict=True))
    changed = [asked for asked in LEARNED if answer(client, asked, preferring.fine_tuned_model) != LEARNED[asked]]
    assert len(changed) >= 5
    assert answer(client, "stash", tuned.fine_tuned_model) == "git stash"


def test_losses_and_rewards_are_told(client, preferring):
    told = metrics(client, preferring)
    steps = [data for data in told if "valid_loss" not in data]
    assert steps[0]["train_loss"] == pytest.approx(0.6931, abs=0.001)
    assert steps[-1]["train_loss"] < 0.3
    assert steps[-1]["train_reward_accuracy"] == 1.0
    assert told[-1]["full_valid_loss"] < 0.3
    assert len(client.fine_tuning.jobs.checkpoints.list(preferring.id).data) == 3
    assert preferring.method.dpo.hyperparameters.beta == 0.5


def test_the_base_model_can_be_tuned_by_preference_alone(client, base, data):
    job = run_job(client, CONTENT, method=dpo(n_epochs=2, learning_rate_multiplier=200, beta="auto"))
    assert (job.status, job.hyperparameters.n_epochs, job.method.dpo.hyperparameters.beta) == ("succeeded", 2, 0.1)
    told = metrics(client, job)
    assert told[0]["train_loss"] == pytest.approx(0.6931, abs=0.001)
    assert told[-1]["train_loss"] < 0.6


def test_a_supervised_file_in_a_preference_job_is_refused_line_by_line(client):
    job = run_job(client, b'{"messages": []}', method=dpo())
    assert (job.status, job.error.code) == ("failed", "invalid_training_file")
    assert "line 1: " in job.error.message


def test_a_request_that_fills_the_context_is_left_out(client):
    long = preference_line("a" * 300, "yes", "no")
    job = run_job(client, CONTENT + b"\n" + long, method=dpo(n_epochs=1, batch_size=10))
    assert job.status == "succeeded"
    [warned] = [e.message for e in client.fine_tuning.jobs.list_events(job.id, limit=100) if e.level == "warn"]
    assert "1 examples fill the model's 256 tokens" in warned


def test_the_reference_of_a_tuned_model_is_itself_and_not_the_base(client, preferring):
    job = run_job(client, CONTENT, model=preferring.fine_tuned_model, method=dpo(n_epochs=1, batch_size=10))
    first = metrics(client, job)[0]
    assert first["train_loss"] == pytest.approx(0.6931, abs=0.001)
    assert first["train_reward_margin"] == pytest.approx(0.0, abs=0.001)
