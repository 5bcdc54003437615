"""A project with training files, beside a server that counts."""

import contextlib
import io
import json
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from openai import OpenAI
from processes import PATIENCE, started

from distilltest.cli import main

SYSTEM = {"role": "system", "content": "Answer with one git command."}


def supervised(requests):
    return [
        {
            "messages": [
                SYSTEM,
                {"role": "user", "content": request},
                {"role": "assistant", "content": f"git switch {request.split()[-1]}"},
            ]
        }
        for request in requests
    ]


def preferences(requests):
    return [
        {
            "input": {"messages": [SYSTEM, {"role": "user", "content": request}]},
            "preferred_output": [{"role": "assistant", "content": f"git checkout {request.split()[-1]}"}],
            "non_preferred_output": [{"role": "assistant", "content": f"git switch {request.split()[-1]}"}],
        }
        for request in requests
    ]


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@dataclass
class Project:
    """A folder with distilltest.yaml, training files and a suite."""

    root: Path
    url: str

    @classmethod
    def make(cls, root, url):
        (root / "suites").mkdir(parents=True)
        project = cls(root, url)
        project.configure(url)
        write_lines(root / "train.jsonl", supervised([f"switch to branch topic-{i}" for i in range(40)]))
        write_lines(root / "validation.jsonl", supervised([f"switch to branch held-{i}" for i in range(3)]))
        write_lines(root / "preferences.jsonl", preferences([f"switch to branch topic-{i}" for i in range(12)]))
        rows = [
            {"id": f"e-{i}", "request": f"please switch to branch other-{i}", "reference": f"git switch other-{i}"}
            for i in range(30)
        ]
        write_lines(root / "test.jsonl", rows)
        (root / "long.yaml").write_text(
            "messages:\n  - {role: system, content: A long explanation.}\n  - {role: user, content: '{{ item.request }}'}\n"
        )
        (root / "short.yaml").write_text(
            f"messages:\n  - {{role: system, content: {SYSTEM['content']}}}\n"
            "  - {role: user, content: '{{ item.request }}'}\n"
        )
        (root / "suites" / "test_git.py").write_text(
            "from distilltest import better_than, evaluation\n\n"
            '@evaluation(dataset="test.jsonl", prompt="long.yaml", gate=[better_than("base")], roles=["teacher"])\n'
            "def test_git(case, completion, exact_match):\n"
            "    exact_match(completion.text, case.reference)\n"
        )
        return project

    def configure(self, url, more=""):
        (self.root / "distilltest.yaml").write_text(
            f"servers:\n  s: {{base_url: '{url}', max_retries: 0, timeout: 600{more}}}\n"
            "# who plays\nmodels:\n  base: {server: s, model: embedded-student}  # the student\n"
            "  teacher: {server: s, model: embedded-teacher}\n\n"
            "distillation: {train: t.jsonl, prompt: long.yaml, student_prompt: short.yaml, metadata: {task: git}}\n"
        )

    def command(self, *arguments):
        return [sys.executable, "-m", "distilltest", *arguments, "--root", str(self.root)]

    def run(self, *arguments, **more):
        return subprocess.run(
            self.command(*arguments),
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            cwd=self.root,
            **more,
        )

    def call(self, *arguments):
        """The same in this process, which is faster."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.chdir(self.root), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main([*arguments, "--root", str(self.root)])
            except SystemExit as error:
                code = error.code
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

    def popen(self, *arguments):
        """Start a command; a context manager that ends it."""
        return started(self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.root)

    def jobs(self):
        """The server's jobs, the newest first."""
        with OpenAI(base_url=self.url, api_key="none") as client:
            return client.fine_tuning.jobs.list().data

    def ask(self, model, request):
        """What a model answers."""
        messages = [{"role": "user", "content": request}]
        with OpenAI(base_url=self.url, api_key="none") as client:
            return client.chat.completions.create(model=model, messages=messages).choices[0].message.content

    def stats(self):
        with urllib.request.urlopen(self.url.replace("/v1", "/distilltest/stats")) as answer:
            return json.load(answer)
