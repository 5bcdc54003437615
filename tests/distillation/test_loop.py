"""``distilltest distill`` from outside: killed, refused, failing, leaking."""

import json
import subprocess
import sys
import urllib.request
from contextlib import contextmanager

import pytest
from held import held_jobs
from openai import OpenAI
from processes import PATIENCE, started, until

from distilltest.demo_models.embedded_server import EmbeddedServer

BRANCHES = [f"topic-{i}" for i in range(40)]


@pytest.fixture
def server(tmp_path):
    running = EmbeddedServer.start(tmp_path / "server", job_seconds=0.05)
    yield running
    running.stop()


@pytest.fixture
def project(tmp_path, server):
    root = tmp_path / "project"
    (root / "suites").mkdir(parents=True)
    write_rows(root / "train.jsonl", [f"switch to branch {b}" for b in BRANCHES], "t")
    write_rows(root / "test.jsonl", [f"please switch to branch other-{i}" for i in range(60)], "e")
    (root / "prompt.yaml").write_text('messages:\n  - {role: user, content: "{{ item.request }}"}\n')
    configure(root, server.base_url)
    (root / "suites" / "test_git.py").write_text(
        "from distilltest import at_least, better_than, evaluation\n\n"
        '@evaluation(dataset="test.jsonl", prompt="prompt.yaml", gate=[better_than("base"), at_least(0.8)])\n'
        "def test_git(case, completion, exact_match):\n"
        "    exact_match(completion.text, case.reference)\n"
    )
    return root


@pytest.fixture
def client(server):
    with OpenAI(base_url=server.base_url, api_key="none") as openai:
        yield openai


def configure(root, url, more=""):
    (root / "distilltest.yaml").write_text(
        f"servers:\n  s: {{base_url: '{url}', max_retries: 0}}\n"
        "models:\n  base: {server: s, model: embedded-student}\n  teacher: {server: s, model: embedded-teacher}\n"
        f"distillation: {{train: train.jsonl, prompt: prompt.yaml, metadata: {{task: git}}{more}}}\n"
    )


def write_rows(path, requests, prefix):
    rows = [
        {"id": f"{prefix}-{i}", "request": request, "reference": f"git switch {request.split()[-1]}"}
        for i, request in enumerate(requests)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def command(root, *arguments):
    return [sys.executable, "-m", "distilltest", *arguments, "--root", str(root)]


def distill(root, *arguments):
    asked = command(root, "distill", *arguments)
    return subprocess.run(asked, check=False, capture_output=True, text=True, timeout=PATIENCE)


def stats(server):
    with urllib.request.urlopen(server.base_url.replace("/v1", "/distilltest/stats")) as answer:
        return json.load(answer)


@contextmanager
def with_a_job_that_runs(project, client, **pipes):
    """``distilltest distill`` while its job runs and does not end."""
    with held_jobs() as go_on, started(command(project, "distill"), **pipes) as distilling:
        until(lambda: any(job.status == "running" for job in client.fine_tuning.jobs.list()))
        yield distilling
        distilling.kill()
        go_on.set()


def test_killed_while_the_job_runs_it_goes_on_with_the_same_job(project, server, client):
    with with_a_job_that_runs(project, client, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        pass
    asked = stats(server)["chat_completions"]
    assert asked == 40
    second = distill(project)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "nothing sent" in second.stdout
    assert len(client.fine_tuning.jobs.list().data) == 1
    assert len(client.files.list().data) == 1
    assert "0 of 60 test requests are in the training file" in second.stdout
    kept = client.chat.completions.list(model="embedded-teacher", metadata={"task": "git"}, limit=100).data
    assert len(kept) == 40
    third = distill(project)
    assert third.returncode == 0
    assert "tuned before on the same file" in third.stdout
    assert "nothing has changed since run" in third.stdout
    assert stats(server)["chat_completions"] == asked + 120  # base and candidate; no rule needs the teacher
    suite = project / "suites" / "test_git.py"
    suite.write_text(suite.read_text().replace("exact_match(completion", "no_such_name(completion"))
    broken = distill(project)
    assert broken.returncode == 3  # and the verdict of the run before is not taken for this one's
    assert "came to no verdict (exit code 12)" in broken.stderr


def test_a_verdict_is_repeated_only_while_its_run_is_about_the_same_files(project, server):
    """The test data can be in any folder; a refused promotion is a failure."""
    assert distill(project).returncode == 0
    write_rows(project / "test.jsonl", [f"switch over to branch new-{i}" for i in range(60)], "n")
    second = distill(project)
    assert "is out of date: the dataset test.jsonl has changed" in second.stdout
    assert "pytest suites --candidate" in second.stdout
    configure(project, server.base_url)
    with (project / "distilltest.yaml").open("a") as config:
        config.write("promotion: {require: ['other/test_more.py']}\n")
    third = distill(project, "--promote")
    assert "nothing has changed since run" in third.stdout
    assert "6/6  promotion       refused: the suite has no such evaluation" in third.stdout
    assert third.returncode == 11
    assert not (project / "promotions.yaml").exists()
    suite = project / "suites" / "test_git.py"
    suite.write_text(suite.read_text().replace("at_least(0.8)", "at_least(0.99)"))
    assert "is out of date: the gate was [" in distill(project).stdout


def test_leaked_requests_make_the_verdict_worthless(project):
    write_rows(project / "test.jsonl", ["Switch to branch topic-3!", *(f"go to x-{i}" for i in range(30))], "e")
    done = distill(project)
    assert done.returncode == 3
    assert "1 test requests were trained on (e-0)" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_without_jobs_gets_a_clear_answer_and_the_file_is_kept(project, tmp_path):
    from completions.scripted_server import Reply, ScriptedServer

    with ScriptedServer(lambda _n, body: Reply(text="git status") if "messages" in body else Reply(404)) as bare:
        configure(project, bare.base_url)
        done = distill(project)
    assert done.returncode == 3
    assert "has no fine-tuning" in done.stderr
    assert "supervised.jsonl" in done.stderr
    assert (project / ".distilltest/training/supervised.jsonl").read_text().count("\n") == 40


def test_a_cancelled_job_is_named_and_the_next_call_starts_another(project, client):
    with with_a_job_that_runs(project, client, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as running:
        [job] = client.fine_tuning.jobs.list().data
        subprocess.run(command(project, "finetune", "cancel", job.id), check=True, capture_output=True)
        _, errors = running.communicate(timeout=PATIENCE)
    assert running.returncode == 3
    assert f"{job.id} cancelled" in errors
    assert distill(project).returncode == 0
    assert len(client.fine_tuning.jobs.list().data) == 2


def test_too_little_to_learn_from_is_refused_before_anything_is_uploaded(project, client):
    done = distill(project, "--train-limit", "5")
    assert done.returncode == 3
    assert "5 examples; platforms ask for at least 10" in done.stderr
    assert not client.files.list().data


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda root: (root / "train.jsonl").unlink(), "train.jsonl cannot be read: there is no such file"),
        (lambda root: (root / "train.jsonl").write_text('{"id": "a"\n'), "train.jsonl:1"),
        (lambda root: (root / "prompt.yaml").write_text("messages: []\n"), "prompt.yaml"),
        (lambda root: (root / "distilltest.yaml").write_text("models: {}\n"), "distillation"),
        (lambda root: (root / "distilltest.yaml").write_text("distilation: {}\n"), "Did you mean 'distillation'?"),
    ],
)
def test_bad_input_is_named_with_its_place(project, break_it, words):
    break_it(project)
    done = distill(project)
    assert done.returncode == 3
    assert words in done.stderr
    assert "Traceback" not in done.stderr
