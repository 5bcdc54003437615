"""What the student learns in a job: preferences that carry over, checkpoints that answer, hyperparameters."""

import json
import re
from pathlib import Path

import openai
import pytest
from server import embedded_jobs
from server.embedded_jobs import lines, run_job

FIXTURES = Path(__file__).parents[2] / "fixtures/git_requests"
LONG = [
    (r"^(git (?:commit|stash|tag) .*?)-m \"", r'\1--message "'),
    (r"^(git log .*?)-n (?=\d)", r"\1--max-count "),
    (r"^(git (?:branch|tag) )-d ", r"\1--delete "),
]


def rows(name, most=None):
    return [json.loads(line) for line in (FIXTURES / f"{name}.jsonl").read_text().splitlines()][:most]


def in_long_form(command):
    """The command with its option in the long form; None for other commands."""
    written_out = command
    for short, long in LONG:
        written_out = re.sub(short, long, written_out)
    return written_out if written_out != command else None


def is_long(command):
    return any(option in command for option in ("--message ", "--max-count ", "--delete "))


def preferences(rows):
    return [
        {
            "input": {"messages": [{"role": "user", "content": row["request"]}]},
            "preferred_output": [{"role": "assistant", "content": in_long_form(row["reference"])}],
            "non_preferred_output": [{"role": "assistant", "content": row["reference"]}],
        }
        for row in rows
        if in_long_form(row["reference"])
    ]


def supervised(rows):
    return [
        {
            "messages": [
                {"role": "user", "content": row["request"]},
                {"role": "assistant", "content": row["reference"]},
            ]
        }
        for row in rows
    ]


def upload(client, examples):
    return embedded_jobs.upload(client, jsonl(examples))


def jsonl(examples):
    return "".join(json.dumps(example) + "\n" for example in examples).encode()


def tune(client, examples, model="embedded-student", **more):
    return run_job(client, jsonl(examples), model, **more)


def dpo(**hyperparameters):
    return {"type": "dpo", "dpo": {"hyperparameters": hyperparameters}}


def ask(client, model, text):
    return embedded_jobs.ask(client, text, model).choices[0].message.content


def share_of_long_forms(client, model, rows):
    """The share of long forms in answers to requests for one of these commands."""
    asked = [row["request"] for row in rows if in_long_form(row["reference"])]
    said = [ask(client, model, request) for request in asked]
    return sum(map(is_long, said)) / len(asked)


def right(client, model, rows):
    return sum(ask(client, model, row["request"]) == row["reference"] for row in rows) / len(rows)


def test_preferences_after_supervised_tuning_shift_held_out_answers_and_leave_others_alone(client):
    train, test = rows("train", 600), rows("test")
    others = [row for row in test if in_long_form(row["reference"]) is None][::5]
    first = tune(client, supervised(train))
    second = tune(client, preferences(train), model=first.fine_tuned_model, method=dpo())
    assert share_of_long_forms(client, first.fine_tuned_model, test) == 0
    assert share_of_long_forms(client, second.fine_tuned_model, test) > 0.7
    before, after = (right(client, job.fine_tuned_model, others) for job in (first, second))
    assert before > 0.6
    assert abs(after - before) < 0.06
    events = list(client.fine_tuning.jobs.list_events(second.id))[::-1]
    losses = [event.data["train_loss"] for event in events if event.type == "metrics"]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] < 0.6931
    assert losses[-1] < 0.25


def test_a_high_beta_holds_the_student_near_the_model_that_tuning_began_with(client):
    train, test = rows("train", 600), rows("test")
    first = tune(client, supervised(train))
    held = tune(client, preferences(train), model=first.fine_tuned_model, method=dpo(beta=2.0))
    assert share_of_long_forms(client, held.fine_tuned_model, test) < 0.4


def test_supervised_tuning_of_a_tuned_model_keeps_what_it_knew(client):
    train = rows("train", 200)
    first = tune(client, supervised(train))
    new = [{"request": f"teleport to planet-{i}", "reference": f"git teleport planet-{i}"} for i in range(12)]
    second = tune(client, supervised(new), model=first.fine_tuned_model)
    assert ask(client, second.fine_tuned_model, "teleport to planet-77") == "git teleport planet-77"
    assert right(client, second.fine_tuned_model, train[:50]) > 0.9


def test_checkpoints_have_metrics_and_models_that_answer_better_from_one_to_the_next(client):
    train, test = rows("train", 500), rows("test")[::4]
    job = tune(client, supervised(train), validation_file=upload(client, supervised(test)))
    checkpoints = client.fine_tuning.jobs.checkpoints.list(job.id).data[::-1]
    assert [c.step_number for c in checkpoints] == [100, 300, 500]
    assert checkpoints[-1].fine_tuned_model_checkpoint == job.fine_tuned_model
    losses = [c.metrics.valid_loss for c in checkpoints]
    assert losses[0] > losses[-1]
    rates = [right(client, c.fine_tuned_model_checkpoint, test) for c in checkpoints]
    assert rates[0] < rates[-1]


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (dpo(beta=0), "beta is 0"),
        (dpo(n_epochs=1.5), "n_epochs is 1.5"),
        ({"type": "supervised", "supervised": {"hyperparameters": {"beta": 0.1}}}, "Unknown hyperparameter"),
        ({"type": "reinforcement"}, "supervised or dpo"),
    ],
)
def test_hyperparameters_that_cannot_be_are_refused(client, method, words):
    file = upload(client, preferences(rows("train", 600)))
    with pytest.raises(openai.BadRequestError, match=words):
        client.fine_tuning.jobs.create(model="embedded-student", training_file=file, method=method)


def test_a_job_tunes_a_model_that_has_learned(client):
    job = run_job(client, lines(), suffix="mine", metadata={"a": "b"}, validation_file=None)
    assert job.status == "succeeded"
    assert ask(client, job.fine_tuned_model, "go to b-99") == "git switch b-99"
    assert ask(client, "embedded-student", "go to b-99") != "git switch b-99"
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
    assert ask(client, job.fine_tuned_model, "go to develop") == "git switch develop"
