"""Changing labels, and deleting."""

import sys

import pytest
from store.stored import GIT, grade, keep

from distilltest.store import CompletionFilter


def labels(project):
    with project.store() as store:
        return [item.metadata for item in store.find_completions(oldest_first=True)]


def test_tag_changes_the_labels_of_a_selection_and_says_how_many(project):
    with project.store() as store:
        keep(store, "one", created=1.0, metadata={"task": "git"})
        keep(store, "two", created=2.0, metadata={"task": "git", "split": "test"})
        keep(store, "three", created=3.0)
    said = project.run("tag", "--metadata", "task=git", "--set", "split=train", "--remove", "task", "--dry-run")
    assert said == "2 of 2 completions would change, 0 had these labels already\n"
    assert labels(project)[0] == {"task": "git"}
    said = project.run("tag", "--metadata", "task=git", "--set", "split=train", "--remove", "task")
    assert said == "2 of 2 completions changed, 0 had these labels already\n"
    assert labels(project) == [{"split": "train"}, {"split": "train"}, {}]
    assert project.run("tag", "--all", "--set", "split=train").startswith("1 of 3 completions changed, 2 had")


def test_tag_keeps_to_the_limits_of_the_api_and_changes_nothing_beyond_them(project):
    with project.store() as store:
        keep(store, "one", created=1.0)
        keep(store, "two", created=2.0, metadata={f"label {i}": "x" for i in range(16)})
    project.run("tag", "--all", "--set", "more=y", code=3)
    assert "would have 17 labels; the API allows 16" in project.error
    assert labels(project)[0] == {}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["tag", "--all"], 3, "give --set KEY=VALUE or --remove KEY"),
        (["tag", "--set", "a=b"], 3, "say --all"),
        (["tag", "--all", "--set", "a=b", "--remove", "a"], 3, "both --set and --remove name this label"),
        (["tag", "--all", "--set", "a=" + "b" * 513], 2, "up to 512"),
        (["delete"], 3, "say --all"),
        (["delete", "--yes"], 3, "say --all"),
        (["delete", "--model", "teacher-1"], 3, "say --yes. Nothing was changed"),
    ],
)
def test_what_would_be_a_mistake_changes_nothing(project, arguments, code, words):
    with project.store() as store:
        keep(store, "one")
    project.run(*arguments, code=code)
    assert words in project.error
    assert labels(project) == [{}]


def test_delete_asks_with_the_count_and_goes_by_the_answer(project, monkeypatch):
    with project.store() as store:
        keep(store, "one", model="m1")
        keep(store, "two", model="m2")
    asked = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "")
    assert project.run("delete", "--model", "m1") == "Nothing was deleted.\n"
    assert asked[0].startswith("Delete 1 completion of ")
    assert len(labels(project)) == 2
    monkeypatch.setattr("builtins.input", lambda question: "y")
    assert project.run("delete", "--model", "m1") == "1 completion deleted, 1 are left\n"
    assert project.run("delete", "--model", "m1") == "0 completions deleted, 1 are left\n"


def test_what_was_deleted_is_gone_from_the_files_and_what_runs_recorded_stays(project):
    with project.store() as store:
        for i in range(300):
            keep(store, f"number {i}", "a very private answer " * 200, created=float(i))
        key = keep(store, "other", created=1000.0)
        grade(store, "r1", GIT, [("c1", "teacher", key, True)])
    assert project.run("delete", "--until", "1970-01-01T00:05", "--yes") == "300 completions deleted, 1 are left\n"
    for path in (project.root / ".distilltest").iterdir():
        assert b"private answer" not in path.read_bytes()
    project.run("delete", "--all", "--yes")
    with project.store() as store:
        assert store.find_evaluation("test_writes_the_expected_command") == GIT
        assert store.count_completions() == 0


def test_nothing_is_deleted_where_there_are_others_than_was_agreed_to(project):
    from distilltest.errors import StoreError

    with project.store() as store:
        keep(store, "one")
        keep(store, "two")
        with pytest.raises(StoreError, match="2 completions are selected now, 1 were"):
            store.delete_completions(CompletionFilter(), expected=1)
        assert store.count_completions() == 2
