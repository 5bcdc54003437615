"""Cases that the candidate was trained on make an evaluation incomplete, unless they are left out."""

import hashlib
import json

import pytest

from distilltest.store import Store, state_keys


@pytest.fixture
def trained(project):
    """A candidate that was trained on the first ten cases (and on others), as this store knows."""
    questions = [f"Number {i}!" for i in range(10)] + [f"something else, {i} times" for i in range(10)]
    lines = [
        json.dumps({"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "so"}]})
        for text in questions
    ]
    path = project.write("supervised.jsonl", "\n".join(lines) + "\n")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    with Store.open(project.root / ".distilltest/store.sqlite3") as store:
        store.set_state(state_keys.CANDIDATE, {"model": "candidate", "training_file": str(path), "sha256": sha256})
    return project


def test_leaked_cases_make_the_evaluation_incomplete(trained):
    result = trained.run()
    assert result.ret == 11
    assert "the candidate was trained on 10 of 120 cases (q-0, q-1, q-2, q-3, q-4, …)" in result.stdout.str()


def test_without_them_the_rest_decides(trained):
    result = trained.run("--without-leaked")
    assert result.ret == 0
    out = result.stdout.str()
    assert "110 of 120 cases" in out
    assert "10 cases were left out, because the candidate was trained on them" in out


def test_another_candidate_is_not_accused(trained):
    trained.server.knows["other"] = lambda n: True
    assert trained.run("--candidate", "other").ret == 0


def test_a_training_file_that_has_changed_proves_nothing(trained):
    trained.write("supervised.jsonl", "{}\n")
    result = trained.run()
    assert result.ret == 0
    assert "is gone or has changed" in result.stdout.str()
