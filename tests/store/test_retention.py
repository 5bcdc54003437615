"""Completions older than the retention are deleted, unless a recent run or a promotion needs them."""

import json
import subprocess
import sys
import time

import pytest
from store.stored import GIT, TERMS, grade, keep

from distilltest.cli import main
from distilltest.config import load_config
from distilltest.errors import ConfigError, StoreError
from distilltest.store import CompletionFilter, Store
from distilltest.store.prepare import DAY, open_for_work

NOW = 1_800_000_000.0


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "distilltest.yaml").write_text("retention: {days: 30}\n")
    return tmp_path


def stored(root):
    return Store.open(root / ".distilltest" / "store.sqlite3")


def run_at(store, run, started, verdict="block"):
    with store._sql(write=True) as sql:
        sql.execute("UPDATE run SET started = ?, verdict = ? WHERE id = ?", (started, verdict, run))


def left(root, now=NOW):
    said = []
    with open_for_work(load_config(root), said.append, lambda: now) as store:
        return [item.messages[0]["content"] for item in store.find_completions(oldest_first=True)], said


def test_older_completions_are_deleted_and_reported_once(root):
    with stored(root) as store:
        for age in (10, 29.9, 30.1, 400):
            keep(store, f"{age}", created=NOW - age * DAY)
    assert left(root) == (["29.9", "10"], ["2 completions older than 30 days were deleted"])
    assert left(root) == (["29.9", "10"], [])
    assert left(root, NOW + DAY) == (["10"], ["1 completion older than 30 days were deleted"])


def test_without_the_setting_nothing_is_deleted(root):
    (root / "distilltest.yaml").write_text("{}\n")
    with stored(root) as store:
        keep(store, "old", created=1.0)
    assert left(root) == (["old"], [])


def test_completions_of_a_recent_run_or_the_last_promotion_are_kept(root):
    with stored(root) as store:
        keys = {
            name: keep(store, name, created=NOW - 100 * DAY)
            for name in ("recent", "proof", "earlier", "blocked", "none")
        }
        for run, name, evaluation, age, verdict in (
            ("run-1", "earlier", GIT, 90, "promote"),
            ("run-2", "proof", GIT, 80, "promote"),
            ("run-3", "blocked", TERMS, 70, "block"),
            ("run-4", "recent", TERMS, 5, "block"),
        ):
            grade(store, run, evaluation, [("c1", "candidate", keys[name], True)])
            run_at(store, run, NOW - age * DAY, verdict)
    texts, said = left(root)
    assert set(texts) == {"recent", "proof"}
    assert said == ["3 completions older than 30 days were deleted"]
    with stored(root) as store:
        assert store.delete_older(NOW, NOW, keep_runs=["run-4"]) == 0


def test_every_run_in_promotions_yaml_is_kept_in_full(root):
    named, other = "20250101-120000-1f3a", "20250102-120000-1f3b"
    with stored(root) as store:
        for run, text in ((named, "named"), (other, "other")):
            grade(store, run, GIT, [("c1", "candidate", keep(store, text, created=1.0), False)])
            run_at(store, run, 1.0)
    (root / "promotions.yaml").write_text(
        f"- number: 1\n  evaluations:\n  - {{id: x, run: {named}, verdict: promote}}\n"
    )
    texts, _ = left(root)
    assert texts == ["named"]
    with stored(root) as store:
        assert store.grades(named, GIT, "c1", "candidate", 0)[0].reason == "another text"
        assert store.grades(other, GIT, "c1", "candidate", 0)[0].reason == ""


def test_an_unreadable_promotions_yaml_prevents_deletion(root):
    with stored(root) as store:
        keep(store, "old", created=1.0)
    (root / "promotions.yaml").mkdir()
    with pytest.raises(
        StoreError, match=r"promotions.yaml cannot be read: it is a folder.*nothing older .* was deleted"
    ):
        left(root)
    with stored(root) as store:
        assert store.count_completions() == 1


