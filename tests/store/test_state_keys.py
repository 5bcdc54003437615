"""Every key of the ``state`` table is declared in one module, which names its writers."""

import ast
from pathlib import Path

import pytest

from distilltest.store import Store, state_keys
from distilltest.store.state_keys import StateKey

PACKAGE = Path(__file__).parents[2] / "distilltest"
KEYS = {name: key for name, key in vars(state_keys).items() if isinstance(key, StateKey)}


def modules():
    for path in PACKAGE.rglob("*.py"):
        yield ".".join(path.relative_to(PACKAGE).with_suffix("").parts), ast.parse(path.read_text())


def test_a_bare_string_is_not_a_key(tmp_path):
    with Store.open(tmp_path / "store.sqlite3") as store:
        with pytest.raises(AttributeError):
            store.set_state("candidate", {})
        with pytest.raises(AttributeError):
            store.get_state("candidate")


def test_keys_do_not_collide():
    prefixes = [key.prefix for key in KEYS.values()]
    assert len(set(prefixes)) == len(prefixes) == 12
    assert not any(":" in prefix for prefix in prefixes)


def test_keys_are_made_in_their_own_module_only():
    made = [
        name
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("StateKey", "state_keys.StateKey")
    ]
    assert set(made) == {"store.state_keys"}


def test_each_key_names_the_modules_that_write_it():
    writers = {name: set() for name in KEYS}
    for module, tree in modules():
        if any(isinstance(node, ast.Attribute) and node.attr == "set_state" for node in ast.walk(tree)):
            for node in ast.walk(tree):
                name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None
                if name in KEYS:
                    writers[name].add(module)
    assert {name: set(key.writers) for name, key in KEYS.items()} == writers
