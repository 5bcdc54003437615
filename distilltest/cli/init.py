"""``distilltest init``: write a small project."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from distilltest.cli import say

_FILES = {
    "distilltest.yaml": """\
# Everything runs on the embedded server: no key, no network. To use your own models, name a server, such as
# servers:
#   openai: {base_url: https://api.openai.com/v1, api_key: "${OPENAI_API_KEY}"}
models:
  base:      {server: embedded, model: embedded-student, temperature: 0}
  teacher:   {server: embedded, model: embedded-teacher, temperature: 0}
  candidate: {server: embedded, model: embedded-teacher, temperature: 0}
""",
    "suites/test_git.py": '''\
"""Does the candidate write the git command that was asked for?"""

from distilltest import better_than, evaluation, not_worse_than


@evaluation(
    dataset="fixtures/requests.jsonl",
    prompt="fixtures/prompt.yaml",
    gate=[better_than("base"), not_worse_than("teacher", margin=0.05)],
)
def test_writes_the_command(case, completion, exact_match):
    exact_match(completion.text, case.reference)
''',
    "fixtures/prompt.yaml": """\
messages:
  - role: system
    content: Answer with one git command.
  - role: user
    content: "{{ item.request }}"
""",
    "fixtures/requests.jsonl": """\
{"id": "status", "request": "show me the status", "reference": "git status", "tags": ["inspecting"]}
{"id": "branch", "request": "create a branch called docs", "reference": "git branch docs", "tags": ["branching"]}
{"id": "stash", "request": "stash my changes", "reference": "git stash", "tags": ["stash"]}
""",
}


def add(commands: Any) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "init",
        help="write a small project into a folder",
        description="Write a small project that runs right away. Existing files are never overwritten.",
    )
    command.add_argument(
        "folder", nargs="?", type=Path, default=Path(), metavar="DIR", help="the folder (default: here)"
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the files."""
    from distilltest.errors import DistilltestError

    there = [name for name in _FILES if (arguments.folder / name).exists()]
    if there:
        raise DistilltestError(f"{arguments.folder.resolve()} has {', '.join(there)} already. Nothing was written.")
    for name, content in _FILES.items():
        path = arguments.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        say.line(f"wrote {path}")
    say.line("Now run: pytest suites/   (three cases are too few to decide; add yours to fixtures/requests.jsonl)")
    return 0
