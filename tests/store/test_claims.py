"""A request that one process has claimed is not sent by another, however it reaches the store and however it ends."""

import ctypes
import errno
import os
import signal
import subprocess
import sys
from hashlib import sha256

import processes
import pytest
from store.stored import asked

from distilltest.completions.engine import Engine
from distilltest.config import load_config
from distilltest.errors import StoreError
from distilltest.store import Claims, Store

KEYS = [sha256(str(number).encode()).hexdigest() for number in range(4)]

FORKING = """
import os, sys, time
from pathlib import Path
from distilltest.store import Claims
claims = Claims.beside(Path(sys.argv[1]))
assert claims.take(sys.argv[2:]) == set(sys.argv[2:])
if not os.fork():
    print("forked", os.getpid(), flush=True)
    sys.stdin.read()
    os._exit(0)
time.sleep(600)
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "store.sqlite3"
    Store.open(path).close()
    return path


@pytest.fixture
def claim():
    made = []

    def beside(path):
        made.append(Claims.beside(path))
        return made[-1]

    yield beside
    for each in made:
        each.close()


def test_a_claim_excludes_others_until_it_is_released(path, claim):
    one, other = claim(path), claim(path)
    assert one.take(KEYS[:3]) == set(KEYS[:3])
    assert other.take(KEYS) == {KEYS[3]}
    one.give_back(KEYS[:1])
    assert other.take(KEYS) == {KEYS[0], KEYS[3]}
    one.close()
    assert other.take(KEYS) == set(KEYS)


@pytest.mark.parametrize("link", ["folder", "file"])
def test_a_store_reached_through_a_link_has_the_same_claims(path, claim, link):
    elsewhere = path.parent / "elsewhere"
    if link == "folder":
        elsewhere.symlink_to(path.parent)
        linked = elsewhere / path.name
    else:
        elsewhere.mkdir()
        linked = elsewhere / "another-name.sqlite3"
        linked.symlink_to(path)
    assert claim(path).take(KEYS[:2])
    assert claim(linked).take(KEYS) == set(KEYS[2:])


@pytest.mark.parametrize("rights", [0o600, 0o660])
def test_only_users_who_can_write_to_the_store_can_claim(path, claim, rights):
    path.chmod(rights)
    claim(path).take(KEYS)
    assert path.with_name("store.sqlite3-claims").stat().st_mode & 0o777 == rights


def test_a_lock_file_deleted_during_a_run_is_restored_with_its_claims(path, claim):
    one = claim(path)
    one.take(KEYS[:2])
    path.with_name("store.sqlite3-claims").unlink()
    one.take(KEYS[2:3])
    assert claim(path).take(KEYS) == {KEYS[3]}


def test_a_forked_child_does_not_keep_the_claims_of_its_dead_parent(path, claim):
    command = [sys.executable, "-c", FORKING, str(path), *KEYS]
    with processes.started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout.readline().startswith("forked")
        assert claim(path).take(KEYS) == set()
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        assert claim(path).take(KEYS) == set(KEYS)
        parent.stdin.close()  # the fork ends


def test_without_file_locks_every_claim_succeeds(path, claim, monkeypatch):
    def without(*_):
        ctypes.set_errno(errno.ENOLCK)
        return -1

    one, other = claim(path), claim(path)
    for each in (one, other):
        monkeypatch.setattr(each, "_fcntl", without)
    assert one.take(KEYS) == other.take(KEYS) == set(KEYS)
    assert not one.kept
    one.give_back(KEYS)


def test_claims_on_a_deleted_store_raise(tmp_path, claim):
    with pytest.raises(StoreError, match=r"store\.sqlite3 was deleted, moved or replaced"):
        claim(tmp_path / "gone" / "store.sqlite3").take(KEYS)


def test_a_lock_file_that_cannot_be_opened_is_an_error(tmp_path):
    (tmp_path / "distilltest.yaml").write_text(
        "servers:\n  s: {base_url: 'http://127.0.0.1:9/v1'}\nmodels:\n  base: {server: s, model: m}\n"
    )
    config = load_config(tmp_path)
    with Store.open(config.store_path) as store:
        (tmp_path / ".distilltest/store.sqlite3-claims").mkdir()
        with (
            Engine(config, store) as engine,
            pytest.raises(StoreError, match=r"store\.sqlite3-claims cannot be opened: Is a directory.*permissions"),
        ):
            list(engine.results([asked("a")]))
