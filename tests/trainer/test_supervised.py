"""Supervised jobs over HTTP."""

import openai
import pytest
from trainer.client_calls import LEARNED, NOT_LEARNED, answer, line, metrics, run_job, said, start_job, supervised_lines

ONE_EPOCH = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1}}}
SHORT = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1, "batch_size": 4}}}


def test_the_loss_goes_down_and_the_tuned_model_answers_what_it_was_taught(client, tuned):
    assert (tuned.status, tuned.error.message if tuned.error else None) == ("succeeded", None)
    told = metrics(client, tuned)
    steps = [data for data in told if "valid_loss" not in data]
    assert [data["step"] for data in steps] == list(range(1, 61))
    assert steps[-1]["train_loss"] < steps[0]["train_loss"] / 10
    assert steps[-1]["train_mean_token_accuracy"] > 0.9
    assert [answer(client, asked, tuned.fine_tuned_model) for asked in LEARNED] == list(LEARNED.values())
    assert not {answer(client, asked) for asked in LEARNED} & {*LEARNED.values()}


def test_the_validation_loss_is_told_each_epoch(client, tuned):
    losses = [data["full_valid_loss"] for data in metrics(client, tuned) if "full_valid_loss" in data]
    assert len(losses) == 20
    assert losses[-1] < losses[0] / 10


def test_an_answer_of_weight_0_is_read_and_not_learned(client, tuned):
    assert NOT_LEARNED[:2] not in answer(client, "merge", tuned.fine_tuned_model)
    answered = client.chat.completions.create(
        model=tuned.fine_tuned_model,
        messages=[said("user", "merge"), said("assistant", NOT_LEARNED), said("user", "no")],
        temperature=0,
        max_completion_tokens=20,
    )
    assert answered.choices[0].message.content == "git merge"


def test_checkpoints_of_the_last_three_epochs_are_listed_and_answer(client, tuned):
    checkpoints = client.fine_tuning.jobs.checkpoints.list(tuned.id).data
    assert [c.step_number for c in checkpoints] == [60, 57, 54]
    assert checkpoints[0].fine_tuned_model_checkpoint == tuned.fine_tuned_model
    assert all(c.metrics.train_loss is not None and c.metrics.valid_loss is not None for c in checkpoints)
    served = {model.id for model in client.models.list()}
    assert {"tiny", *(c.fine_tuned_model_checkpoint for c in checkpoints)} <= served
    assert answer(client, "stash", checkpoints[-1].fine_tuned_model_checkpoint) == "git stash"


def test_the_job_shows_what_stood_for_auto_and_how_much_was_learned(client, tuned):
    given = {"n_epochs": 20, "batch_size": 4, "learning_rate_multiplier": 40}
    assert {name: getattr(tuned.hyperparameters, name) for name in given} == given
    assert tuned.fine_tuned_model.startswith("ft:tiny:local:mine:")
    assert tuned.trained_tokens > 20 * 12 * len("user stash assistant git")
    job = run_job(client, supervised_lines(), method=ONE_EPOCH)
    assert (job.hyperparameters.batch_size, job.hyperparameters.learning_rate_multiplier) == (1, 1.0)


def test_the_same_seed_learns_the_same(client, data):
    folders = [data / "adapters" / run_job(client, supervised_lines(), method=SHORT).id for _ in range(2)]
    one, other = ((folder / "adapter_model.safetensors").read_bytes() for folder in folders)
    assert one == other


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (supervised_lines() + b"\n{broken", "line 13: not JSON"),
        (b"\n".join(supervised_lines().splitlines()[:9]), "9 examples; platforms ask for at least 10"),
        (supervised_lines() + b"\n" + line(said("user", "a")), "line 13: the last message is not the assistant's"),
        (
            supervised_lines() + b"\n" + line(said("user", [{"type": "image_url"}]), said("assistant", "b")),
            "line 13: a message of the user is not only text",
        ),
        (b"", "the file is empty"),
    ],
)
def test_a_bad_file_fails_the_job_and_names_the_line(client, content, reason):
    job = run_job(client, content)
    assert (job.status, job.error.code, job.error.param) == ("failed", "invalid_training_file", "training_file")
    assert reason in job.error.message


def test_a_bad_validation_file_is_named_as_such(client):
    job = run_job(client, supervised_lines(), validation=b"{}")
    assert (job.status, job.error.param) == ("failed", "validation_file")


def test_an_example_that_is_too_long_is_cut_and_one_without_room_for_its_answer_left_out(client):
    long = line(said("user", "a" * 200), said("assistant", "b" * 100))
    hopeless = line(said("user", "a" * 300), said("assistant", "b"))
    job = run_job(client, b"\n".join([supervised_lines(), long, hopeless]), method=ONE_EPOCH)
    assert job.status == "succeeded"
    [warned] = [e.message for e in client.fine_tuning.jobs.list_events(job.id, limit=100) if e.level == "warn"]
    assert warned.startswith("training_file: 2 examples were cut at the model's 256 tokens; 1 of them")


@pytest.mark.parametrize(
    "wrong", [{"n_epochs": 0}, {"batch_size": 1.5}, {"learning_rate_multiplier": -1}, {"beta": 0.1}]
)
def test_a_wrong_hyperparameter_is_refused_by_name(client, wrong):
    with pytest.raises(openai.BadRequestError, match=next(iter(wrong))):
        start_job(client, supervised_lines(), method={"type": "supervised", "supervised": {"hyperparameters": wrong}})


def test_a_loss_that_is_no_number_ends_the_job(client):
    wild = {"n_epochs": 20, "batch_size": 4, "learning_rate_multiplier": 1e30}
    job = run_job(client, supervised_lines(), method={"type": "supervised", "supervised": {"hyperparameters": wild}})
    assert (job.status, job.error.code) == ("failed", "training_diverged")
    assert "Lower learning_rate_multiplier" in job.error.message
