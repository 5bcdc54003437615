"""From a run to a sheet for people, and from their labels back into the gate."""

import json

from distilltest.exit_codes import COULD_NOT_RUN, UNDECIDED


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def labelled_suite(project):
    project.suite(labels='"labels.jsonl"')


def test_the_sheet_is_blind_and_its_labels_reach_the_gate(project):
    project.cases(300)
    project.run()
    done = project.distilltest("judge", "sample", "test_numbers", "--out", "labels.jsonl", "--cases", "300")
    assert done.returncode == 0, done.stderr
    rows = rows_of(project.root / "labels.jsonl")
    assert set(rows[0]) == {"id", "case", "request", "answer", "passed"}
    assert [row["case"] for row in rows] != sorted(row["case"] for row in rows)
    for row in rows:
        row["passed"] = row["answer"] != "no idea"
    project.write("labels.jsonl", "\n".join(map(json.dumps, rows)))
    labelled_suite(project)
    result = project.run()
    assert result.ret == 0
    out = result.stdout.str()
    assert "the judge was corrected by 300 pairs that people labelled" in out
    assert "Answers labelled by people (labels.jsonl): base" in out


def test_an_existing_sheet_is_not_overwritten(project):
    project.run()
    project.write("labels.jsonl", "precious")
    done = project.distilltest("judge", "sample", "test_numbers", "--out", "labels.jsonl")
    assert done.returncode == 3
    assert (project.root / "labels.jsonl").read_text() == "precious"


def test_bad_labels_are_named_with_their_line(project):
    labelled_suite(project)
    good = {"id": "a", "case": "q-1", "answer": "answer 1", "passed": True}
    for row, message in [
        (
            {"id": "b", "case": "ghost", "answer": "x", "passed": True},
            "labels.jsonl:2: cases.jsonl has no case 'ghost'",
        ),
        ({"id": "b", "case": "q-1", "answer": 5, "passed": True}, 'labels.jsonl:2: "answer" is 5'),
        ({"id": "b", "case": "q-1", "answer": "x", "passed": "maybe"}, "labels.jsonl:2: \"passed\" is 'maybe'"),
        (
            {"id": "b", "case": "q-1", "answer": "answer 1", "passed": False},
            "labels.jsonl:2: says the opposite of labels.jsonl:1",
        ),
    ]:
        project.write("labels.jsonl", "\n".join(map(json.dumps, [good, row])))
        result = project.run()
        assert result.ret == COULD_NOT_RUN
        assert message in result.stdout.str()
        assert "Traceback" not in result.stdout.str()


def test_labels_of_earlier_answers_promote_nothing_and_every_report_says_so(project):
    project.cases(60)
    rows = [{"id": str(i), "case": f"q-{i}", "answer": "an earlier answer", "passed": True} for i in range(1, 41)]
    project.write("labels.jsonl", "\n".join(map(json.dumps, rows)))
    labelled_suite(project)
    result = project.run()
    assert result.ret == UNDECIDED
    said = "none of 60 pairs is labelled (40 have labels, but of other answers)"
    out = result.stdout.str()
    assert "people's labels:" in out
    assert said in out
    assert "candidate 0 (40 answers to labelled cases are new)" in out
    markdown = project.reports()[-1]
    assert "### People's labels" in markdown.read_text()
    content = json.loads(markdown.with_name("report.json").read_text())
    rules = content["evaluations"][0]["verdict"]["rules"]
    assert all(said in rule["labels"] and rule["labelled"] == 0 for rule in rules)
