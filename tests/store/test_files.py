"""The permissions of the store's files, and stores of earlier versions."""

import os
import sqlite3
from contextlib import closing

import pytest
from store.stored import GIT, grade, keep

from distilltest.server import objects
from distilltest.store import Store, connection
from distilltest.store.connection import connect
from distilltest.store.migrations import MIGRATIONS, migrate


def mode(path):
    return oct(path.stat().st_mode & 0o777)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_owner_can_read_the_store_its_log_and_its_folder(tmp_path, umask):
    before = os.umask(umask)
    try:
        folder = tmp_path / "project" / ".distilltest"
        (tmp_path / "project").mkdir()
        with Store.open(folder / "store.sqlite3") as store:
            keep(store, "one")
            assert {path.name for path in folder.iterdir()} == {
                ".gitignore",
                "store.sqlite3",
                "store.sqlite3-wal",
                "store.sqlite3-shm",
            }
            assert {mode(path) for path in folder.iterdir()} == {"0o600"}
            assert mode(folder) == "0o700"
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    ("module", "name", "open_file"),
    [
        (connection, "store.sqlite3", lambda path: connect(path).close()),
        (objects, "server.sqlite3", lambda path: objects.Objects(path.parent).close()),
    ],
    ids=["store", "embedded server"],
)
def test_a_new_file_that_another_process_is_creating_is_waited_for(tmp_path, monkeypatch, module, name, open_file):
    """SQLite's own timeout does not hold for the switch to WAL mode: it fails at once."""
    path = tmp_path / name
    path.touch()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waits = []

        def sleep(seconds):
            waits.append(seconds)
            if other.in_transaction:
                other.execute("COMMIT")

        monkeypatch.setattr(module.time, "sleep", sleep)
        open_file(path)
        assert waits


def test_an_existing_folder_keeps_its_permissions(tmp_path):
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o755)
    Store.open(folder / "store.sqlite3").close()
    assert mode(folder) == "0o755"


def test_a_new_store_is_created_in_one_transaction():
    """Each transaction waits for the disk."""
    said = []
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.set_trace_callback(said.append)
        migrate(connection)
        assert said.count("COMMIT") == 1
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert "completion" in tables
    assert not any(name.endswith("_before") for name in tables)


def test_a_store_of_the_first_version_is_migrated_without_loss(tmp_path):
    path = tmp_path / "s.sqlite3"
    with Store.open(path) as store:
        key = keep(store, "one", "answer", metadata={"task": "git"})
        grade(store, "r1", GIT, [("c1", "teacher", key, True)])
        row = store.find_rows()[0]
        answer = row.answer.replace(b'"served_id":""', b'"served_id":"chatcmpl-5"')
    old = tmp_path / "old.sqlite3"
    with sqlite3.connect(old) as sql:
        for statement in MIGRATIONS[0][1].split(";"):
            sql.execute(statement)
        sql.execute("PRAGMA user_version = 1")
        sql.execute("INSERT INTO completion VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row[:6], answer, *row[7:9]))
        sql.execute("INSERT INTO run (id, started, command, verdict) VALUES ('r0', 1.0, 'pytest', 'block')")
    sql.close()
    with Store.open(old) as store:
        assert store.completion(key).text == "answer"
        assert store.find_rows()[0].server_id == "chatcmpl-5"
        assert store.latest_run() == ("r0", "block")
        grade(store, "r1", GIT, [("c1", "teacher", key, True)])
        assert store.uses_of(key)[0].passed is True
