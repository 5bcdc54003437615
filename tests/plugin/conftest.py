"""A project in a scratch folder with a scripted chat server, for tests of the plugin from outside."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from plugin.answering_server import AnsweringServer
from processes import PATIENCE, started


@pytest.fixture
def server() -> Iterator[AnsweringServer]:
    with AnsweringServer() as running:
        yield running


AT_ONCE = 24
"""Calls in flight: each connection costs the server here a thread."""


@dataclass
class Project:
    """A folder with distilltest.yaml, a dataset, a prompt and a suite."""

    pytester: pytest.Pytester
    server: AnsweringServer
    running: ExitStack
    """Ends what was started."""

    @property
    def root(self) -> Path:
        return self.pytester.path

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def cases(self, count: int, **extra: object) -> None:
        rows = [
            {
                "id": f"q-{i}",
                "question": f"number {i}",
                "reference": f"answer {i}",
                "tags": ["even" if i % 2 == 0 else "odd"],
            }
            | extra
            for i in range(count)
        ]
        self.write("cases.jsonl", "\n".join(map(json.dumps, rows)))

    def suite(self, body: str = "exact_match(completion.text, case.reference)", **options: str) -> None:
        gate = options.pop("gate", '[better_than("base"), not_worse_than("teacher", margin=0.05)]')
        parameters = options.pop("parameters", "case, completion, exact_match")
        define = options.pop("define", "def")
        more = "".join(f"    {k}={v},\n" for k, v in options.items())
        self.write(
            "suites/test_numbers.py",
            "from distilltest import at_least, better_than, evaluation, not_worse_than\n\n\n"
            f'@evaluation(\n    dataset="cases.jsonl",\n    prompt="prompt.yaml",\n    gate={gate},\n{more})\n'
            f"{define} test_numbers({parameters}):\n    {body}\n",
        )

    def small(self, count: int = 20) -> None:
        """Have few cases, and a gate that they prove: for what is the same with more of them."""
        self.cases(count)
        self.suite(gate='[better_than("base")]', roles='["teacher"]')

    def at_once(self, calls: int) -> None:
        """Let so many calls be in flight."""
        text = (self.root / "distilltest.yaml").read_text()
        self.write("distilltest.yaml", text.replace(f"max_concurrency: {AT_ONCE}", f"max_concurrency: {calls}"))

    def run(self, *arguments: str) -> pytest.RunResult:
        """Run pytest in a process of its own, as a user does."""
        return self.pytester.runpytest_subprocess("suites", *arguments, timeout=PATIENCE)

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start pytest and leave it running, until the test ends at the latest."""
        command = [sys.executable, "-m", "pytest", "suites", *arguments]
        return self.running.enter_context(started(command, cwd=self.root, stdout=subprocess.PIPE, **options))

    def distilltest(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run our own command."""
        command = [sys.executable, "-m", "distilltest", *arguments]
        return subprocess.run(command, check=False, cwd=self.root, capture_output=True, text=True, timeout=PATIENCE)

    def reports(self) -> list[Path]:
        return sorted((self.root / "reports").glob("*/report.md"))


@pytest.fixture
def project(pytester: pytest.Pytester, server: AnsweringServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    with ExitStack() as running:
        yield _made(Project(pytester, server, running))


def _made(made: Project) -> Project:
    made.pytester.makeini("[pytest]\n")
    made.write("prompt.yaml", 'messages:\n  - {role: user, content: "{{ item.question }}"}\n')
    made.write(
        "distilltest.yaml",
        f"servers:\n  local: {{base_url: '{made.server.base_url}', max_retries: 1, timeout: 600, max_concurrency: {AT_ONCE}}}\n"
        "models:\n"
        + "".join(f"  {role}: {{server: local, model: {role}}}\n" for role in ("base", "teacher", "candidate")),
    )
    made.cases(120)
    made.suite()
    return made
