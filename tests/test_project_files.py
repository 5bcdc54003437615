"""The project's workflow, hooks and metadata name things that exist, and each fact is in one place."""

import re
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import yaml

import distilltest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
MADE = re.compile(r"\bmake ([a-z-]+)")
PYTHONS = [name.split()[-1] for name in PROJECT["project"]["classifiers"] if re.search(r"Python :: 3\.\d+$", name)]


def jobs():
    return WORKFLOW["jobs"].values()


def test_the_version_stands_in_one_place():
    assert "version" not in PROJECT["project"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "distilltest/__init__.py"
    assert metadata("distilltest")["Version"] == distilltest.__version__


def test_the_workflow_has_no_rights_but_to_read_and_puts_no_expression_into_a_shell():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    for job in jobs():
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/x@v1"))
            assert "${{" not in step.get("run", "")


def test_the_workflow_runs_what_ci_runs_on_every_supported_python():
    made = {target for job in jobs() for step in job["steps"] for target in MADE.findall(step.get("run", ""))}
    assert made == set(MADE.findall((ROOT / ".ci/run").read_text())) == {"test", "test-all"}
    assert WORKFLOW["jobs"]["test"]["strategy"]["matrix"]["python"] == PYTHONS
    given = WORKFLOW["jobs"]["all"]["steps"][1]["with"]["python-version"]
    assert given.split() == PYTHONS
    assert f"for version in {' '.join(PYTHONS)}; do" in (ROOT / "scripts/on-every-interpreter").read_text()
    assert PROJECT["project"]["requires-python"] == f">={PYTHONS[0]}"


def test_every_target_that_the_makefile_or_a_hook_calls_exists():
    called = set(re.findall(r"(?<=TWO_AT_A_TIME\) )[a-z -]+", MAKEFILE))
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    entries = [hook["entry"] for hook in hooks]
    wanted = {word for line in called for word in line.split()} | {
        each for one in entries for each in MADE.findall(one)
    }
    assert wanted <= TARGETS
    assert {"check", "docs", "wheel", "trainer", "contracts"} <= wanted


def test_the_site_has_every_page_in_its_navigation():
    """Except decisions, which their list links."""
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    named = re.findall(r"[\w/-]+\.md", yaml.safe_dump(site["nav"]))
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert set(named) == {page for page in pages if not page.startswith("explanation/decisions/")}
    assert len(set(named)) == len(named)


def test_the_changelog_has_the_sections_of_keep_a_changelog():
    text = (ROOT / "CHANGELOG.md").read_text()
    found = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert found[0] == "[Unreleased]"
    for release in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        kinds = re.findall(r"^### (.*)$", release, re.MULTILINE)
        assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
        assert kinds
        assert len(set(kinds)) == len(kinds)
