"""A project in a scratch folder, its store, and our own command in this process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from distilltest.cli import main
from distilltest.store import Store


@dataclass
class Project:
    root: Path
    capsys: pytest.CaptureFixture[str]

    def store(self) -> Store:
        return Store.open(self.root / ".distilltest" / "store.sqlite3")

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run ``distilltest completions`` and give what it printed; nothing on standard error that is no line of ours."""
        self.capsys.readouterr()
        try:
            ended = main(["completions", *arguments])
        except SystemExit as exit_:
            ended = exit_.code
        said = self.capsys.readouterr()
        self.error = said.err
        assert ended == code, said
        assert "Traceback" not in said.err
        return said.out

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture
def project(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "distilltest.yaml").write_text(
        "servers:\n  s: {base_url: 'http://x/v1'}\n  other: {base_url: 'http://y/v1'}\n"
        "models:\n  teacher: {server: s, model: teacher-1, temperature: 0}\n  base: {server: s, model: small}\n"
        "prices: prices.yaml\n"
    )
    (tmp_path / "prices.yaml").write_text("teacher-1: {input: 2.0, cached_input: 1.0, output: 8.0}\n")
    return Project(tmp_path, capsys)
