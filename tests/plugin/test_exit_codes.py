"""The exit code of a pytest session: 1 means a block or an ordinary failing test, and nothing else."""

import json

import pytest

from distilltest.exit_codes import BLOCKED, COULD_NOT_RUN, INCOMPLETE, INTERNAL_ERROR, UNDECIDED

PLAIN = "def test_plain():\n    assert 1 == 2\n"


def broken_store(project):
    project.write(".distilltest/store.sqlite3", "this is no database, only a long text. " * 200)


def store_that_is_a_folder(project):
    (project.root / ".distilltest/store.sqlite3").mkdir(parents=True)


PROJECTS = {
    "store": (broken_store, "*It is not a store of distilltest, or it is damaged*"),
    "store is a folder": (store_that_is_a_folder, "*cannot be written*"),
    "reports": (lambda p: p.write("reports", "a file where the folder should be"), "*reports*cannot be written*"),
    "configuration": (lambda p: p.write("distilltest.yaml", "modles: {}\n"), "*unknown key 'modles'*"),
}


@pytest.mark.parametrize(("breaks", "words"), PROJECTS.values(), ids=PROJECTS)
def test_a_broken_project_has_a_code_of_its_own(project, breaks, words):
    project.cases(30)
    breaks(project)
    result = project.run()
    assert result.ret == COULD_NOT_RUN
    result.stdout.fnmatch_lines([words])
    assert "INTERNALERROR" not in result.stdout.str()


def test_a_fixture_that_meets_the_users_mistake_shows_none_of_our_code(project):
    project.cases(30)
    project.suite('criteria_match(completion.text, "x")', parameters="case, completion, criteria_match")
    project.write("distilltest.yaml", "models: {base: {server: embedded\n")
    result = project.run()
    assert result.ret == COULD_NOT_RUN
    result.stdout.fnmatch_lines(["*distilltest.yaml:*"])
    assert "def criteria_match" not in result.stdout.str()
    assert "load.py" not in result.stdout.str()


@pytest.mark.parametrize("options", [["-n", "2"], ["-p", "no:terminal"], ["--plan"]], ids=str)
def test_the_code_is_the_same_however_the_session_runs(project, options):
    broken_store(project)
    assert project.run(*options).ret == COULD_NOT_RUN


SUITES = {
    "KeyError: 'oops'": {"body": "raise KeyError('oops')", "parameters": "completion"},
    "SystemExit: 1": {"body": "raise SystemExit(1)", "parameters": "completion"},
    "recorded no grade": {"body": "len(completion.text)", "parameters": "completion"},
    "would look like a pass": {"body": "import pytest; pytest.skip('x')", "parameters": "completion"},
    "the role 'ghost'": {"gate": '[better_than("ghost")]'},
    "fixture 'dta' not found": {"parameters": "case, completion, exact_match, dta"},
    "OSError: at setup": {"parameters": "case, completion, exact_match, breaks"},
    "OSError: at teardown": {"parameters": "case, completion, exact_match, breaks_later"},
    "names nothing in case": {"prompt": "other.yaml"},
    "there is no such file": {"dataset": "none.jsonl"},
    "broken.jsonl:1": {"dataset": "broken.jsonl"},
}


def test_an_evaluation_that_cannot_run_does_not_block(project):
    """All in one session: one of them that counted as an ordinary failure would make it 1."""
    project.cases(30)
    project.write("broken.jsonl", "{")
    project.write("other.yaml", "messages: [{role: user, content: '{{ item.x }}'}]\n")
    project.write(
        "suites/conftest.py",
        "import pytest\n\n@pytest.fixture\ndef breaks():\n    raise OSError('at setup')\n\n"
        "@pytest.fixture\ndef breaks_later():\n    yield\n    raise OSError('at teardown')\n",
    )
    for number, options in enumerate(SUITES.values()):
        suite(project, f"s{number}", **({"gate": "[at_least(0.1)]"} | options))
    (project.root / "suites/test_numbers.py").unlink()
    result = project.run()
    assert result.ret == COULD_NOT_RUN
    for words in SUITES:
        assert words in result.stdout.str()


