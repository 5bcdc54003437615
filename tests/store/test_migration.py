"""A store of schema 5 is migrated without loss, whatever interrupts it, and the user sees the progress."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench import older_store
from distilltest.config import load_config
from distilltest.store import Store, old_rows, prepare
from distilltest.store.prepare import Upgrade, open_for_work, open_store

ROOT = Path(__file__).parents[2]


def test_a_migration_keeps_everything_and_compacts_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(old_rows, "_ROWS", 7)  # several steps
    path = tmp_path / "store.sqlite3"
    wanted = older_store.make(path, 60)
    before = path.stat().st_size
    told = []
    Store.open(path, lambda done, total: told.append((done, total))).close()
    assert told[-1] == (180, 180)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert older_store.read(path) == wanted
    assert path.stat().st_size < before


def test_kills_during_a_migration_lose_and_repeat_nothing():
    """In separate processes: a migration, and a run that sends requests."""
    command = [sys.executable, "-m", "bench.kills", "--migrations", "5", "--runs", "4", "--rows", "150", "--seed", "1"]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing lost, changed or twice" in done.stdout
    assert "every answer that was handed out is stored" in done.stdout


def test_a_migration_reports_progress_after_a_while_and_not_too_often():
    now, said = [0.0], []
    upgrade = Upgrade(Path("store"), said.append, lambda: now[0])
    for second in range(10):
        now[0] = float(second)
        upgrade(second * 100, 1000)
    assert said == [f"Bringing the store store to the new format, once: {percent} %" for percent in (20, 50, 80)]


@pytest.mark.parametrize("opening", [open_store, open_for_work], ids=lambda opening: opening.__name__)
def test_opening_an_older_store_shows_the_progress(tmp_path, monkeypatch, opening):
    monkeypatch.setattr(prepare, "_SOON", 0.0)
    config = load_config(tmp_path)
    older_store.make(config.store_path, 20)
    said = []
    opening(config, said.append).close()
    assert said[0].startswith(f"Bringing the store {config.store_path} to the new format, once:")
    opening(config, said.append).close()
    assert len(said) == 1


def test_pytest_and_commands_show_the_progress(tmp_path, capsys, monkeypatch):
    from distilltest.cli import main
    from distilltest.pytest_plugin.session import Options, Session

    monkeypatch.setattr(prepare, "_SOON", 0.0)
    said = []
    older_store.make(load_config(tmp_path).store_path, 20)
    session = Session(tmp_path, Options(), "pytest", say=said.append)
    assert session.store
    session.close()
    assert "to the new format" in said[0]
    other = tmp_path / "other"
    older_store.make(load_config(other).store_path, 20)
    assert main(
        ["dataset", "sft", "--root", str(other), "--metadata", "task=nothing", "--out", str(tmp_path / "out.jsonl")]
    )
    assert "to the new format" in capsys.readouterr().err
