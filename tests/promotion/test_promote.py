"""``distilltest promote`` from outside: what proves a promotion, what does not, and what is written."""

import os
import signal
import subprocess
import sys
import threading

import pytest
import yaml
from processes import PATIENCE, started
from promotion.projects import GATE, SUITE

from distilltest.store import Store, state_keys

NAME = "suites/test_numbers.py::test_numbers"


def entries(project):
    return yaml.safe_load(project.promotions.read_text())


def test_a_proved_model_is_written_with_its_proof_and_the_report_is_kept(project, capsys):
    assert project.run("promote") == 0
    (entry,) = entries(project)
    assert entry["model"]["id"] == "candidate"
    assert entry["who"] == {"name": "Ada Lovelace", "email": "ada@example.org"}
    assert entry["commit"] == project.git("rev-parse", "--short=12", "HEAD").strip()
    (proof,) = entry["evaluations"]
    assert proof["id"] == NAME
    assert proof["verdict"] == "promote"
    assert [rule["rule"] for rule in proof["rules"]] == ["better than base", "not worse than teacher by 10 points"]
    assert proof["rules"][1]["lost"] == 1
    assert proof["roles"]["candidate"]["rate"] == pytest.approx(59 / 60, abs=1e-6)
    assert entry["costs"]["candidate"] == {"prompt_tokens": 420, "completion_tokens": 180, "usd": None}
    folder = project.root / entry["report"]["folder"]
    assert folder == project.root / "reports/promoted/1-candidate"
    assert "# Promote" in (folder / "report.md").read_text()
    said = capsys.readouterr().out
    assert "candidate is promoted: entry 1 of promotions.yaml, by Ada Lovelace" in said
    assert "git ignores" not in said
    project.git("add", "promotions.yaml", "reports")
    assert "reports/promoted/1-candidate/report.json" in project.git("status", "--porcelain")


def test_the_same_model_on_the_same_evidence_is_promoted_once(promoted, capsys):
    before = promoted.promotions.read_bytes()
    promoted.pytest()  # once more, from the store: another run, the same evidence
    assert promoted.run("promote") == 0
    assert "already promoted on this evidence: entry 1" in capsys.readouterr().out
    assert promoted.promotions.read_bytes() == before


def test_what_follows_leaves_earlier_bytes_as_they_were(promoted):
    before = promoted.promotions.read_bytes()
    assert promoted.run("promote", "better") == 0
    assert promoted.promotions.read_bytes().startswith(before)
    first, second = entries(promoted)
    assert second["previous"] == first["hash"]
    assert promoted.run("promote", "candidate") == 1  # the same runs, and something else since


def change_dataset(project):
    project.cases(61)


def change_prompt(project):
    project.write("prompt.yaml", 'messages:\n  - {role: user, content: "Now: {{ item.question }}"}\n')


def change_gate(project):
    project.write("suites/test_numbers.py", SUITE.format(gate='[better_than("base")]'))


def change_body(project):
    project.write("suites/test_numbers.py", SUITE.format(gate=GATE).replace("exact_match(c", "assert (c"))


def change_teacher(project):
    path = project.root / "distilltest.yaml"
    path.write_text(path.read_text().replace("model: 'teacher'", "model: 'better'"))


def add_evaluation(project):
    project.write("suites/test_more.py", SUITE.format(gate=GATE).replace("test_numbers", "test_more"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (change_dataset, "the dataset cases.jsonl has changed"),
        (change_prompt, "the prompt of candidate (prompt.yaml) has changed"),
        (change_gate, "the gate was [better than base, not worse than teacher by 10 points] and is [better than base]"),
        (change_body, "suites/test_numbers.py has changed"),
        (change_teacher, "teacher was teacher on local and is better on local"),
        (add_evaluation, "suites/test_more.py::test_more: incomplete: no whole run on candidate has it."),
    ],
)
def test_a_run_that_is_older_than_the_suite_proves_nothing(project, capsys, change, words):
    change(project)
    assert project.run("promote") == 11
    said = capsys.readouterr().out
    assert words in said
    assert "Run `pytest suites/test_" in said
    assert not project.promotions.exists()


