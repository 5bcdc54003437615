"""A suite is more than its test file: what it imports, the conftest files above it, and the judges that it asks."""

import pytest
from plugin.test_judges import honest
from promotion.projects import GATE, SUITE

from distilltest.promotion import code

OWN = """\
from distilltest import better_than, evaluation, not_worse_than


@evaluation(dataset="cases.jsonl", prompt="prompt.yaml", gate={gate})
def test_numbers(case, completion, told):
    told()
"""
CONFTEST = """\
from distilltest import Grade, grader


@grader
def told(case, completion):
    from helpers.words import same

    right = same(completion.text, case.reference)
    return Grade("told", float(right), right, "told")
"""


def test_a_test_file_is_made_of_what_it_imports_and_of_the_conftest_files_above_it(tmp_path):
    files = {
        "suites/test_a.py": "import json, tools.deep\nfrom . import near\nfrom tools import more\ndef f():\n    import late\n",
        "suites/near.py": "from .further import x\n",
        "suites/further.py": "import near\n",
        "suites/late.py": "x = 1\n",
        "suites/test_b.py": "import unrelated\n",
        "suites/unrelated.py": "",
        "conftest.py": "import plugins_of_ours\n",
        "plugins_of_ours.py": "broken = (\n",
        "tools/__init__.py": "import numpy\n",
        "tools/deep.py": "from tools.deeper import *\n",
        "tools/deeper.py": "",
        "tools/more/__init__.py": "",
        "tools/other.py": "",
        ".venv/lib/site-packages/json.py": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = code.fingerprints("suites/test_a.py", tmp_path)
    assert {name for name, content in found.items() if content} == {
        *("suites/test_a.py", "suites/near.py", "suites/further.py", "suites/late.py"),
        *("conftest.py", "plugins_of_ours.py"),
        *("tools/__init__.py", "tools/deep.py", "tools/deeper.py", "tools/more/__init__.py"),
    }
    assert found["suites/conftest.py"] == ""
    assert code.changed_since(found, tmp_path) == []
    (tmp_path / "tools/deeper.py").write_text("x = 2\n")
    (tmp_path / "suites/conftest.py").write_text("")
    (tmp_path / "suites/late.py").unlink()
    assert code.changed_since(found, tmp_path) == ["suites/conftest.py", "suites/late.py", "tools/deeper.py"]


def test_our_own_package_is_no_part_of_a_suite(tmp_path):
    root = code._OURSELVES.parent
    found = code.fingerprints("suites/test_git_commands.py", root)
    assert found["suites/test_git_commands.py"]
    assert not [name for name in found if name.startswith("distilltest/")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("helpers/words.py", "def same(a, b):\n    return True\n"),
        ("suites/conftest.py", CONFTEST.replace('"told")', '"said")')),
        ("conftest.py", "collect_ignore = []\n"),
    ],
)
def test_a_run_with_other_code_proves_nothing(project, capsys, name, text):
    project.write("pytest.ini", "[pytest]\npythonpath = .\n")
    project.write("helpers/words.py", "def same(a, b):\n    return a.strip() == b.strip()\n")
    project.write("suites/conftest.py", CONFTEST)
    project.write("suites/test_numbers.py", OWN.format(gate=GATE))
    assert project.pytest() == 0
    before = (project.root / name).read_text() if (project.root / name).exists() else None
    project.write(name, text)
    assert project.run("promote") == 11
    assert f"is older than the suite: {name} has changed" in capsys.readouterr().out
    if before is not None:
        project.write(name, before)
        assert project.run("promote") == 0


JUDGED = SUITE.replace("exact_match(completion.text, case.reference)", "CALL").replace("exact_match", "criteria_match")


@pytest.fixture
def judged(project):
    project.server.scripted |= {"honest": honest, "other": honest}
    project.configure(more="judge: {server: local, model: honest}\n")
    project.write(
        "judge.yaml",
        'messages:\n  - {role: system, content: "Judge."}\n  - {role: user, content: "{{ item.answer }} {{ item.format }}"}\n',
    )
    call = 'criteria_match(completion.text, "It names a number.", prompt="judge.yaml")'
    project.write("suites/test_numbers.py", JUDGED.replace("CALL", call).format(gate=GATE))
    assert project.pytest() == 0
    yield project
    project.server.scripted.clear()


def test_another_judge_or_another_prompt_of_it_proves_nothing(judged, capsys):
    judged.configure(more="judge: {server: local, model: other}\n")
    assert judged.run("promote") == 11
    assert "is older than the suite: the judge 'judge' was honest and is other" in capsys.readouterr().out
    judged.configure()
    assert judged.run("promote") == 11
    assert "the judge 'judge' is no longer configured" in capsys.readouterr().out
    judged.configure(more="judge: {server: local, model: honest}\n")
    judged.write("judge.yaml", (judged.root / "judge.yaml").read_text().replace("Judge.", "Judge well."))
    assert judged.run("promote") == 11
    assert "the prompt judge.yaml of the judge 'judge' has changed" in capsys.readouterr().out


def test_a_judges_prompt_that_changed_after_the_promotion_is_a_remark(judged, capsys):
    assert judged.run("promote") == 0
    judged.write("judge.yaml", (judged.root / "judge.yaml").read_text().replace("Judge.", "Judge well."))
    assert judged.run("promotions", "verify") == 0
    assert "remark: the prompt judge.yaml of the judge 'judge' has changed since" in capsys.readouterr().out
