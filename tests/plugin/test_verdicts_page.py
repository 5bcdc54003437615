"""docs/how-to/verdicts.md shows real runs, and must match their current output.

Write it anew with ``UPDATE_DOCS=1 python -m pytest tests/plugin/test_verdicts_page.py``, and read the difference.
"""

import json
import os
import re

from pages import page_named, without_run_ids

PAGE = page_named("verdicts.md")


def promote(project):
    return project.run()


def block(project):
    project.server.knows["candidate"] = lambda n: n % 3 != 0
    return project.run()


def undecided(project):
    project.cases(45)
    return project.run()


def incomplete(project):
    project.server.special["candidate"] = lambda model, number: (
        (500, {"error": {"message": "The server is overloaded"}})
        if number % 40 == 7
        else project.server.answer({"model": "teacher", "messages": [{"content": f"number {number}"}]})
    )
    return project.run()


def broken(project):
    project.suite('exact_match(completion.text + ".", case.reference)')
    return project.run()


def labels(project):
    project.suite('exact_match(completion.text, "answer " + case.id[2:])')
    project.run()
    project.distilltest("judge", "sample", "test_numbers", "--out", "labels.jsonl", "--cases", "80")
    rows = [json.loads(line) for line in (project.root / "labels.jsonl").read_text().splitlines()]
    for row in rows:
        row["passed"] = row["answer"] != "no idea"
    project.write("labels.jsonl", "\n".join(map(json.dumps, rows)))
    project.suite('exact_match(completion.text, "answer " + case.id[2:])', labels='"labels.jsonl"')
    return project.run()


VERDICTS = [promote, block, undecided, incomplete, broken, labels]
SECTION = re.compile(r"^<!-- (\w+) -->\n.*?^<!-- /\1 -->\n", re.DOTALL | re.MULTILINE)


def shown(project, result):
    """What pytest says of the evaluation, where it does not pass, and the report down to the cases."""
    said = re.search(r"^_+ test_numbers _+\n(.*?)^=", result.stdout.str(), re.DOTALL | re.MULTILINE)
    parts = [f"```text\n{said[1].strip()}\n```"] if said else []
    report = re.split("## How to reproduce this run|### Cases|### By tag", project.reports()[-1].read_text())[0]
    report = re.sub(r"\d+(\.\d+)? m?s / \d+(\.\d+)? m?s", "…", report)
    report = re.sub(r"^#+ (.*)$", r"**\1**", report.strip(), flags=re.MULTILINE)
    quoted = "\n".join(f"> {line}".rstrip() for line in report.splitlines())
    return without_run_ids("\n\n".join([*parts, quoted]))


def test_the_page_shows_the_output_of_runs(project):
    page = PAGE.read_text(encoding="utf-8")
    assert SECTION.findall(page) == [verdict.__name__ for verdict in VERDICTS]
    knows, special = dict(project.server.knows), dict(project.server.special)
    made = {}
    for verdict in VERDICTS:
        project.server.knows, project.server.special = dict(knows), dict(special)
        project.cases(120)
        project.suite()
        for old in project.root.glob(".distilltest/store.sqlite3*"):
            old.unlink()
        result = verdict(project)
        made[verdict.__name__] = f"Exit code {result.ret}.\n\n{shown(project, result)}"
    new = SECTION.sub(lambda found: f"<!-- {found[1]} -->\n\n{made[found[1]]}\n\n<!-- /{found[1]} -->\n", page)
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(new, encoding="utf-8")
    assert page == new or os.environ.get("UPDATE_DOCS")
