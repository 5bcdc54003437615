"""The GitHub Actions example: sound YAML, and its shell steps run as they stand, against the embedded server."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from processes import PATIENCE, put_commands_into

from distilltest.cli import main

FILE = Path(__file__).parents[2] / "examples/github-actions/distilltest.yml"
WORKFLOW = yaml.safe_load(FILE.read_text())


def steps(job):
    return [step for step in WORKFLOW["jobs"][job]["steps"] if "run" in step]


def test_it_is_a_workflow_with_the_least_rights():
    assert set(WORKFLOW) == {"name", True, "permissions", "env", "concurrency", "jobs"}  # YAML 1.1 reads `on` as true
    assert set(WORKFLOW[True]) == {"pull_request", "push"}
    assert WORKFLOW["permissions"] == {"contents": "read"}
    for job in WORKFLOW["jobs"].values():
        assert job["runs-on"] == "ubuntu-latest"
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            assert set(step) <= {"name", "id", "if", "uses", "with", "env", "run"}
            assert re.fullmatch(r"actions/[\w/-]+@v\d+", step.get("uses", "actions/x@v1"))


def test_no_expression_is_put_into_a_shell():
    """A branch's or a person's name in a script would run as code; such values come by the environment."""
    assert all("${{" not in step["run"] for job in WORKFLOW["jobs"] for step in steps(job))


def test_the_store_is_cached_under_a_new_key_each_time_and_found_by_its_beginning():
    for job in WORKFLOW["jobs"].values():
        caches = [step for step in job["steps"] if "cache" in step.get("uses", "")]
        assert [step["uses"].split("@")[0] for step in caches] == ["actions/cache/restore", "actions/cache/save"]
        assert all(step["with"]["path"] == ".distilltest" for step in caches)
        assert caches[0]["with"]["key"] == caches[1]["with"]["key"]
        assert caches[0]["with"]["key"].startswith(caches[0]["with"]["restore-keys"])


class Runner:
    """Runs steps as the platform does: bash -e, a file for outputs and one for the summary."""

    def __init__(self, root, tools):
        self.root = root
        self.summary, self.output, self.tools = (root.parent / name for name in ("summary.md", "output", "tools"))
        self.tools.mkdir()
        for name, text in tools.items():
            path = self.tools / name
            path.write_text(f"#!/bin/sh\n{text}\n")
            path.chmod(0o755)
        put_commands_into(self.tools)

    def step(self, job, name, **environment):
        script = next(step["run"] for step in steps(job) if step["name"] == name)
        given = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "OPENAI_"))},
            "PATH": f"{self.tools}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_OUTPUT": str(self.output),
            **WORKFLOW["env"],
            **environment,
        }
        command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]
        return subprocess.run(
            command, check=False, cwd=self.root, env=given, capture_output=True, text=True, timeout=PATIENCE
        )

    def code(self):
        return re.findall(r"code=(\d+)", self.output.read_text())[-1]


@pytest.fixture
def runner(tmp_path):
    root = tmp_path / "project"
    assert main(["init", str(root)]) == 0
    rows = [
        {"id": f"b{i}", "request": f"create a branch called docs-{i}", "reference": f"git branch docs-{i}"}
        for i in range(80)
    ]
    (root / "fixtures/requests.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (root / ".gitignore").write_text(
        ".distilltest/\nreports/*\n!reports/promoted/\n__pycache__/\n.pytest_cache/\n*.txt\n"
    )
    origin = tmp_path / "origin.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(origin)], check=True)
    for command in (
        ["init", "-q", "-b", "main"],
        ["remote", "add", "origin", str(origin)],
        ["add", "-A"],
        ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "begin"],
        ["push", "-q", "-u", "origin", "main"],
    ):
        subprocess.run(["git", "-C", str(root), *command], check=True, capture_output=True)
    return Runner(
        root, {"gh": 'echo "$@" > gh-was-told; cp comment.md commented.md', "pip": 'echo "$@" > pip-was-told'}
    )


def ok(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_a_pull_request_is_evaluated_summed_up_and_commented_on(runner):
    ok(runner.step("evaluate", "Install"))
    assert (runner.root / "pip-was-told").read_text() == f"install {WORKFLOW['env']['DISTILLTEST']}\n"
    ok(runner.step("evaluate", "Evaluate", OPENAI_API_KEY="x"))
    assert runner.code() == "0"
    ok(runner.step("evaluate", "Show the report"))
    assert runner.summary.read_text().startswith("# Promote\n")
    ok(runner.step("evaluate", "Comment", PULL_REQUEST="7", GH_TOKEN="x"))
    assert (runner.root / "gh-was-told").read_text().startswith("pr comment 7 --body-file comment.md")
    assert (runner.root / "commented.md").read_text().startswith("# Promote\n")
    ok(runner.step("evaluate", "Verdict", CODE=runner.code()))


def test_a_fork_without_a_key_sends_nothing_and_what_is_missing_makes_it_incomplete(runner):
    done = ok(runner.step("evaluate", "Evaluate"))
    assert "::notice::No key" in done.stdout
    assert runner.code() == "11"
    assert not (runner.root / ".distilltest/embedded").exists()
    ok(runner.step("evaluate", "Show the report"))
    assert "# Incomplete" in runner.summary.read_text()
    verdict = runner.step("evaluate", "Verdict", CODE=runner.code())
    assert verdict.returncode == 11
    assert "::error::incomplete" in verdict.stdout


@pytest.mark.parametrize(
    ("code", "word"), [("1", "block"), ("10", "undecided"), ("2", "pytest ended with 2"), ("", "nothing")]
)
def test_the_verdict_is_the_jobs_exit_code(runner, code, word):
    done = runner.step("evaluate", "Verdict", CODE=code)
    assert done.returncode == int(code or 3)
    assert f"::error::{word}" in done.stdout or word in done.stdout


def test_merged_it_is_promoted_and_pushed_once(runner):
    ok(runner.step("promote", "Nobody has edited the history"))
    for _ in range(2):  # the second push of main has the same candidate
        ok(runner.step("promote", "Evaluate"))
        ok(runner.step("promote", "Promote", ACTOR="grace"))
        last = ok(runner.step("promote", "Commit the entry and its report"))
    assert "nothing new was promoted" in last.stdout
    assert "embedded-teacher is promoted: entry 1 of promotions.yaml, by grace." in runner.summary.read_text()
    log = subprocess.run(
        ["git", "-C", str(runner.root), "log", "--format=%s", "--name-only", "origin/main"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert log.count("Promote the candidate [skip ci]") == 1
    assert "promotions.yaml" in log
    assert "reports/promoted/1-embedded-teacher/report.md" in log
    ok(runner.step("promote", "Nobody has edited the history"))


def test_what_blocks_is_not_promoted_and_the_job_fails(runner):
    path = runner.root / "distilltest.yaml"
    path.write_text(
        path.read_text().replace(
            "candidate: {server: embedded, model: embedded-teacher",
            "candidate: {server: embedded, model: embedded-student",
        )
    )
    ok(runner.step("promote", "Evaluate"))
    done = runner.step("promote", "Promote", ACTOR="grace")
    assert done.returncode == 1
    assert "embedded-student is not promoted" in runner.summary.read_text()
    assert not (runner.root / "promotions.yaml").exists()
