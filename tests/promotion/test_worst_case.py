"""Promotions of candidates with cases that can never be answered: recomputed from the store, or from the report."""

import shutil

import pytest
from plugin.answering_server import chat_answer

TOO_LONG = 400, {"error": {"message": "This is too long.", "code": "context_length_exceeded"}}


@pytest.fixture
def silent(project):
    """Runs a candidate that cannot answer some cases, and is right on all others."""

    def run(cases):
        project.server.special["silent"] = lambda model, number: (
            TOO_LONG if number in cases else (200, chat_answer(model, f"answer {number}"))
        )
        project.configure("silent", more="gate: {attempts: 1}\n")
        return project.pytest()

    yield project, run
    del project.server.special["silent"]


def verified(project, capsys):
    capsys.readouterr()
    code = project.run("promotions", "verify")
    return code, capsys.readouterr().out


def test_what_holds_in_the_worst_case_is_promoted_and_verified_with_and_without_the_store(silent, capsys):
    project, run = silent
    assert run({7}) == 0
    assert project.run("promote") == 0
    assert "1 of 60 cases has no answer of the candidate" in " ".join(project.promotions.read_text().split())
    code, said = verified(project, capsys)
    assert code == 0
    assert "promote, recomputed from 180 outcomes in the store" in said
    shutil.rmtree(project.root / ".distilltest")
    code, said = verified(project, capsys)
    assert code == 0
    assert "2 of 2 rules recomputed from the report's numbers" in said


def test_what_depends_on_them_is_not_promoted_and_nobody_is_told_to_run_again(silent, capsys):
    project, run = silent
    assert run(range(7)) == 11
    capsys.readouterr()
    assert project.run("promote") == 11
    said = " ".join(capsys.readouterr().out.split())
    assert "7 of 60 cases have no answer of the candidate and never will" in said
    assert "The sentence names the cases that need a change" in said
    assert "only what is missing is asked" not in said


def test_an_override_of_it_is_verified_as_what_it_was(silent, capsys):
    project, run = silent
    assert run(range(7)) == 11
    assert project.run("promote", "--override", "these seven are retired next week") == 0
    for _ in range(2):
        code, said = verified(project, capsys)
        assert code == 0, said
        shutil.rmtree(project.root / ".distilltest", ignore_errors=True)
