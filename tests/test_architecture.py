"""The structure of the package: rooms, names, file sizes, and who may read files or print."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_a_class_name_exists_once_in_the_package():
    """Readers would confuse two classes with the same name. Private classes are exempt."""
    homes = {}
    for name, tree in modules_under("-"):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(name)
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_rooms_are_few():
    """Beside the folders there are only the shared values, the errors and the exit codes."""
    rooms = {path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.py")} - {"__init__.py", "__main__.py"}
    assert {name for name in rooms if name.endswith(".py")} == {"records.py", "errors.py", "exit_codes.py"}
    assert len(rooms) <= 25, sorted(rooms)


READERS_OF_YAML = ("data/yaml_build.py", "data/yaml_text.py")
READERS_OF_OTHER_TEXTS = {
    "csv": ("data/rows.py",),
    "json": ("data/json_text.py",),
    "tomllib": (),
}
"""The modules that read these formats. `OF_PROGRAMS` lists those that read JSON written by programs or models."""
OF_PROGRAMS = (
    "exchange/archive/pages.py",  # the wire, byte for byte
    "finetuning/configured.py",  # writes one text
    "graders/json_schema.py",  # a schema in memory, made JSON and back
    "graders/python_process.py",  # our own process
    "graders/python_worker.py",
)
LOADS_OF_JSON = {
    "completions/client.py": "the wire",
    "exchange/import_file.py": "labels that were read and checked just before",
    "exchange/redaction.py": "the store",
    "config/load.py": "the schema that comes with distilltest",
    "data/json_text.py": "files that people write",
    "training_files/messages.py": "a text inside a file: whether it is JSON",
    "evaluations/judge_context.py": "the store",
    "exchange/archive/pages.py": "the wire, and what an archive has kept of it",
    "completions/faults.py": "the wire",
    "graders/json_match.py": "what a model said, and a reference of the suite",
    "graders/json_schema.py": "what a model said",
    "graders/sample.py": "what a model said",
    "graders/template.py": "what a model said",
    "graders/tool_calls.py": "what a model said",
    "graders/valid_json.py": "what a model said",
    "judges/answer.py": "what a model said",
    "promotion/history.py": "the schema that comes with distilltest",
    "records.py": "what a model said",
}
"""The modules that call orjson.loads, and what they read. Files that people write go through distilltest.data."""


def modules_under(*folders_of_their_own):
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(folders_of_their_own):
            yield name, ast.parse(path.read_text())


def imported(tree):
    """The top-level packages that a module imports at run time."""
    for block in ast.walk(tree):
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            block.body = [ast.Pass()]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").split(".")[0]


def test_only_one_package_reads_yaml_csv_and_json_that_people_write():
    """Exempt are the server and the trainer, which read the wire, and the store, which reads its own rows."""
    calls = set()
    for name, tree in modules_under("server/", "demo_models/", "trainer/", "store/", "reporting/"):
        found = set(imported(tree))
        assert "yaml" not in found or name in READERS_OF_YAML, name
        for library, readers in READERS_OF_OTHER_TEXTS.items():
            assert library not in found or name in (*readers, *OF_PROGRAMS), (name, library)
        if any(isinstance(node, ast.Attribute) and ast.unparse(node) == "orjson.loads" for node in ast.walk(tree)):
            calls.add(name)
        texts = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "read_text"]
        assert not texts or name == "cli/project.py", f"{name}: read_text waits for a pipe; take distilltest.data"
    assert calls <= set(LOADS_OF_JSON), "read it with distilltest.data, or say here what it reads"


def test_every_command_is_documented():
    from distilltest.cli.main import parser

    text = (PACKAGE.parent / "docs/reference/commands.md").read_text()
    commands = next(a for a in parser()._actions if a.choices).choices
    assert all(f"distilltest {command}" in text for command in commands)


def test_every_python_block_of_the_documentation_runs():
    import re

    for page in [PACKAGE.parent / "README.md", *(PACKAGE.parent / "docs").rglob("*.md")]:
        for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
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
    """pytest commands collect in a project from `distilltest init`, our own commands are parsed, make's targets exist."""
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


PRINTERS = ("cli/say.py", "pytest_plugin/progress.py")
"""The modules that print: `say` for the command line, and the session's progress."""
WRITERS = ("cli/bar.py", "cli/finetune_watch.py", "untrusted/edges.py")
"""The modules that move the cursor and so bypass the filter; they pass each text through `shown_line` first."""


def bare_output(source):
    """The lines of a source text that print directly, or pass on a function that does."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            bare = node.id == "print"
        elif isinstance(node, ast.Attribute):
            of = ast.unparse(node.value)
            stream = of.removesuffix(".buffer") in ("sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__")
            bare = (stream and node.attr in ("write", "writelines", "buffer")) or (of, node.attr) == ("tqdm", "write")
        else:
            bare = False
        found += [node.lineno] if bare else []
    return found


@pytest.mark.parametrize(
    "source",
    [
        "print(name)",
        "run(say=print)",
        "f = lambda line: print(line, file=sys.stderr)",
        "sys.stdout.write(name)",
        "write = sys.stderr.write",
        "sys.stdout.buffer.write(name)",
        "tqdm.write(name)",
    ],
)
def test_a_bare_print_is_found(source):
    assert bare_output(source)
    assert not bare_output("say.line(name)\nsys.stdout.flush()")


def test_nobody_prints_past_the_functions_that_keep_a_text_within_its_line():
    """A line break in a name, an answer or a server's message could fake a line such as a verdict."""
    sources = {str(path.relative_to(PACKAGE)): path.read_text() for path in PACKAGE.rglob("*.py")}
    assert {name: bare_output(text) for name, text in sources.items() if bare_output(text)}.keys() == set(PRINTERS)
    behind = {
        name
        for name, text in sources.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("raw", "edges.raw")
    }
    assert behind == set(WRITERS)
