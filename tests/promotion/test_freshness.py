"""Whatever a run was about: if it changes, the run proves nothing, and ``distilltest distill`` does not repeat its verdict."""

import importlib.util
import json
import shutil
from types import SimpleNamespace

import pytest
from plugin.test_judges import honest
from promotion.projects import Project

from distilltest.config import load_config
from distilltest.data.whole_files import file_fingerprint
from distilltest.evaluations.declaration import ATTRIBUTE
from distilltest.promotion import evidence, freshness, suite_plugin
from distilltest.pytest_plugin.session import Options, Session
from distilltest.store import Store, state_keys

SUITE = """\
import glob
import json
from pathlib import Path

import pytest
from distilltest import at_least, better_than, costs_at_most, evaluation, not_worse_than
from helpers.words import same

LIMITS = json.loads(Path(__file__).with_name("limits.json").read_text())


@pytest.fixture(scope="session")
def banned():
    (path,) = glob.glob("lists/ban*.txt")
    return open(path).read().split()


@evaluation(
    dataset="cases.jsonl",
    prompt="prompt.yaml",
    prompts={"candidate": "short.yaml"},
    labels="labels.jsonl",
    gate=[better_than("base"), not_worse_than("teacher", margin=0.1), costs_at_most(0.9, of="teacher")],
)
def test_numbers(case, completion, json_schema, criteria_match, own, banned):
    assert same(completion.text, case.reference)
    assert len(completion.text) < LIMITS["longest"] and completion.text not in banned
    own()
    json_schema(json.dumps(completion.text), "-".join(["answer", "schema.json"]))
    criteria_match(completion.text, "It names a number.", prompt="judge.yaml")
"""
CONFTEST = """\
from distilltest import Grade, grader


@grader
def own(case, completion):
    return Grade("own", 1.0, True, "told")
"""
CONFIG = """\
servers:
  local: {{base_url: '{url}', timeout: 600}}
models:
  base: {{server: local, model: base}}
  teacher: {{server: local, model: teacher}}
  candidate: {{server: local, model: candidate, temperature: 0}}
judge: {{server: local, model: honest, temperature: 0}}
embeddings: {{server: local, model: vectors}}
prices: prices.yaml
gate: {{alpha: 0.04}}
"""
NODE = "suites/test_numbers.py::test_numbers"
FILES = {
    "suites/test_numbers.py": SUITE,
    "suites/conftest.py": CONFTEST,
    "suites/limits.json": '{"longest": 100}',
    "helpers/words.py": "def same(a, b):\n    return a == b\n",
    "lists/banned.txt": "forbidden\n",
    "answer-schema.json": '{"type": "string"}',
    "labels.jsonl": "".join(
        json.dumps(
            {"id": f"l-{i}-{right}", "case": f"q-{i}", "answer": f"answer {i}" if right else "no idea", "passed": right}
        )
        + "\n"
        for i in range(60)
        for right in (True, False)
    ),
    "judge.yaml": 'messages:\n  - {role: system, content: "Judge."}\n'
    '  - {role: user, content: "{{ item.answer }} {{ item.format }}"}\n',
    "prices.yaml": "".join(
        f"{m}: {{input: {p}, output: {p}}}\n" for m, p in (("base", 1), ("teacher", 5), ("candidate", 1))
    ),
    "pytest.ini": "[pytest]\npythonpath = .\n",
    ".distilltest/training/supervised.jsonl": '{"messages": [{"role": "user", "content": "something else"}, '
    '{"role": "assistant", "content": "x"}]}\n',
}


@pytest.fixture(scope="module")
def ran(server, tmp_path_factory):
    """A project whose run says promote; everything in it but what runs write is what the run was about."""
    server.scripted["honest"] = honest
    project = Project(tmp_path_factory.mktemp("fresh"), server)
    project.make()
    for name, text in FILES.items():
        project.write(name, text)
    project.write("distilltest.yaml", CONFIG.format(url=server.base_url))
    training = project.root / ".distilltest/training/supervised.jsonl"
    with Store.open(project.root / ".distilltest/store.sqlite3") as store:
        store.set_state(
            state_keys.TRAINED.of("candidate"),
            {"model": "candidate", "training_file": str(training), "sha256": file_fingerprint(training)},
        )
    assert project.pytest() == 0
    yield project
    server.scripted.clear()


@pytest.fixture
def changed(ran, tmp_path, monkeypatch):
    """A copy at the same place as far as the store knows, and a way to ask what has changed; nothing is collected by pytest."""
    saved = tmp_path / "saved"
    shutil.copytree(ran.root, saved)
    monkeypatch.syspath_prepend(str(ran.root))
    monkeypatch.chdir(ran.root)
    yield lambda: why(ran)
    shutil.rmtree(ran.root)
    shutil.copytree(saved, ran.root)


