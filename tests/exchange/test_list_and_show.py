"""Looking at stored completions from the command line."""

import json
import shlex

import pytest
from store.stored import GIT, TERMS, answered, asked, grade, keep

from distilltest.records import ToolCall, Usage


def test_the_printed_command_leads_through_every_page_once(project):
    with project.store() as store:
        for i in range(11):
            keep(store, f"number {i}", created=1000.0 + i // 3, metadata={"task": "git", "odd key": "it's"})
        keep(store, "of another model", model="m2")
    command = ["list", "--model", "teacher-1", "--metadata", "odd key=it's", "--limit", "4"]
    seen = []
    while command:
        said = project.run(*command)
        seen += [line for line in said.splitlines() if "number" in line]
        following = said.splitlines()[-1]
        command = (
            shlex.split(following.removeprefix("next page: "))[2:] if following.startswith("next page: ") else None
        )
    assert len(seen) == len(set(seen)) == 11
    assert "number 10" in seen[0] or "number 9" in seen[0]
    assert "task=git, odd key=it's" in seen[0]
    assert "1970-01-01 00:16:4" in seen[0]


def test_jsonl_has_whole_completions_and_only_them_on_standard_output(project):
    with project.store() as store:
        for i in range(3):
            keep(store, f"number {i}", f"answer {i}", created=float(i), metadata={"task": "git"})
    rows = [json.loads(line) for line in project.run("list", "--jsonl", "--limit", "2", "--oldest-first").splitlines()]
    assert [row["completion"]["text"] for row in rows] == ["answer 0", "answer 1"]
    assert rows[0]["request"]["messages"] == [{"role": "user", "content": "number 0"}]
    assert rows[0]["metadata"] == {"task": "git"}
    assert json.loads(rows[0]["response"])["choices"]
    assert project.error.startswith(
        "next page: distilltest completions list --limit 2 --oldest-first --jsonl --after 1.0:"
    )


def test_filters_by_grade_name_the_evaluation_by_its_function(project):
    with project.store() as store:
        good, bad = keep(store, "good"), keep(store, "bad")
        grade(store, "r1", GIT, [("c1", "candidate", good, True), ("c2", "candidate", bad, False)])
    said = project.run("list", "--evaluation", "test_writes_the_expected_command", "--grade", "failed")
    assert bad[:12] in said
    assert good[:12] not in said
    project.run("list", "--evaluation", "test_nothing", code=3)
    assert "no evaluation has the node id or ends with 'test_nothing'" in project.error
    assert GIT in project.error
    said = project.run("list", "--role", "nobody")
    assert said == "No completion meets these filters (2 are in the store).\n"


def test_show_says_everything_about_one_completion(project):
    request = asked("push", parameters={"temperature": 0}, metadata={"task": "git"})
    completion = answered(
        request,
        "on its way\x1b[2J",
        1763712000.0,
        tool_calls=(ToolCall("1", "push", '{"to": "origin"}'),),
        usage=Usage(1000, 100, 400),
        latency=0.25,
        served_id="chatcmpl-9",
        served_model="teacher-1-2026-01-01",
        attempts=2,
    )
    with project.store() as store:
        store.save_all([(request, completion, b"{}")])
        grade(store, "r1", GIT, [("c1", "teacher", request.key, False)])
        grade(store, "r2", TERMS, [("c9", "teacher", request.key, True)])
    said = project.run("show", request.key[:9])
    for part in (
        request.key,
        "2025-11-21 08:00:00 UTC",
        "teacher-1 on server s, served as teacher-1-2026-01-01",
        "chatcmpl-9",
        '{"temperature":0}',
        "task=git",
        "1,000 in the prompt (400 of them cached), 100 in the answer",
        "0.250 s at attempt 2",
        "$0.002400",  # 600 at $2, 400 at $1 and 100 at $8 a million
        "user: push",
        'push({"to": "origin"})',
        f"failed, score 0: {GIT}, case c1, role teacher, run r1",
        "exact_match failed: another text",
        f"passed, score 1: {TERMS}, case c9, role teacher, run r2",
    ):
        assert part in said
    assert "\x1b" not in said  # an answer does not steer the terminal
    assert said.index("run r2") < said.index("run r1")


def test_show_wants_a_key_that_is_there_and_the_only_one(project):
    with project.store() as store:
        keys = [keep(store, f"number {i}") for i in range(17)]
    twice = next(key[0] for key in keys if sum(other[0] == key[0] for other in keys) > 1)
    project.run("show", twice, code=3)
    assert "Several keys begin with" in project.error
    project.run("show", "0" * 64, code=3)
    assert "has no completion whose key begins with 0000" in project.error


def test_an_embedding_is_shown_by_its_text(project):
    from distilltest.records import Completion, Request

    request = Request("s", "http://x/v1", "vectors", ({"role": "user", "content": "a text"},), endpoint="embeddings")
    done = Completion(request.key, "s", "vectors", "[0.125]", "stop", created=1.0)
    with project.store() as store:
        store.save_all([(request, done, b"{}")])
    assert "a text" in project.run("list")
    assert "[0.125]" in project.run("show", request.key[:12])


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["list", "--limit", "0"], 2, "not a whole number from 1"),
        (["list", "--since", "yesterday"], 2, "write 2026-11-20"),
        (["list", "--since", "99999999999d"], 2, "write 2026-11-20"),
        (["list", "--metadata", "task"], 2, "write KEY=VALUE"),
        (["list", "--key", "xyz"], 2, "cannot begin a key"),
        (["list", "--after", "somewhere"], 3, "no place of the list"),
        (["list", "--grade", "good"], 2, "invalid choice"),
        (["show", "hello"], 2, "cannot begin a key"),
        (["list", "--root", "nowhere/at/all", "--key", "a" * 65], 2, "cannot begin a key"),
    ],
)
def test_a_wrong_command_line_is_told_in_a_sentence(project, arguments, code, words):
    project.run(*arguments, code=code)
    assert words in project.error


def test_a_store_of_a_newer_distilltest_is_left_alone(project):
    with project.store() as store:
        keep(store, "one")
        store._connection.execute("PRAGMA user_version = 99")
    before = (project.root / ".distilltest" / "store.sqlite3").read_bytes()
    for command in (["list"], ["delete", "--all", "--yes"], ["tag", "--all", "--set", "a=b"], ["export", "out.jsonl"]):
        project.run(*command, code=3)
        assert "was written by a newer distilltest" in project.error
        assert "nothing was changed" in project.error
    assert (project.root / ".distilltest" / "store.sqlite3").read_bytes() == before
