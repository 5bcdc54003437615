"""The role ``promoted``: what the newest entry puts into production, asked as it was when it was proved."""

from dataclasses import replace
from datetime import datetime

import pytest
import yaml
from promotion.projects import SUITE
from promotion.test_history import entry

from distilltest import better_than, decide, not_worse_than
from distilltest.config import load_config
from distilltest.errors import ConfigError, PromotionsError
from distilltest.gate import Status
from distilltest.gate.table import ResultsTable
from distilltest.promotion.entry import PromotedModel
from distilltest.promotion.history import History
from distilltest.promotion.role import promoted_at, with_promoted
from distilltest.store import Attempt, Store

RULES = [better_than("base"), not_worse_than("promoted", margin=0.02)]


def table(vacant):
    values = {"base": [0.0] * 40, "candidate": [1.0] * 40}
    return ResultsTable(tuple(map(str, range(40))), values, vacant=vacant)


def test_a_rule_about_a_vacant_role_does_not_apply_and_says_so_in_a_line():
    verdict = decide(RULES, table(("promoted",)))
    assert verdict.status is Status.PROMOTE
    assert verdict.rules[1].status is Status.NOT_APPLICABLE
    assert verdict.sentence.startswith("promote: better than base by ")
    assert verdict.sentence.endswith(
        "(nothing is promoted yet; the rule 'not worse than promoted by 2 points' holds from the first promotion on)"
    )


def test_a_missing_role_that_is_not_vacant_stays_incomplete():
    assert decide(RULES, table(())).status is Status.INCOMPLETE
    assert decide(RULES, base=[0] * 40, candidate=[1] * 40).status is Status.INCOMPLETE


def test_a_gate_in_which_no_rule_applies_proves_nothing():
    verdict = decide(RULES[1:], table(("promoted",)))
    assert verdict.status is Status.INCOMPLETE
    assert "no rule applies" in verdict.sentence


def test_the_newest_entry_plays_the_role_unless_one_is_configured(tmp_path):
    (tmp_path / "distilltest.yaml").write_text(
        "servers: {local: {base_url: 'http://127.0.0.1:9/v1'}}\nmodels: {base: {server: local, model: base}}\n"
    )
    config = load_config(tmp_path)
    assert with_promoted(config) is config
    model = PromotedModel("ft:x", "local", {"seed": 1}, "short.yaml", "long.yaml")
    History.load(tmp_path).append(entry(1, model=model))
    plays = with_promoted(config).models["promoted"]
    assert (plays.model, plays.base_url, plays.parameters) == ("ft:x", "http://127.0.0.1:9/v1", {"seed": 1})
    assert (plays.prompt, plays.prompt_instead_of) == ("short.yaml", "long.yaml")
    own = config.with_model("promoted", "mine")
    assert with_promoted(own) is own


def test_an_edited_history_plays_no_role_and_an_unknown_server_is_named(tmp_path):
    (tmp_path / "distilltest.yaml").write_text("models: {base: {server: embedded, model: embedded-student}}\n")
    History.load(tmp_path).append(entry())
    with pytest.raises(ConfigError, match="'local', which is not configured"):
        with_promoted(load_config(tmp_path))
    path = tmp_path / "promotions.yaml"
    path.write_text(path.read_text().replace("id: model-1", "id: evil"))
    with pytest.raises(PromotionsError, match="entry 1 was edited"):
        with_promoted(load_config(tmp_path))


def test_from_the_first_promotion_on_the_rule_holds_and_the_promoted_model_keeps_its_prompt(project, server, capsys):
    """The tuned model has a short prompt of its own: once promoted it is asked with it, and from the store."""
    asked: list[tuple[str, str]] = []

    def tuned(name):
        def answer(body):
            from plugin.answering_server import chat_answer

            said = body["messages"][-1]["content"]
            asked.append((name, said))
            number = int(said.rpartition(" ")[2])
            return 200, chat_answer(name, f"answer {number}" if name == "tuned-1" or number % 2 else "no idea")

        return answer

    server.scripted |= {"tuned-1": tuned("tuned-1"), "tuned-2": tuned("tuned-2")}
    try:
        gate = '[better_than("base"), not_worse_than("promoted", margin=0.05)]'
        project.write("suites/test_numbers.py", SUITE.format(gate=gate))
        project.configure("tuned-1", own=", prompt: short.yaml")
        assert project.pytest() == 0
        assert project.run("promote") == 0
        assert "nothing is promoted yet" in capsys.readouterr().out
        (first,) = yaml.safe_load(project.promotions.read_text())
        assert first["model"]["prompt"] == "short.yaml"
        assert first["evaluations"][0]["rules"][1]["status"] == "not applicable"
        project.pytest()  # compared with itself: no new evidence, whatever it says
        assert project.run("promote") == 0
        assert "already promoted" in capsys.readouterr().out
        assert len(yaml.safe_load(project.promotions.read_text())) == 1
        assert project.run("promotions", "verify") == 0
        project.configure("tuned-2")
        assert project.pytest() == 1
        assert project.run("promote") == 1
        said = capsys.readouterr().out
        assert "worse than promoted" in said
    finally:
        del server.scripted["tuned-1"], server.scripted["tuned-2"]
    first = [said for name, said in asked if name == "tuned-1"]
    assert len(first) == 60
    assert all(said.startswith("short: number ") for said in first)


def test_a_preference_to_what_is_not_there_yet_asks_no_judge(project, server):
    project.configure("new", more="judge: {server: local, model: judge}\n")
    gate = '[better_than("base"), preferred_to("promoted")]'
    suite = (
        SUITE.format(gate=gate)
        .replace("not_worse_than", "preferred_to")
        .replace("exact_match)", "exact_match, preference)")
    )
    project.write("suites/test_numbers.py", suite + '    preference("promoted")\n')
    assert project.pytest() == 0
    assert not [model for model, _ in server.calls if model == "judge"]


def test_what_was_judged_in_the_second_of_a_promotion_was_judged_before_it(tmp_path):
    with Store.open(tmp_path / "s.sqlite3") as store:
        first, second = (Attempt("data", "suite", model, "prompt", model) for model in ("m1", "m2"))
        promoted = entry()
        judged = datetime.fromisoformat(promoted.when).timestamp() + 0.9
        store.record_attempt(first, at=judged)
        History.load(tmp_path).append(replace(promoted, previous=None))
        assert store.turn(second, since=promoted_at(tmp_path)).number == 1