def suite(project, name, body="exact_match(completion.text, case.reference)", **options):
    before = (project.root / "suites/test_numbers.py").read_text()
    files = {key: options.pop(key) for key in ("dataset", "prompt") if key in options}
    project.suite(body, **options)
    path = project.root / "suites/test_numbers.py"
    text = path.read_text().replace("test_numbers", f"test_{name}")
    for key, file in files.items():
        text = text.replace(f'{key}="{"cases.jsonl" if key == "dataset" else "prompt.yaml"}"', f'{key}="{file}"')
    project.write(f"suites/test_{name}.py", text)
    path.write_text(before)


@pytest.mark.parametrize(
    ("sorts", "code"),
    [
        (("broken", "undecided", "incomplete"), COULD_NOT_RUN),
        (("undecided", "incomplete"), INCOMPLETE),
        (("undecided",), UNDECIDED),
        (("blocked", "broken", "incomplete"), BLOCKED),
        (("plain", "broken"), BLOCKED),
        (("uncollected", "undecided"), COULD_NOT_RUN),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_the_gravest_of_several_is_said(project, sorts, code):
    """In the order that exit_codes.py argues for."""
    project.cases(30)
    project.suite(gate="[at_least(0.1)]")
    if "broken" in sorts:
        suite(project, "broken", "raise KeyError('oops')")
    if "blocked" in sorts:
        suite(project, "blocked", gate='[at_least(0.9, role="base")]')
    if "undecided" in sorts:
        suite(project, "undecided", gate='[not_worse_than("teacher", margin=0.01)]')
    if "incomplete" in sorts:
        project.server.special["strange"] = lambda model, number: (500, {"error": {"message": "not now"}})
        with (project.root / "distilltest.yaml").open("a") as config:
            config.write("  strange: {server: local, model: strange}\n")
        text = (project.root / "distilltest.yaml").read_text()
        project.write("distilltest.yaml", text.replace("max_retries: 1", "max_retries: 0"))
        suite(project, "incomplete", gate='[better_than("strange")]')
    if "plain" in sorts:
        project.write("suites/test_plain.py", PLAIN)
    if "uncollected" in sorts:
        project.write("suites/test_uncollected.py", "import no_such_module\n")
    assert project.run("--continue-on-collection-errors").ret == code


def test_a_worker_that_dies_does_not_block(project):
    project.cases(30)
    project.suite("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", parameters="completion")
    result = project.run("-n", "1", "--max-worker-restart", "0")
    assert result.ret == COULD_NOT_RUN
    result.stdout.fnmatch_lines(["*crashed while running 'suites/test_numbers.py::test_numbers'*"])


def test_a_session_without_evaluations_keeps_pytests_own_codes(project):
    project.write("suites/test_numbers.py", PLAIN)
    assert project.run().ret == 1
    project.write("suites/test_numbers.py", "import no_such_module\n")
    assert project.run().ret == 2


@pytest.mark.parametrize("form", ["markdown.render", "terminal.summary"])
def test_a_report_that_cannot_be_made_takes_nothing_else_with_it_and_does_not_promote(project, form):
    project.write(
        "suites/conftest.py",
        "from distilltest.reporting import markdown, terminal\n\n\n"
        "def broken(run):\n    raise TypeError('unsupported format string')\n\n\n"
        f"{form} = broken\n",
    )
    result = project.run()
    assert result.ret == INTERNAL_ERROR
    result.assert_outcomes(passed=1)  # the evaluation itself promotes
    out = result.stdout.str()
    assert "could not be made. Internal error: TypeError: unsupported format string" in out
    assert "incomplete: " in out
    assert "could not be made; the evaluations say promote: better than base by" in out
    assert "Traceback" not in out
    (page,) = project.reports()
    content = json.loads(page.with_name("report.json").read_text())
    assert content["verdict"]["status"] == "incomplete"
    assert content["evaluations"][0]["verdict"]["status"] == "promote"
    assert "better than base by" in page.read_text()
    promoted = project.distilltest("promote")
    assert promoted.returncode == INCOMPLETE, promoted.stderr