def why(project):
    """What promotion says, and what the loop says."""
    session = Session(project.root, Options(), command="")
    plugin = SimpleNamespace(start=lambda: session)
    now = suite_plugin._declared(plugin, NODE, declared(project))
    config, store = load_config(project.root), session.store
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(freshness, "collect_suite", lambda *_: {NODE: now})
        patch.setattr(evidence, "collect_suite", lambda *_: {NODE: now})
        said = freshness.why_again(config, store, store.runs()[0].id, "suites", "candidate")
        (found,) = evidence.gather(session.config, store, "candidate", None).evidence
    session.close()
    assert bool(said) == (found.status != "promote"), (said, found)
    assert all(each in found.sentence for each in said), (said, found)
    return said


def declared(project):
    """The evaluation as its file declares it now; the file's helpers are not imported anew, because nothing is graded."""
    path = project.root / "suites/test_numbers.py"
    spec = importlib.util.spec_from_loader("suite_now", loader=None)
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    exec(compile(path.read_text(), str(path), "exec"), module.__dict__)
    return vars(module.test_numbers)[ATTRIBUTE]


def edit(project, name, old, new):
    path = project.root / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_nothing_has_changed_where_nothing_has(changed):
    assert changed() == []


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("cases.jsonl", "answer 7", "answer seven", "the dataset cases.jsonl has changed"),
        ("prompt.yaml", "{{ item.question }}", "Please: {{ item.question }}", "the prompt of base (prompt.yaml)"),
        ("short.yaml", "short:", "brief:", "the prompt of candidate (short.yaml) has changed"),
        ("suites/test_numbers.py", "assert same", "assert True or same", "suites/test_numbers.py has changed"),
        ("suites/test_numbers.py", "margin=0.1", "margin=0.2", "the gate was ["),
        ("suites/conftest.py", "1.0, True", "0.5, True", "suites/conftest.py has changed"),
        ("helpers/words.py", "a == b", "a.strip() == b", "helpers/words.py has changed"),
        ("suites/limits.json", "100", "101", "suites/limits.json has changed"),
        ("lists/banned.txt", "forbidden", "answer", "lists/banned.txt has changed"),
        ("answer-schema.json", "string", "object", "answer-schema.json has changed"),
        ("labels.jsonl", '"answer 7", "passed": true', '"answer 7", "passed": false', "labels.jsonl has changed"),
        ("judge.yaml", "Judge.", "Judge well.", "the prompt judge.yaml of the judge 'judge' has changed"),
        ("prices.yaml", "input: 5", "input: 9", "the price list has changed"),
        (".distilltest/training/supervised.jsonl", "something", "anything", "the training file supervised.jsonl has"),
        ("distilltest.yaml", "model: teacher", "model: better", "teacher was teacher on local and is better on local"),
        (
            "distilltest.yaml",
            "candidate, temperature: 0",
            "candidate, temperature: 1",
            "the parameters of candidate were",
        ),
        ("distilltest.yaml", "127.0.0.1", "localhost", "the address of the server 'local' has changed"),
        ("distilltest.yaml", "model: honest", "model: other", "the judge 'judge' was honest and is other"),
        ("distilltest.yaml", "honest, temperature: 0", "honest, temperature: 1", "the settings of the judge 'judge'"),
        ("distilltest.yaml", "model: vectors", "model: others", "the model for embeddings has changed"),
        ("distilltest.yaml", "alpha: 0.04", "alpha: 0.05", "alpha was 0.04 and is 0.05"),
    ],
)
def test_a_change_of_anything_that_the_run_was_about_makes_it_stale_for_promotion_and_for_the_loop(
    ran, changed, name, old, new, words
):
    edit(ran, name, old, new)
    assert any(words in each for each in changed()), changed()


@pytest.mark.parametrize(
    "name",
    [
        *("suites/conftest.py", "helpers/words.py", "lists/banned.txt", "answer-schema.json", "judge.yaml"),
        ".distilltest/training/supervised.jsonl",
    ],
)
def test_a_file_that_is_gone_makes_it_stale(ran, changed, name):
    (ran.root / name).unlink()
    assert changed()


def test_a_new_conftest_makes_it_stale(ran, changed):
    ran.write("conftest.py", "")
    assert changed() == ["conftest.py has changed"]


def test_what_the_run_was_not_about_changes_nothing(ran, changed):
    ran.write("README.md", "new")
    ran.write("suites/unrelated.py", "x = 1")
    edit(ran, "distilltest.yaml", "timeout: 600", "timeout: 300")
    (ran.root / "cases.jsonl").write_text((ran.root / "cases.jsonl").read_text().replace('", "', '",   "'))
    assert changed() == []


def test_another_version_of_distilltest_decides_anew(changed, monkeypatch):
    from distilltest.promotion import origin

    monkeypatch.setattr(origin.metadata, "version", lambda _: "99.0")
    assert changed() == ["the version of distilltest has changed"]
