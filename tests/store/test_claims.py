"""What one process asks for, no other asks for, however it reaches the store and however it ends."""

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


def test_what_one_has_no_other_gets_until_it_is_given_back(path, claim):
    one, other = claim(path), claim(path)
    assert one.take(KEYS[:3]) == set(KEYS[:3])
    assert other.take(KEYS) == {KEYS[3]}
    one.give_back(KEYS[:1])
    assert other.take(KEYS) == {KEYS[0], KEYS[3]}
    one.close()
    assert other.take(KEYS) == set(KEYS)


@pytest.mark.parametrize("link", ["folder", "file"])
def test_a_store_that_is_reached_through_a_link_has_the_same_claims(path, claim, link):
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
def test_whoever_may_write_into_the_store_may_claim_and_nobody_else(path, claim, rights):
    path.chmod(rights)
    claim(path).take(KEYS)
    assert path.with_name("store.sqlite3-claims").stat().st_mode & 0o777 == rights


def test_a_file_that_is_deleted_in_mid_run_comes_back_with_the_same_claims(path, claim):
    one = claim(path)
    one.take(KEYS[:2])
    path.with_name("store.sqlite3-claims").unlink()
    one.take(KEYS[2:3])
    assert claim(path).take(KEYS) == {KEYS[3]}


def test_a_process_that_was_forked_off_does_not_keep_the_claims_of_its_dead_parent(path, claim):
    command = [sys.executable, "-c", FORKING, str(path), *KEYS]
    with processes.started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout.readline().startswith("forked")
        assert claim(path).take(KEYS) == set()
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        assert claim(path).take(KEYS) == set(KEYS)
        parent.stdin.close()  # the fork ends


def test_without_such_locks_everything_is_granted(path, claim, monkeypatch):
    def without(*_):
        ctypes.set_errno(errno.ENOLCK)
        return -1

    one, other = claim(path), claim(path)
    for each in (one, other):
        monkeypatch.setattr(each, "_fcntl", without)
    assert one.take(KEYS) == other.take(KEYS) == set(KEYS)
    assert not one.kept
    one.give_back(KEYS)


def test_claims_on_a_store_that_is_gone_say_so(tmp_path, claim):
    with pytest.raises(StoreError, match=r"store\.sqlite3 was deleted, moved or replaced"):
        claim(tmp_path / "gone" / "store.sqlite3").take(KEYS)


def test_who_asks_is_told_where_claims_cannot_be_made(tmp_path):
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
