"""A project with a suite, a scripted chat server and git, for tests of promotions from outside."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from plugin.answering_server import AnsweringServer
from processes import PATIENCE

from distilltest.cli import main

SUITE = """\
from distilltest import better_than, evaluation, not_worse_than


@evaluation(dataset="cases.jsonl", prompt="prompt.yaml", gate={gate})
def test_numbers(case, completion, exact_match):
    exact_match(completion.text, case.reference)
"""
GATE = '[better_than("base"), not_worse_than("teacher", margin=0.1)]'


@dataclass
class Project:
    """A folder, and the server that its models are on."""

    root: Path
    server: AnsweringServer

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def make(self) -> None:
        self.write("pytest.ini", "[pytest]\n")
        self.write("prompt.yaml", 'messages:\n  - {role: user, content: "{{ item.question }}"}\n')
        self.write("short.yaml", 'messages:\n  - {role: user, content: "short: {{ item.question }}"}\n')
        self.configure()
        self.cases(60)
        self.write("suites/test_numbers.py", SUITE.format(gate=GATE))
        self.git("init", "-q")
        self.git("config", "user.name", "Ada Lovelace")
        self.git("config", "user.email", "ada@example.org")
        self.write(".gitignore", ".distilltest/\nreports/*\n!reports/promoted/\n__pycache__/\n")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "begin")

    def configure(self, candidate: str = "candidate", more: str = "", own: str = "") -> None:
        models = {"base": "base", "teacher": "teacher", "candidate": candidate}
        self.write(
            "distilltest.yaml",
            f"servers:\n  local: {{base_url: '{self.server.base_url}', max_retries: 0, timeout: 600}}\nmodels:\n"
            + "".join(
                f"  {role}: {{server: local, model: '{model}'{own if role == 'candidate' else ''}}}\n"
                for role, model in models.items()
            )
            + more,
        )

    def cases(self, count: int) -> None:
        rows = [{"id": f"q-{i}", "question": f"number {i}", "reference": f"answer {i}"} for i in range(count)]
        self.write("cases.jsonl", "".join(json.dumps(row) + "\n" for row in rows))

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.root), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def pytest(self, *arguments: str) -> int:
        """Run the suite in a process of its own, as a user does; the exit code."""
        command = [sys.executable, "-m", "pytest", "-q", "suites", *arguments]
        return subprocess.run(command, check=False, cwd=self.root, capture_output=True, timeout=PATIENCE).returncode

    def run(self, *arguments: str) -> int:
        """Run a command here; the exit code."""
        return main([*arguments, "--root", str(self.root)])

    def start(self, *arguments: str, patch: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a process of its own, with some Python before it: as a plugin of pytest, which starts fast here."""
        words = [*arguments, "--root", str(self.root)]
        folder = self.root.with_name("patched")
        folder.mkdir()
        code = f"import os\nfrom distilltest.cli import main\n{patch}\nos._exit(main({words!r}))\n"
        (folder / "patched_command.py").write_text(code, encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-p", "patched_command"]
        return subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=PATIENCE)

    @property
    def promotions(self) -> Path:
        return self.root / "promotions.yaml"
