"""``promotions.yaml``: what is appended, what is refused, what shows."""

import re
from dataclasses import replace

import pytest

from distilltest.errors import PromotionsError
from distilltest.promotion.entry import Entry, KeptReport, Override, PromotedModel, Proof, Who
from distilltest.promotion.history import History

SHA = "0" * 64
PROOF = Proof(
    id="suites/test_a.py::test_a",
    run="20261121-093000-1f3a",
    verdict="promote",
    sentence="promote: better than base — „gut“: yes\n2nd line",
    dataset={"path": "cases.jsonl", "fingerprint": SHA, "cases": 60},
    alpha=0.05,
    rules=(
        {"rule": "better than base", "status": "promote", "test": "exact", "estimate": 1e-05, "low": -0.0, "high": 1.0}
        | {"limit": None, "p": 1.5e-12, "cases": 60, "won": 3, "lost": 0},
    ),
    roles={"candidate": {"model": "m", "rate": 0.5, "cases": 60, "prompt": "p.yaml", "prompt_fingerprint": SHA}},
    judges=(),
)


def entry(number=1, **changes):
    made = Entry(
        number=number,
        action="promote",
        when="2026-11-21T09:30:00+00:00",
        who=Who("Ada", "ada@example.org"),
        commit=None,
        model=PromotedModel(f"model-{number}", "local", {"temperature": 0, "stop": ["yes", "1e3"]}),
        evaluations=(PROOF,),
        costs={"candidate": {"prompt_tokens": 1, "completion_tokens": 2, "usd": 1e-07}},
        report=KeptReport(f"reports/promoted/{number}-m", SHA, SHA),
    )
    return replace(made, **changes)


@pytest.fixture
def three(tmp_path):
    """A file with a promotion, an overridden one and a way back."""
    before = None
    for number, changes in enumerate(
        (
            {},
            {"override": Override("we must", ("it blocks",))},
            {"action": "roll back", "restores": 1, "reason": "bad"},
        ),
        1,
    ):
        before = History.load(tmp_path).append(entry(number, previous=before, **changes)).hash
    return tmp_path


def test_what_is_written_is_read_again_as_it_was(three):
    history = History.load(three)
    assert history.problems() == []
    first, second, third = (each.entry for each in history.entries)
    assert replace(first, hash="") == entry(1)
    assert second.override == Override("we must", ("it blocks",))
    assert (third.source, first.source) == (1, 1)
    assert history.production == third
    assert [each.line for each in history.entries] == [
        number
        for number, line in enumerate((three / "promotions.yaml").read_text().splitlines(), 1)
        if line.startswith("- number")
    ]


def test_without_a_file_nothing_is_promoted(tmp_path):
    history = History.load(tmp_path)
    assert history.production is None
    with pytest.raises(PromotionsError, match="nothing is promoted yet"):
        history.find(None)


def test_comments_and_bytes_that_are_there_stay(three):
    path = three / "promotions.yaml"
    path.write_text(path.read_text() + "# looked at by Grace")
    before = path.read_bytes()
    history = History.load(three)
    history.append(entry(4, previous=history.production.hash))
    assert path.read_bytes().startswith(before + b"\n")
    assert History.load(three).problems() == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("cases: 60", "cases: 61", "entry 1 was edited"),
        ("  commit: null", "  commit: abc", "entry 1 was edited"),
        ("name: Ada", "name: Eve", "entry 1 was edited"),
        ("reason: we must", "reason: all is well", "entry 2 was edited"),
        ("restores: 1", "restores: 2", "entry 3 was edited"),
        ("- number: 2", "- number: 7", "entry 7 stands in place 2"),
    ],
)
def test_an_edit_of_anything_shows_with_its_line(three, old, new, words):
    path = three / "promotions.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    history = History.load(three)
    assert any(words in problem and re.match(r"promotions\.yaml:\d+: ", problem) for problem in history.problems())
    with pytest.raises(PromotionsError, match="git checkout"):
        history.refuse_edits()


def test_an_entry_that_was_taken_out_shows(three):
    path = three / "promotions.yaml"
    head, one, two, last = re.split(r"(?m)^(?=- number)", path.read_text())
    path.write_text(head + one + last)
    assert any("an entry was removed" in problem for problem in History.load(three).problems())
    path.write_text(head + two + last)
    assert any("does not follow" in problem for problem in History.load(three).problems())
    path.write_text(head + two + one + last)
    assert History.load(three).problems()


def test_an_edit_with_a_new_hash_breaks_the_chain(three):
    from distilltest.promotion.entry import digest

    path = three / "promotions.yaml"
    history = History.load(three)
    first = dict(history.entries[0].content)
    changed = first | {"commit": "abc"}
    text = (
        path.read_text()
        .replace("commit: null", "commit: abc", 1)
        .replace(f"hash: {first['hash']}", f"hash: {digest(changed)}")
    )
    path.write_text(text)
    problems = History.load(three).problems()
    assert len(problems) == 1
    assert "entry 2 does not follow the entry before it" in problems[0]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("- number: [1\n", 2, "not YAML"),
        ("number: 1\n", 1, "promotions are a list of entries"),
        ("- hello\n", 1, "entry.1: 'hello' is not of type 'object'"),
        ("- number: 1\n", 1, "is a required property"),
        ("- number: 1\n  number: 2\n", 2, "'number' is there twice"),
        ("\x00", None, "not YAML"),
    ],
)
def test_nonsense_is_named_with_its_line(tmp_path, text, line, words):
    (tmp_path / "promotions.yaml").write_text(text)
    with pytest.raises(PromotionsError) as caught:
        History.load(tmp_path)
    assert words in str(caught.value)
    if line:
        assert f"promotions.yaml:{line}: " in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("number: 2", "number: two", "entry.2.number: 'two' is not of type 'integer'"),
        ("  commit: null", "  comit: null", "Additional properties are not allowed ('comit' was unexpected)"),
        ("  who:\n    name: Ada", "  who: Ada\n  x:\n    name: Ada", "'x' was unexpected"),
        ("id: model-3", "id: ''", "entry.3.model.id"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(three, old, new, words):
    path = three / "promotions.yaml"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(PromotionsError) as caught:
        History.load(three)
    assert words in str(caught.value)
    assert re.search(r"promotions\.yaml:\d+: ", str(caught.value))
