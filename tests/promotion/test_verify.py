"""``distilltest promotions verify``: edits are found, whoever makes them and however well."""

import hashlib
import json
import shutil

import pytest
import yaml

from distilltest.exit_codes import REFUSED
from distilltest.promotion.entry import digest


def verify(project, capsys):
    capsys.readouterr()
    code = project.run("promotions", "verify")
    return code, capsys.readouterr().out


def kept(project):
    return project.root / "reports/promoted/1-candidate/report.json"


def forge(project, change):
    """Change a report and the entry, and make all hashes right again: a careful forger."""
    content = json.loads(kept(project).read_text())
    (entry,) = yaml.safe_load(project.promotions.read_text())
    change(content["evaluations"][0], entry["evaluations"][0])
    data = json.dumps(content).encode()
    kept(project).write_bytes(data)
    entry["report"]["json_sha256"] = hashlib.sha256(data).hexdigest()
    project.promotions.write_text(yaml.safe_dump([entry | {"hash": digest(entry)}], sort_keys=False))


def test_an_untouched_history_is_recomputed_from_the_store_or_without_it_from_the_report(promoted, capsys):
    code, said = verify(promoted, capsys)
    assert code == 0
    assert "promote, recomputed from 180 outcomes in the store" in said
    assert "entries: 1, edits: 0" in said
    shutil.rmtree(promoted.root / ".distilltest")
    code, said = verify(promoted, capsys)
    assert code == 0
    assert "2 of 2 rules recomputed from the report's numbers (the store does not have its run)" in said


def test_what_has_changed_since_is_a_remark_and_no_edit(promoted, capsys):
    promoted.cases(61)
    promoted.write("prompt.yaml", 'messages:\n  - {role: user, content: "Now: {{ item.question }}"}\n')
    code, said = verify(promoted, capsys)
    assert code == 0
    assert "remark: the dataset cases.jsonl has changed since" in said
    assert "remark: the prompt prompt.yaml of candidate has changed since" in said
    assert "rules recomputed from the report's numbers (the suite has changed since)" in said


@pytest.mark.parametrize("name", ["report.json", "report.md"])
def test_an_edited_or_missing_report_shows(promoted, capsys, name):
    path = kept(promoted).with_name(name)
    path.write_text(path.read_text().replace("candidate", "Candidate", 1))
    code, said = verify(promoted, capsys)
    assert code == REFUSED
    assert f"EDITED: promotions.yaml:4: entry 1: reports/promoted/1-candidate/{name} was edited" in said
    path.unlink()
    code, said = verify(promoted, capsys)
    assert code == REFUSED
    assert f"{name} is missing" in said


def test_a_report_that_is_no_report_shows(promoted, capsys):
    kept(promoted).write_text("{}")
    code, said = verify(promoted, capsys)
    assert code == REFUSED
    assert "report.json is not a report" in said


def test_an_edited_entry_shows_and_nothing_is_promoted_on_top_of_it(promoted, capsys):
    promoted.promotions.write_text(promoted.promotions.read_text().replace("lost: 1", "lost: 0"))
    code, said = verify(promoted, capsys)
    assert code == REFUSED
    assert "promotions.yaml:4: entry 1 was edited" in said
    assert "rules.2.lost is 0, in the kept report 1" in said
    assert "the store's 180 outcomes make it" in said
    assert promoted.run("promote", "better") == 3
    assert "entry 1 was edited" in capsys.readouterr().err


def lose_less(report, proof):
    for rule in (report["verdict"]["rules"][1], proof["rules"][1]):
        rule["losses" if "losses" in rule else "lost"] = 0


def turn_round(report, proof):
    """A blocked rule becomes a proved one, but for its counts."""
    for rule in (report["verdict"]["rules"][1], proof["rules"][1]):
        rule["losses" if "losses" in rule else "lost"] = 20
        rule["estimate"] = 0.0


@pytest.mark.parametrize("change", [lose_less, turn_round])
@pytest.mark.parametrize("store", [True, False])
def test_forged_numbers_with_right_hashes_show(promoted, capsys, change, store):
    forge(promoted, change)
    if not store:
        shutil.rmtree(promoted.root / ".distilltest")
    code, said = verify(promoted, capsys)
    assert code == REFUSED
    words = (
        "outcomes make it" if store else "are not its difference" if change is turn_round else "its numbers make p ="
    )
    assert words in said


def test_numbers_that_fit_each_other_and_not_the_store_show(promoted, capsys):
    def consistent(report, proof):
        from distilltest.statistics import exact_unconditional

        p = exact_unconditional.p_value(0, 0, 60, 0.1)
        for rule in (report["verdict"]["rules"][1], proof["rules"][1]):
            rule["losses" if "losses" in rule else "lost"] = 0
            rule["wins" if "wins" in rule else "won"] = 0
            rule |= {"estimate": 0.0, "p": float(f"{p:.6g}")}

    forge(promoted, consistent)
    code, said = verify(promoted, capsys)
    assert code == REFUSED
    assert "the store's 180 outcomes make it" in said


def test_an_entry_that_names_another_model_than_its_report_shows(promoted, capsys):
    (entry,) = yaml.safe_load(promoted.promotions.read_text())
    entry["model"]["id"] = "evil"
    promoted.promotions.write_text(yaml.safe_dump([entry | {"hash": digest(entry)}], sort_keys=False))
    code, said = verify(promoted, capsys)
    assert code == REFUSED
    assert "it puts evil into production, and the evaluations are of candidate" in said


def test_a_report_without_an_entry_is_remarked_on(promoted, capsys):
    text = promoted.promotions.read_text()
    promoted.promotions.write_text(text[: text.index("- number")])
    code, said = verify(promoted, capsys)
    assert code == 0
    assert "remark: reports/promoted/1-candidate belongs to no entry" in said


def test_an_override_of_a_grader_that_cannot_fail_is_no_edit(project, capsys):
    """What the test function makes of answers that say nothing is not in the store."""
    suite = project.root / "suites/test_numbers.py"
    suite.write_text(
        suite.read_text()
        .replace("exact_match(completion.text, case.reference)", "assert completion.text or True")
        .replace('better_than("base"), ', "")
        .replace("margin=0.1", "margin=0.5")
    )
    project.configure("new")
    assert project.pytest() == 11
    assert project.run("promote", "--override", "we look at the grader tomorrow") == 0
    code, said = verify(project, capsys)
    assert code == 0, said
    assert "incomplete, recomputed from" in said
