"""What keeps the house in order."""

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "distilltest"
HEAVY = ("aiohttp", "jsonschema", "jsonschema_rs", "numpy", "openai", "tabulate", "tqdm", "yaml")


def test_importing_the_plugin_imports_nothing_heavy():
    code = f"import sys, distilltest, distilltest.pytest_plugin; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_module_says_what_it_is_for_and_can_be_read_in_one_sitting():
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        assert ast.get_docstring(ast.parse(text)), path
        assert text.count("\n") <= 500, path


def test_every_command_is_documented():
    from distilltest.cli.main import parser

    text = (PACKAGE.parent / "docs/cli.md").read_text()
    commands = next(a for a in parser()._actions if a.choices).choices
    assert all(f"distilltest {command}" in text for command in commands)


def test_every_link_and_python_block_of_the_documentation_is_sound():
    import re

    for page in [PACKAGE.parent / "README.md", *(PACKAGE.parent / "docs").rglob("*.md")]:
        text = page.read_text()
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (page.parent / target).exists(), (page, target)
        for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
            exec(compile(block, str(page), "exec"), {})


def test_every_yaml_block_of_the_documentation_is_a_valid_configuration(monkeypatch):
    import re

    import jsonschema
    import yaml

    from distilltest.config.load import schema

    blocks = []
    for page in [PACKAGE.parent / "README.md", *(PACKAGE.parent / "docs").rglob("*.md")]:
        blocks += re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        jsonschema.validate(yaml.safe_load(block), schema())


def test_every_command_of_the_documentation_is_one_that_exists(tmp_path):
    """pytest's lines are collected in a project that `distilltest init` wrote, our own are parsed, make's are targets."""
    import re
    import shlex

    from distilltest.cli import main
    from distilltest.cli.main import parser

    assert main(["init", str(tmp_path)]) == 0
    makefile = (PACKAGE.parent / "Makefile").read_text()
    pages = [PACKAGE.parent / name for name in ("README.md", "CONTRIBUTING.md", "bench/README.md")]
    seen = 0
    for page in [*pages, *(PACKAGE.parent / "docs").rglob("*.md")]:
        if page.name == "guide.md":  # tests/test_guide.py runs it, in the project that it makes
            continue
        for block in re.findall(r"```(?:sh|console)\n(.*?)```", page.read_text(), re.DOTALL):
            for line in block.splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True)
                if not words:
                    continue
                seen += 1
                if words[0] == "make":
                    assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), line
                elif words[0] == "distilltest":
                    parser().parse_args(words[1:])
                elif words[0] == "pytest":
                    command = [sys.executable, "-m", *words, "--collect-only", "-q", "-p", "no:cacheprovider"]
                    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True)
                    assert done.returncode == 0, (line, done.stdout, done.stderr)
    assert seen >= 9
