"""``distilltest finetune start``: what is started, what is found again, what is refused."""

import pytest
from finetuning.project import preferences, supervised, write_lines
from processes import PATIENCE

from distilltest.demo_models.embedded_server import EmbeddedServer
from distilltest.store import Store, state_keys


def settings(job):
    method = job.method.dpo or job.method.supervised
    return {k: v for k, v in method.hyperparameters.to_dict().items() if v != "auto"}


def test_a_job_is_started_with_all_that_was_said_and_its_model_becomes_the_candidate(project):
    done = project.call(
        *("finetune", "start", "train.jsonl", "--validation", "validation.jsonl", "--epochs", "3", "--batch-size", "4"),
        *("--learning-rate-multiplier", "0.5", "--suffix", "mine", "--seed", "7", "--metadata", "team=git", "--watch"),
    )
    assert done.returncode == 0, done.stderr
    [job] = project.jobs()
    assert (job.method.type, job.seed, job.metadata["team"]) == ("supervised", 7, "git")
    assert settings(job) == {"n_epochs": 3, "batch_size": 4, "learning_rate_multiplier": 0.5}
    assert job.validation_file is not None
    assert ":mine:" in job.fine_tuned_model
    assert f"tuned model: {job.fine_tuned_model}" in done.stdout
    assert "validation loss" in done.stdout
    assert f"{job.fine_tuned_model}:ckpt-step-8" in done.stdout
    with Store.open(project.root / ".distilltest/store.sqlite3") as store:
        candidate = store.get_state(state_keys.CANDIDATE)
    assert candidate["model"] == job.fine_tuned_model
    assert (candidate["prompt"], candidate["prompt_instead_of"]) == ("short.yaml", "long.yaml")


def test_the_same_start_finds_the_job_whatever_its_state_and_again_starts_another(project):
    first = project.call("finetune", "start", "train.jsonl")
    assert "started; " in first.stdout
    assert "distilltest finetune watch ftjob-" in first.stdout
    assert "was started before" in project.call("finetune", "start", "train.jsonl").stdout
    assert project.call("finetune", "start", "train.jsonl", "--watch").returncode == 0
    assert "succeeded" in project.call("finetune", "start", "train.jsonl").stdout
    (project.root / ".distilltest/store.sqlite3").unlink()
    assert "was started before" in project.call("finetune", "start", "train.jsonl").stdout
    assert (project.stats()["jobs"], project.stats()["files"]) == (1, 1)
    assert "started; " in project.call("finetune", "start", "train.jsonl", "--again").stdout
    assert (project.stats()["jobs"], project.stats()["files"]) == (2, 1)
    assert "started; " in project.call("finetune", "start", "train.jsonl", "--epochs", "2").stdout
    assert "started; " in project.call("finetune", "start", "train.jsonl", "--suffix", "other").stdout
    write_lines(project.root / "train.jsonl", supervised([f"switch to branch new-{i}" for i in range(12)]))
    assert "started; " in project.call("finetune", "start", "train.jsonl").stdout
    assert (project.stats()["jobs"], project.stats()["files"]) == (5, 2)


def test_two_starts_at_once_make_one_job(project):
    command = ("finetune", "start", "train.jsonl", "--watch")
    with project.popen(*command) as one, project.popen(*command) as other:
        outputs = [each.communicate(timeout=PATIENCE) for each in (one, other)]
    assert [one.returncode, other.returncode] == [0, 0], outputs
    assert (project.stats()["jobs"], project.stats()["files"]) == (1, 1)


def test_the_method_is_what_the_file_is_made_for(project):
    done = project.call("finetune", "start", "preferences.jsonl", "--beta", "0.2", "--watch")
    assert done.returncode == 0, done.stderr
    [job] = project.jobs()
    assert (job.method.type, settings(job)) == ("dpo", {"beta": 0.2})


