"""The completions of a selection, their order, and paging."""

import pytest
from store.stored import GIT, TERMS, answered, grade, keep

from distilltest.errors import StoreError
from distilltest.records import Request, ToolCall
from distilltest.store import CompletionFilter, Cursor, Store


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "s.sqlite3") as opened:
        yield opened


def texts(store, *arguments, **options):
    found = store.find_completions(*arguments, **options)
    return [item.messages[-1]["content"] for item in found]


def test_every_condition_narrows_the_selection(store):
    keep(store, "one", "Ärger", 1.0, metadata={"task": "git", "split": "train"})
    keep(store, "two", "git push", 2.0, metadata={"task": "git"})
    keep(store, "three", "git push", 3.0, model="student", metadata={"task": "git"})
    key = keep(store, "four", "git pull", 4.0)
    assert texts(store) == ["four", "three", "two", "one"]
    assert texts(store, CompletionFilter(model="student")) == ["three"]
    assert texts(store, CompletionFilter(metadata={"task": "git", "split": "train"})) == ["one"]
    assert texts(store, CompletionFilter(since=2.0, until=4.0)) == ["three", "two"]
    assert texts(store, CompletionFilter(key=key[:10])) == ["four"]
    assert texts(store, CompletionFilter(text="GIT P")) == ["four", "three", "two"]
    assert texts(store, CompletionFilter(text="Ärger")) == ["one"]
    assert texts(store, CompletionFilter(text="FOUR")) == ["four"]
    assert texts(store, CompletionFilter(text="role")) == []  # the format of a request is no text of it
    assert texts(store, CompletionFilter(metadata={"task": "git"}, since=2.0, model="teacher-1")) == ["two"]
    assert store.count_completions(CompletionFilter(metadata={"task": "git"})) == 3
    assert texts(store, CompletionFilter(model="x' OR 1=1 --")) == []
    assert CompletionFilter().everything
    assert not CompletionFilter(passed=False).everything


def test_text_is_found_in_all_parts_of_requests_and_answers(store):
    parts = {"role": "user", "content": [{"type": "text", "text": "in a part"}]}
    calls = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"function": {"name": "f", "arguments": '"in a call"'}}],
    }
    request = Request("s", "http://x/v1", "m", (parts, calls))
    answer = answered(request, "", refusal="in a refusal", tool_calls=(ToolCall("1", "g", '"in its call"'),))
    store.save_all([(request, answer, b"{}")])
    for text in ("in a part", "in a call", "in a refusal", "in its call"):
        assert store.count_completions(CompletionFilter(text=text)) == 1, text
    assert store.count_completions(CompletionFilter(text="assistant")) == 0


def test_pages_contain_each_completion_once_with_equal_times_and_concurrent_changes(store):
    keys = [keep(store, f"number {i}", created=float(i // 4)) for i in range(23)]
    for oldest_first in (False, True):
        seen, after = [], None
        while page := store.find_completions(limit=5, after=after, oldest_first=oldest_first):
            seen += [item.completion.key for item in page]
            after = Cursor.parse(page[-1].cursor.text)
        assert len(seen) == 23
        assert set(seen) == set(keys)
    assert seen == [item.completion.key for item in store.each_completion()]
    first = store.find_completions(limit=5)
    keep(store, "newer than all", created=99.0)
    following = store.find_completions(limit=5, after=first[-1].cursor)
    assert not {item.completion.key for item in first} & {item.completion.key for item in following}
    assert "newer than all" not in [item.messages[-1]["content"] for item in following]


def test_grades_and_roles_come_from_the_latest_run_that_used_a_completion(store):
    good, bad, other = keep(store, "good"), keep(store, "bad", model="m2"), keep(store, "other")
    grade(store, "run-1", GIT, [("c1", "candidate", good, False), ("c2", "candidate", bad, False)])
    grade(store, "run-2", GIT, [("c1", "promoted", good, True)])
    grade(store, "run-2", TERMS, [("c1", "teacher", other, False)])
    assert texts(store, CompletionFilter(passed=True)) == ["good"]
    assert set(texts(store, CompletionFilter(passed=False))) == {"bad", "other"}
    assert texts(store, CompletionFilter(role="promoted")) == ["good"]
    assert texts(store, CompletionFilter(role="candidate")) == ["bad"]
    assert set(texts(store, CompletionFilter(evaluation=GIT))) == {"good", "bad"}
    assert texts(store, CompletionFilter(evaluation="test_defines", passed=False)) == ["other"]
    assert texts(store, CompletionFilter(evaluation="test_git.py::test_writes_the_expected_command", passed=True)) == [
        "good"
    ]
    assert texts(store, CompletionFilter(evaluation="defines")) == []  # the end of a name is no name
    assert texts(store, CompletionFilter(evaluation="test_defines", model="m2")) == []


def test_graded_completions_are_sorted_by_case_and_role_and_have_their_grades(store):
    first, second, old = keep(store, "first"), keep(store, "second"), keep(store, "old")
    grade(store, "run-1", GIT, [("c1", "candidate", old, True), ("c1", "teacher", first, False)])
    grade(store, "run-2", GIT, [("c2", "candidate", second, False), ("c1", "teacher", first, True)])
    found = list(store.find_graded(GIT))
    assert [(g.case_id, g.role, g.passed, g.score) for g in found] == [
        ("c1", "teacher", True, 1.0),
        ("c2", "candidate", False, 0.0),
    ]
    assert found[1].grades[0].reason == "another text"
    assert found[1].stored.messages == ({"role": "user", "content": "second"},)
    assert {g.run for g in found} == {"run-2"}
    assert [g.case_id for g in store.find_graded(GIT, role="teacher")] == ["c1"]
    ever = [(g.case_id, g.role, g.run) for g in store.find_graded(GIT, every_run=True)]
    assert ever == [("c1", "candidate", "run-1"), ("c1", "teacher", "run-2"), ("c2", "candidate", "run-2")]


def test_many_graded_completions_are_complete_over_several_pages(store):
    keys = [keep(store, f"number {i}") for i in range(1100)]
    for trial in (0, 1):
        grade(store, "run-1", GIT, [(f"c{i}", "teacher", key, True) for i, key in enumerate(keys)], trial)
    found = [(g.case_id, g.trial) for g in store.find_graded(GIT)]
    assert len(found) == len(set(found)) == 2200


def test_an_evaluation_is_found_by_a_unique_end(store):
    key = keep(store, "one")
    grade(store, "run-1", GIT, [("c1", "teacher", key, True)])
    grade(store, "run-1", "suites/other.py::test_writes_the_expected_command", [("c1", "teacher", key, True)])
    assert store.find_evaluation(GIT) == GIT
    assert store.find_evaluation("test_git.py::test_writes_the_expected_command") == GIT
    with pytest.raises(StoreError, match="2 evaluations end with"):
        store.find_evaluation("test_writes_the_expected_command")
    with pytest.raises(StoreError, match="no evaluation has the node id"):
        store.find_evaluation("test_nothing")