@pytest.mark.parametrize(
    ("model", "narrow", "code", "words"),
    [
        ("bad", (), 1, ("block: ", "distilltest report", "0 of 1 required evaluations say promote")),
        ("unsure", (), 10, ("undecided: ", "Add cases to cases.jsonl, then run `pytest suites/test_numbers.py")),
        ("new", ("--limit", "30"), 11, ("no run on new is whole", "ran only a part (--limit 30)")),
        ("new", ("-k", "numbers"), 11, ("no run on new is whole", "ran only a part (-k 'numbers')")),
        ("unknown", (), 11, ("the store has no run on unknown. Run `pytest --candidate unknown`",)),
    ],
)
def test_without_proof_it_says_precisely_why_not(project, capsys, model, narrow, code, words):
    if narrow:
        project.pytest("--candidate", model, *narrow)
    assert project.run("promote", model) == code
    said = capsys.readouterr().out
    assert f"{model} is not promoted" in said
    assert all(word in said for word in words), said
    assert not project.promotions.exists()


def test_a_later_run_of_a_part_takes_nothing_away(project):
    project.pytest("--limit", "10")
    assert project.run("promote") == 0


def test_a_later_whole_run_that_blocks_counts_before_the_earlier_one(project, server):
    before = server.knows["candidate"]
    server.knows["candidate"] = server.knows["bad"]
    try:
        assert project.pytest("--fresh") == 1
    finally:
        server.knows["candidate"] = before
    assert project.run("promote") == 1


def test_an_ordinary_test_that_fails_beside_keeps_the_run_from_counting(project, capsys):
    project.write("suites/test_plain.py", "def test_plain():\n    assert not 1\n")
    assert project.pytest("--candidate", "new") == 1
    assert project.run("promote", "new") == 11
    assert "is not complete: 1 tests failed or errored without a verdict" in capsys.readouterr().out


def test_a_killed_run_does_not_count(project, server, capsys):
    asked = threading.Event()
    go_on = threading.Event()

    def late(model, number):
        asked.set()
        go_on.wait(PATIENCE)
        return 500, {}

    project.write("suites/test_more.py", SUITE.format(gate=GATE).replace("test_numbers", "test_more"))
    project.write("suites/conftest.py", "")
    server.special["slow"] = late
    command = [sys.executable, "-m", "pytest", "suites", "--candidate", "slow"]
    try:
        with started(command, cwd=project.root, stdout=subprocess.DEVNULL) as running:
            assert asked.wait(PATIENCE)
            running.kill()
    finally:
        go_on.set()
        del server.special["slow"]
    assert project.run("promote", "slow") == 11
    said = capsys.readouterr().out
    assert "slow is not promoted" in said


def test_required_evaluations_are_those_that_the_configuration_names(project, capsys):
    add_evaluation(project)
    project.configure(more="promotion: {require: ['suites/test_numbers.py::test_*']}\n")
    assert project.run("promote") == 0
    project.configure(more="promotion: {require: ['suites/test_numbers.py', 'suites/test_other.py::test_x']}\n")
    project.promotions.unlink()
    capsys.readouterr()
    assert project.run("promote") == 11
    said = capsys.readouterr().out
    assert "1 of 2 required evaluations" in said
    assert "suites/test_other.py::test_x: incomplete: the suite has no such evaluation." in said


def test_what_proved_production_is_required_of_the_next_one(promoted, capsys):
    promoted.write("other/test_other.py", SUITE.format(gate=GATE).replace("test_numbers", "test_other"))
    command = [sys.executable, "-m", "pytest", "-q", "other", "--candidate", "new"]
    assert subprocess.run(command, check=False, cwd=promoted.root, capture_output=True).returncode == 0
    assert promoted.run("promote", "new") == 11
    said = capsys.readouterr().out
    assert "other/test_other.py::test_other: promote: " in said
    assert f"{NAME}: incomplete: no whole run on new has it" in said


def test_a_suite_that_is_gone_or_broken_is_named(project, capsys):
    path = project.root / "suites/test_numbers.py"
    path.write_text("def broken(:\n")
    assert project.run("promote") == 3
    said = capsys.readouterr().err
    assert "pytest cannot collect suites (exit code 2)" in said
    assert "SyntaxError" in said
    path.unlink()
    assert project.run("promote") == 11
    assert "the suite has no evaluation any more" in capsys.readouterr().out


