"""``distilltest promotions rollback``: an earlier promotion goes back into production, by a new entry."""

import subprocess

import pytest
from plugin.answering_server import AnsweringServer
from promotion.test_history import entry

from distilltest.cli import main
from distilltest.promotion.entry import Override, PromotedModel
from distilltest.promotion.history import History


@pytest.fixture
def root(tmp_path):
    """Three promotions of three models."""
    with AnsweringServer() as server:
        (tmp_path / "distilltest.yaml").write_text(
            f"servers: {{local: {{base_url: '{server.base_url}'}}}}\nmodels: {{base: {{server: local, model: base}}}}\n"
        )
        for command in (["init", "-q"], ["config", "user.name", "Ada"], ["config", "user.email", "ada@example.org"]):
            subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
        before = None
        for number in (1, 2, 3):
            made = entry(number, previous=before, model=PromotedModel(f"model-{number}", "local"))
            before = History.load(tmp_path).append(made).hash
        yield tmp_path


def back(root, *arguments):
    return main(["promotions", "rollback", *arguments, "--offline", "--root", str(root)])


def production(root):
    found = History.load(root)
    assert found.problems() == []
    return found.production


def test_the_promotion_before_is_the_default_and_going_back_twice_goes_on(root, capsys):
    before = (root / "promotions.yaml").read_bytes()
    assert back(root, "--reason", "complaints") == 0
    now = production(root)
    assert (now.number, now.action, now.restores, now.reason) == (4, "roll back", 2, "complaints")
    assert now.model.id == "model-2"
    assert now.who.name == "Ada"
    assert (root / "promotions.yaml").read_bytes().startswith(before)
    assert back(root, "--reason", "worse") == 0
    assert production(root).model.id == "model-1"
    assert back(root, "--reason", "even worse") == 3
    assert "nothing was promoted to go back to" in capsys.readouterr().err
    assert main(["promotions", "list", "--root", str(root)]) == 0
    said = capsys.readouterr().out
    assert "back to 2: complaints" in said
    assert next(line for line in said.splitlines() if "in production" in line).startswith("5 ")


def test_an_override_is_shown_after_a_way_back_too(root, capsys):
    before = production(root).hash
    made = entry(4, previous=before, model=PromotedModel("x", "local"), override=Override("we must", ("it blocks",)))
    before = History.load(root).append(made).hash
    History.load(root).append(entry(5, previous=before, model=PromotedModel("y", "local")))
    assert back(root, "--reason", "y is worse") == 0
    assert production(root).override == Override("we must", ("it blocks",))
    assert main(["promotions", "list", "--root", str(root)]) == 0
    assert "back to 4: y is worse (OVERRIDE: we must)" in capsys.readouterr().out


def test_a_number_names_the_promotion_forwards_too(root, capsys):
    assert back(root, "1", "--reason", "x") == 0
    assert back(root, "3", "--reason", "mended") == 0
    assert production(root).model.id == "model-3"
    assert back(root, "4", "--reason", "the way back counts as what it went back to") == 0
    assert production(root).source == 1
    assert back(root, "1", "--reason", "x") == 3
    assert "is in production already" in capsys.readouterr().err
    assert back(root, "9", "--reason", "x") == 3
    assert "there is no entry 9; there are 1 to 6" in capsys.readouterr().err


def test_without_a_reason_nothing_is_written(root, capsys):
    with pytest.raises(SystemExit) as caught:
        back(root)
    assert caught.value.code == 2
    assert back(root, "--reason", " ") == 3
    assert production(root).number == 3


def test_an_edited_history_is_not_gone_back_in(root, capsys):
    path = root / "promotions.yaml"
    path.write_text(path.read_text().replace("id: model-1", "id: evil"))
    assert back(root, "--reason", "x") == 3
    assert "entry 1 was edited" in capsys.readouterr().err


def test_with_nothing_promoted_each_command_says_so(tmp_path, capsys):
    assert main(["promotions", "list", "--root", str(tmp_path)]) == 0
    assert "Nothing is promoted yet" in capsys.readouterr().out
    assert main(["promotions", "show", "--root", str(tmp_path)]) == 3
    assert back(tmp_path, "--reason", "x") == 3
    assert "nothing is promoted yet" in capsys.readouterr().err


def test_show_prints_one_entry(root, capsys):
    assert main(["promotions", "show", "2", "--root", str(root)]) == 0
    said = capsys.readouterr().out
    assert "number: 2" in said
    assert "id: model-2" in said
