"""No received answer is lost or requested twice."""

import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import orjson
import pytest
from processes import FORKED, PATIENCE, started

from distilltest.errors import StoreError
from distilltest.records import Completion, Request
from distilltest.store import CompletionFilter, Store

RUN = """
import sys
from pathlib import Path
from distilltest.config import load_config
from distilltest.completions.engine import Engine
from distilltest.records import Request
from distilltest.store import Store

config = load_config(Path(sys.argv[1]))
model = config.model("base")
requests = [
    Request(model.server, model.base_url, model.model, ({"role": "user", "content": f"show the status {i}"},)) for i in range(200)
]
with Store.open(config.store_path) as store, Engine(config, store) as engine:
    for done, (index, answer) in enumerate(engine.results(requests), start=1):
        print(done, flush=True)
    print("sent", engine.counts.sent, flush=True)
"""


def test_kill_9_loses_nothing_and_only_requests_in_flight_are_sent_again(tmp_path):
    from distilltest.demo_models.embedded_server import EmbeddedServer

    server = EmbeddedServer.start(tmp_path / "server", latency=0.05)
    (tmp_path / "distilltest.yaml").write_text(
        f"servers:\n  s: {{base_url: '{server.base_url}', max_concurrency: 10}}\n"
        "models:\n  base: {server: s, model: embedded-student}\n"
    )
    command = [sys.executable, "-c", FORKED + RUN, str(tmp_path)]
    with started(command, stdout=subprocess.PIPE) as first:
        handed_out = 0
        while handed_out < 60:
            handed_out = int(first.stdout.readline())
        first.kill()

    def asked():
        with urllib.request.urlopen(server.base_url.replace("/v1", "/distilltest/stats")) as answer:
            return orjson.loads(answer.read())["chat_completions"]

    before = asked()
    with Store.open(tmp_path / ".distilltest/store.sqlite3") as store:
        kept = len(store.find_completions())
    assert kept >= handed_out
    second = subprocess.run(command, capture_output=True, text=True, check=True)
    assert second.stdout.splitlines()[-1] == f"sent {200 - kept}"
    asked_again = asked() - before
    server.stop()
    assert 200 - kept <= asked_again <= 200 - kept + 10  # those in flight at the kill may have reached the server late


def request(text="a", **more):
    return Request("s", "http://x/v1", "m", ({"role": "user", "content": text},), **more)


def completion(asked):
    return Completion(key=asked.key, server="s", model="m", text="é\n", finish_reason="stop", created=time.time())


def test_a_saved_completion_is_read_back_and_found_by_its_labels(tmp_path):
    asked = request(metadata={"task": "git", "odd": "a'b"})
    with Store.open(tmp_path / "s.sqlite3") as store:
        store.save_all([(asked, completion(asked), b"{}")])
        assert store.completion(asked.key).text == "é\n"
        assert len(store.find_completions(CompletionFilter(model="m", metadata={"odd": "a'b"}))) == 1
        assert not store.find_completions(CompletionFilter(metadata={"task": "other"}))
    assert oct((tmp_path / "s.sqlite3").stat().st_mode & 0o777) == "0o600"


@pytest.mark.parametrize(
    "other",
    [
        request("b"),
        request(trial=1),
        request(parameters={"temperature": 1}),
        Request("s", "http://y/v1", "m", request().messages),
    ],
)
def test_everything_that_shapes_an_answer_is_in_its_key(other):
    assert other.key != request().key


def test_labels_and_names_are_not_in_the_key():
    assert request(store=True, metadata={"a": "b"}).key == request().key


def test_an_invalid_or_newer_store_is_refused(tmp_path):
    (tmp_path / "none").write_text("this is no database, just a text that is long enough to be read as one" * 20)
    with pytest.raises(StoreError, match="not a store of distilltest"):
        Store.open(tmp_path / "none")
    with Store.open(tmp_path / "new") as store:
        store._connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="newer distilltest"):
        Store.open(tmp_path / "new")


def test_a_full_disk_is_reported_and_nothing_before_is_lost(tmp_path):
    """In a separate process with a file size limit, which acts like a full disk."""
    script = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from completions.test_durability import completion, request
from distilltest.errors import StoreError
from distilltest.store import Store
store = Store.open(Path(sys.argv[1]))
first = request("kept")
store.save_all([(first, completion(first), b"{}")])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    for i in range(100):
        asked = request(str(i))
        store.save_all([(asked, completion(asked), b"x" * 10_000)])
except StoreError as error:
    print(error)
"""
    path = tmp_path / "s.sqlite3"
    tests = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", FORKED + script, str(path), tests], capture_output=True, text=True, check=True
    )
    assert str(path) in done.stdout
    assert "Make room" in done.stdout
    with Store.open(path) as store:
        assert store.completion(request("kept").key) is not None


def test_a_store_that_cannot_be_opened_or_written_is_reported_with_a_remedy(tmp_path):
    with pytest.raises(StoreError, match=r"cannot be written\. Change the permissions"):
        Store.open(tmp_path)  # a folder where the file should be
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be created"):
        Store.open(tmp_path / "file" / "store.sqlite3")


def test_a_read_only_store_is_reported_with_a_remedy():
    """Without write permission, also if the tests run as root: the process drops its privileges after its imports."""
    script = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from completions.test_durability import completion, request
from distilltest.errors import StoreError
from distilltest.store import Store
if os.geteuid() == 0:
    os.seteuid(65534)
path = Path(sys.argv[1])
for attempt in (path, path.parent / "new" / "s.sqlite3"):
    try:
        Store.open(attempt)
        print("opened", attempt)
    except StoreError as error:
        print(error)
"""
    folder = Path(tempfile.mkdtemp(prefix="distilltest-locked-"))  # not below pytest's own, private folders
    asked = request("kept")
    with Store.open(folder / "s.sqlite3") as store:
        store.save_all([(asked, completion(asked), b"{}")])
    (folder / "s.sqlite3").chmod(0o444)
    folder.chmod(0o555)
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", FORKED + script, str(folder / "s.sqlite3"), tests]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    folder.chmod(0o755)
    first, second = done.stdout.splitlines()
    assert "cannot be written. Change the permissions" in first
    assert "cannot be created: Permission denied" in second
    with Store.open(folder / "s.sqlite3") as store:
        assert store.completion(asked.key) is not None
    shutil.rmtree(folder)


def test_two_processes_may_use_one_store_at_once(tmp_path):
    from distilltest.demo_models.embedded_server import EmbeddedServer

    server = EmbeddedServer.start(tmp_path / "server", latency=0.01)
    (tmp_path / "distilltest.yaml").write_text(
        f"servers:\n  s: {{base_url: '{server.base_url}', max_concurrency: 20}}\n"
        "models:\n  base: {server: s, model: embedded-student}\n"
    )
    command = [sys.executable, "-c", FORKED + RUN, str(tmp_path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started(command, **pipes) as one, started(command, **pipes) as other:
        outputs = [process.communicate(timeout=PATIENCE) for process in (one, other)]
    server.stop()
    assert [one.returncode, other.returncode] == [0, 0], outputs
    with Store.open(tmp_path / ".distilltest/store.sqlite3") as store:
        assert len(store.find_completions()) == 200