def test_an_override_is_recorded_and_shown_ever_after(project, capsys):
    assert project.run("promote", "bad", "--override", "  ") == 3
    assert project.run("promote", "bad", "--override", "the old one is shut down today") == 0
    (entry,) = entries(project)
    assert entry["override"]["reason"] == "the old one is shut down today"
    assert entry["override"]["instead_of"][0].startswith(f"{NAME}: block: ")
    for command in (["list"], ["show"], ["verify"]):
        capsys.readouterr()
        assert project.run("promotions", *command) == 0
        assert "OVERRIDE" in capsys.readouterr().out


def test_an_override_needs_no_run_at_all_and_keeps_no_report(project):
    assert project.run("promote", "new", "--override", "an emergency") == 0
    (entry,) = entries(project)
    assert entry["report"] is None
    assert "the store has no run on new" in entry["override"]["instead_of"][0]
    assert project.run("promotions", "verify") == 0


def test_nobody_promotes_without_a_name(project, capsys, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    project.git("config", "--unset", "user.name")
    assert project.run("promote") == 3
    assert 'git config user.name "Your Name"' in capsys.readouterr().err
    assert not project.promotions.exists()


def test_a_model_that_was_trained_on_the_test_is_not_promoted(project, capsys):
    training = project.write(
        ".distilltest/training/supervised.jsonl",
        '{"messages": [{"role": "user", "content": "Number 7!"}, {"role": "assistant", "content": "answer 7"}]}\n',
    )
    from distilltest.data.whole_files import file_fingerprint

    with Store.open(project.root / ".distilltest/store.sqlite3") as store:
        store.set_state(
            state_keys.CANDIDATE,
            {"model": "candidate", "training_file": str(training), "sha256": file_fingerprint(training)},
        )
    assert project.run("promote") == 1
    assert "1 requests of the evaluations are in the training file (q-7)" in capsys.readouterr().out
    training.write_text(training.read_text().replace("Number 7!", "another"))
    with Store.open(project.root / ".distilltest/store.sqlite3") as store:
        store.set_state(
            state_keys.CANDIDATE,
            {"model": "candidate", "training_file": str(training), "sha256": file_fingerprint(training)},
        )
    assert project.run("promote") == 0
    assert entries(project)[0]["training_file"] == {
        "path": ".distilltest/training/supervised.jsonl",
        "sha256": file_fingerprint(training),
    }


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_killed_at_any_moment_it_is_completed_by_the_same_command(project, moment):
    """Files appear by renaming: report.json, report.md, promotions.yaml. The process dies just before the n-th of them."""
    patch = (
        "import os, signal\nreal, count = os.replace, [0]\n"
        "def replace(*arguments):\n"
        "    count[0] += 1\n"
        f"    if count[0] == {moment}: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return real(*arguments)\n"
        "os.replace = replace\n"
    )
    killed = project.start("promote", patch=patch)
    assert killed.returncode == -signal.SIGKILL
    assert not project.promotions.exists()
    assert project.run("promote") == 0
    assert project.run("promote") == 0
    assert len(entries(project)) == 1
    assert sorted(path.name for path in project.root.rglob("*.part")) == []
    assert [path.name for path in (project.root / "reports/promoted").iterdir()] == ["1-candidate"]
    assert project.run("promotions", "verify") == 0


def test_two_at_once_write_one_entry(project):
    command = [sys.executable, "-m", "distilltest", "promote", "--root", str(project.root)]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with started(command, **pipes) as one, started(command, **pipes) as other:
        codes = [each.wait(PATIENCE) for each in (one, other)]
    assert len(entries(project)) == 1
    assert 0 in codes
    assert project.run("promotions", "verify") == 0


@pytest.mark.parametrize(
    ("dates", "code", "words"),
    [
        ({"candidate": "2020-01-31"}, 1, "candidate was shut down on 2020-01-31."),
        ({"candidate": "2020-01-31T10:00:00Z"}, 1, "candidate was shut down on 2020-01-31."),
        ({"candidate": 1580428800}, 1, "candidate was shut down on 2020-01-31."),
        ({"candidate": "soon"}, 0, "has the shutdown date 'soon', which is not a date that we can read"),
        ({"candidate": None}, 0, "is promoted"),
        (None, 0, "is promoted"),
    ],
)
def test_a_model_that_has_ended_is_not_promoted(project, server, capsys, dates, code, words):
    server.shutdown_dates = dates
    assert project.run("promote") == code
    assert words in capsys.readouterr().out
