"""Earlier candidates on the same dataset make the gate stricter, and the report says so."""

import json

import pytest

from distilltest.cli.main import main
from distilltest.evaluations.same_data import SAME, resemblance, sketch
from distilltest.records import Case, Dataset
from distilltest.statistics.spending import share


def level(number):
    return pytest.approx(0.05 * share(number))


def evaluation(project):
    return json.loads((project.reports()[-1].parent / "report.json").read_text())["evaluations"][0]


@pytest.fixture
def candidates(project):
    project.cases(20)
    for name in ("second", "third"):
        project.server.knows[name] = lambda n: n % 40 != 2
    return project


def test_each_further_candidate_gets_less_of_the_level(candidates):
    candidates.run()
    assert evaluation(candidates)["alpha"] == level(1)
    assert evaluation(candidates)["configured_alpha"] == 0.05
    candidates.run("--candidate", "second")
    result = candidates.run("--candidate", "third")
    assert evaluation(candidates)["alpha"] == level(3)
    assert "Attempt 3 on this dataset since the last promotion" in result.stdout.str()


def test_a_candidate_keeps_its_number(candidates):
    candidates.run()
    candidates.run("--candidate", "second")
    candidates.run()
    assert evaluation(candidates)["alpha"] == level(1)
    candidates.run("--candidate", "second")
    assert evaluation(candidates)["alpha"] == level(2)


def test_another_prompt_is_another_attempt(candidates):
    candidates.run()
    candidates.write("prompt.yaml", 'messages:\n  - {role: user, content: "Please: {{ item.question }}"}\n')
    candidates.run()
    assert evaluation(candidates)["alpha"] == level(2)


def test_another_dataset_begins_anew(candidates):
    candidates.run()
    rows = [{"id": f"q-{i}", "question": f"number {i}", "reference": f"answer {i}"} for i in range(1000, 1020)]
    candidates.write("cases.jsonl", "\n".join(map(json.dumps, rows)))
    candidates.run("--candidate", "second")
    assert evaluation(candidates)["alpha"] == level(1)


CHANGES = {
    "order": lambda rows: rows[::-1],
    "ids": lambda rows: [row | {"id": f"new {row['id']}"} for row in rows],
    "column": lambda rows: [row | {"note": f"note of {row['id']}"} for row in rows],
    "tags": lambda rows: [row | {"tags": [f"tag {row['id']}"], "cluster": row["id"]} for row in rows],
    "fewer": lambda rows: rows[:100],
    "more": lambda rows: [
        *rows,
        *({"id": f"r-{i}", "question": f"number {i}", "reference": ""} for i in range(500, 540)),
    ],
    "spelling": lambda rows: [row | {"question": row["question"].upper()} for row in rows],
}
"""What does not make other data of a dataset."""


@pytest.mark.parametrize("change", CHANGES)
def test_a_dataset_that_was_changed_a_little_is_the_same_data(change):
    rows = [{"id": f"q-{i}", "question": f"number {i}", "reference": f"answer {i}"} for i in range(120)]

    def made(some):
        return Dataset("cases.jsonl", tuple(Case(row["id"], row) for row in some), "")

    assert resemblance(sketch(made(rows)), sketch(made(CHANGES[change](rows)))) >= SAME
    other = [{"id": f"q-{i}", "question": f"number {i}", "reference": f"answer {i}"} for i in range(1000, 1120)]
    assert resemblance(sketch(made(rows)), sketch(made(CHANGES[change](other)))) < SAME


def test_labels_and_small_numbers_make_no_two_datasets_the_same():
    def made(start):
        rows = [{"a": i, "b": start, "reference": ("spam", "ham")[i % 2], "text": f"{start}: {i}"} for i in range(100)]
        return sketch(Dataset("cases.jsonl", tuple(Case(str(i), row) for i, row in enumerate(rows)), ""))

    assert resemblance(made(1), made(1)) == 1
    assert resemblance(made(1), made(2)) == 0


def test_an_edited_dataset_does_not_begin_anew(candidates):
    candidates.run()
    rows = [json.loads(line) for line in (candidates.root / "cases.jsonl").read_text().splitlines()]
    candidates.write("cases.jsonl", "\n".join(json.dumps(row | {"id": f"new {row['id']}"}) for row in rows[::-1]))
    result = candidates.run("--candidate", "second")
    assert evaluation(candidates)["alpha"] == level(2)
    assert "cases.jsonl has changed since the first of them" in " ".join(result.stdout.str().split())
    candidates.run("--candidate", "second")
    assert evaluation(candidates)["alpha"] == level(2)
    candidates.distilltest("attempts", "forget", "1", "--reason", "it was cut off")
    candidates.run("--candidate", "third")
    assert evaluation(candidates)["forgotten_attempts"]


@pytest.mark.parametrize("trial", [["--limit", "2"], ["--candidate", "ghost"]], ids=["a few cases", "no answers"])
def test_a_trial_of_the_suite_does_not_count(candidates, trial):
    candidates.run(*trial)
    candidates.run("--candidate", "second")
    assert evaluation(candidates)["alpha"] == level(1)


def test_most_of_the_dataset_counts(candidates):
    candidates.run("--limit", "17")
    candidates.run("--candidate", "second")
    assert evaluation(candidates)["alpha"] == level(2)


def test_a_run_for_another_purpose_does_not_count_and_never_promotes(candidates, monkeypatch):
    candidates.small()
    monkeypatch.setenv("DISTILLTEST_PURPOSE", "learning curve")
    result = candidates.run()
    assert result.ret == 11
    assert "this run is for a learning curve" in result.stdout.str()
    monkeypatch.delenv("DISTILLTEST_PURPOSE")
    candidates.run("--candidate", "second")
    assert evaluation(candidates)["alpha"] == level(1)


def test_a_declared_number_of_candidates_shares_the_level_equally_and_no_further_one_is_judged(candidates):
    candidates.write("distilltest.yaml", (candidates.root / "distilltest.yaml").read_text() + "gate: {attempts: 2}\n")
    for name in ("candidate", "second"):
        candidates.run("--candidate", name)
        assert evaluation(candidates)["alpha"] == 0.025
    asked = len(candidates.server.calls)
    third = candidates.run("--candidate", "third")
    assert third.ret == 12
    assert "attempt 3 on the dataset" in third.stdout.str()
    assert "`gate: {attempts: 2}`" in third.stdout.str()
    assert len(candidates.server.calls) == asked, "nothing was paid for"
    assert candidates.run("--candidate", "second").ret == 10, "who was judged is judged again"


def test_a_forgotten_attempt_costs_nothing_and_every_later_report_says_so(candidates, capsys):
    candidates.run()
    root = ["--root", str(candidates.root)]
    assert main(["attempts", "list", *root]) == 0
    assert "61 %" in capsys.readouterr().out
    assert main(["attempts", "forget", "1", "--reason", "the grader was broken", *root]) == 0
    assert main(["attempts", "forget", "1", "--reason", "once more", *root]) == 3
    assert "There is no attempt 1" in capsys.readouterr().err
    result = candidates.run("--candidate", "second")
    found = evaluation(candidates)
    assert found["alpha"] == level(1)
    assert "does not count: the grader was broken (forgotten on " in " ".join(found["forgotten_attempts"])
    assert "the grader was broken" in result.stdout.str()
    assert main(["attempts", "list", *root]) == 0
    assert "forgotten: the grader was broken" in capsys.readouterr().out


def test_a_reason_is_needed_to_forget(candidates):
    assert main(["attempts", "forget", "1", "--reason", "  ", "--root", str(candidates.root)]) == 3