def test_an_old_run_keeps_its_figures_and_loses_its_texts(root):
    with stored(root) as store:
        old, proof = keep(store, "old", created=1.0), keep(store, "proof", created=1.0)
        grade(store, "run-1", GIT, [("c1", "candidate", old, False)])
        run_at(store, "run-1", NOW - 90 * DAY)
        store.save_evaluation("run-1", GIT, {"id": GIT, "verdict": "block", "changes": [{"request": "a private text"}]})
        grade(store, "run-2", TERMS, [("c1", "candidate", proof, False)])
        run_at(store, "run-2", NOW - 80 * DAY, "promote")
        store.save_evaluation("run-2", TERMS, {"id": TERMS, "changes": [{"request": "what proved it"}]})
    left(root)
    with stored(root) as store:
        use = store.uses_of(old)[0]
        assert (use.passed, use.score, use.grades[0].name, use.grades[0].reason) == (False, 0.0, "exact_match", "")
        assert store.run_evaluations("run-1") == [{"id": GIT, "verdict": "block", "changes": []}]
        assert store.uses_of(proof)[0].grades[0].reason == "another text"
        assert store.run_evaluations("run-2")[0]["changes"]
    for path in (root / ".distilltest").iterdir():
        assert b"a private text" not in path.read_bytes()


def test_deleted_bytes_are_gone_from_the_files(root):
    with stored(root) as store:
        for i in range(400):
            keep(store, f"number {i}", "a private answer " * (i % 50 + 1), created=1.0)
        keep(store, "new", created=NOW)
    left(root)
    for path in (root / ".distilltest").iterdir():
        assert b"private answer" not in path.read_bytes()


@pytest.mark.parametrize("value", ["{days: 0}", "{days: 1.5}", "{days: soon}", "{weeks: 2}", "30"])
def test_an_invalid_retention_is_a_configuration_error(root, value):
    (root / "distilltest.yaml").write_text(f"retention: {value}\n")
    with pytest.raises(ConfigError, match=r"distilltest.yaml:1: .*retention"):
        load_config(root)


SUITE = """
from distilltest import at_least, evaluation


@evaluation(dataset="cases.jsonl", prompt="prompt.yaml", gate=[at_least(0.1)])
def test_it(case, completion, exact_match):
    exact_match(completion.text, case.reference)
"""
PROJECT = """
retention: {days: 30}
models:
  base: {server: embedded, model: embedded-student}
  teacher: {server: embedded, model: embedded-teacher}
  candidate: {server: embedded, model: embedded-teacher}
distillation: {train: cases.jsonl, prompt: prompt.yaml}
"""


@pytest.mark.parametrize(
    "command", [["pytest"], ["pytest", "-n", "2"], ["distilltest", "completions", "list"], ["distilltest", "distill"]]
)
def test_every_command_that_uses_the_store_deletes_and_reports_it_in_one_line(root, command):
    (root / "distilltest.yaml").write_text(PROJECT)
    (root / "pytest.ini").write_text("[pytest]\n")
    (root / "prompt.yaml").write_text('messages:\n  - {role: user, content: "{{ item.q }}"}\n')
    rows = [{"id": f"{i}", "q": "show the status", "reference": "git status"} for i in range(3)]
    (root / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (root / "test_it.py").write_text(SUITE)
    with stored(root) as store:
        for i in range(12):
            keep(store, f"number {i}", created=time.time() - 31 * DAY)
    done = subprocess.run([sys.executable, "-m", *command], check=False, capture_output=True, text=True, cwd=root)
    output = done.stdout + done.stderr
    assert output.count("12 completions older than 30 days were deleted") == 1, output
    with stored(root) as store:
        assert store.count_completions(CompletionFilter(model="teacher-1")) == 0


def test_a_pytest_session_without_evaluations_deletes_nothing(root):
    (root / "pytest.ini").write_text("[pytest]\n")
    (root / "test_it.py").write_text("def test_it():\n    pass\n")
    with stored(root) as store:
        keep(store, "old", created=1.0)
    subprocess.run([sys.executable, "-m", "pytest"], check=True, capture_output=True, cwd=root)
    with stored(root) as store:
        assert store.count_completions() == 1


def test_an_import_of_expired_completions_is_reported(root, capsys):
    (root / "in.jsonl").write_text(
        '{"messages": [{"role": "user", "content": "q"}], "answer": "a", "model": "m", "created": 5}\n'
    )
    assert main(["completions", "import", "in.jsonl"]) == 0
    assert "1 of them is older than 30 days and goes with the next command" in capsys.readouterr().out