def test_preferences_are_tuned_on_top_of_the_supervised_result(project):
    done = project.call(
        "finetune", "start", "train.jsonl", "--then-dpo", "preferences.jsonl", "--beta", "0.05", "--watch"
    )
    assert done.returncode == 0, done.stderr
    second, first = project.jobs()
    assert (second.model, second.method.type, settings(second)) == (first.fine_tuned_model, "dpo", {"beta": 0.05})
    assert project.ask(first.fine_tuned_model, "switch to branch new-1") == "git switch new-1"
    assert project.ask(second.fine_tuned_model, "switch to branch new-1") == "git checkout new-1"
    assert f"tuned model: {second.fine_tuned_model}" in done.stdout
    again = project.call("finetune", "start", "train.jsonl", "--then-dpo", "preferences.jsonl", "--beta", "0.05")
    assert f"tuned model: {second.fine_tuned_model}" in again.stdout
    assert project.stats()["jobs"] == 2


def test_the_second_job_of_a_sequence_is_started_by_whoever_watches_the_first(project):
    started = project.call("finetune", "start", "train.jsonl", "--then-dpo", "preferences.jsonl")
    job = started.stdout.split(":")[0]
    assert "start the second job when it has succeeded" in started.stdout
    watched = project.call("finetune", "watch", job)
    assert watched.returncode == 0, watched.stderr
    second, first = project.jobs()
    assert (first.id, second.model) == (job, first.fine_tuned_model)
    assert f"tuned model: {second.fine_tuned_model}" in watched.stdout


def test_a_file_that_changed_before_its_turn_is_not_tuned_on(project):
    job = project.call("finetune", "start", "train.jsonl", "--then-dpo", "preferences.jsonl").stdout.split(":")[0]
    write_lines(project.root / "preferences.jsonl", preferences([f"go to {i}-x" for i in range(12)]))
    watched = project.call("finetune", "watch", job)
    assert watched.returncode == 3
    assert "preferences.jsonl has changed" in watched.stderr
    assert project.stats()["jobs"] == 1


@pytest.mark.parametrize(
    ("write", "arguments", "words"),
    [
        (
            lambda root: write_lines(root / "train.jsonl", supervised(["to a"] * 5)),
            (),
            "5 examples; platforms ask for at least 10",
        ),
        (lambda root: (root / "train.jsonl").write_text('{"messages": []}\n' * 12), (), "train.jsonl:1:"),
        (lambda root: None, ("--method", "dpo"), "not fit for dpo tuning"),
        (lambda root: (root / "train.jsonl").unlink(), (), "there is no such file"),
        (lambda root: None, ("--validation", "gone.jsonl"), "gone.jsonl cannot be read"),
        (lambda root: None, ("--then-dpo", "train.jsonl"), "this is a supervised example"),
        (lambda root: None, ("--beta", "0.1"), "--beta is for preferences"),
        (lambda root: None, ("--notify", "true"), "add --watch"),
        (lambda root: None, ("--metadata", "distilltest=x"), "is reserved for distilltest"),
        (lambda root: None, ("--model", "embedded-teacher"), "takes no new fine-tuning jobs"),
        (lambda root: None, ("--model", "nobody"), "The model `nobody` does not exist"),
    ],
)
def test_what_cannot_be_tuned_on_is_refused_in_one_message(project, write, arguments, words):
    write(project.root)
    done = project.call("finetune", "start", "train.jsonl", *arguments)
    assert done.returncode == 3
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert project.stats()["jobs"] == 0
    if "embedded-teacher" not in arguments and "nobody" not in arguments:
        assert project.stats()["files"] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--epochs", "0"),
        ("--beta", "3"),
        ("--batch-size", "x"),
        ("--learning-rate-multiplier", "nan"),
        ("--suffix", "s" * 65),
    ],
)
def test_hyperparameters_that_cannot_be_are_refused_by_the_command_line(project, arguments):
    done = project.call("finetune", "start", "train.jsonl", *arguments)
    assert done.returncode == 2
    assert arguments[0] in done.stderr


def test_a_hyperparameter_that_the_server_refuses_is_its_own_words(project):
    done = project.call("finetune", "start", "train.jsonl", "--epochs", "51")
    assert done.returncode == 3
    assert "n_epochs is 51" in done.stderr
    assert "The training file is ready" in done.stderr


def test_a_server_with_a_wrong_key_says_so(project, tmp_path):
    locked = EmbeddedServer.start(tmp_path / "locked", api_key="secret")
    project.configure(locked.base_url)
    done = project.call("finetune", "start", "train.jsonl")
    locked.stop()
    assert done.returncode == 3
    assert "does not accept the key (HTTP 401)" in done.stderr
    assert "Traceback" not in done.stderr
