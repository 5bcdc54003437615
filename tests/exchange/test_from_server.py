"""Pulling what a server stored, over real HTTP from the embedded server."""

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai
import pytest
from processes import FORKED, after_three_steps, started

from distilltest.demo_models.embedded_server import EmbeddedServer
from distilltest.exchange import import_server
from distilltest.records import Request

PULL = """
import sys
from pathlib import Path
from distilltest.completions.client import openai_client
from distilltest.exchange import import_server
from distilltest.exchange.incoming import ImportContext
from distilltest.config import load_config
from distilltest.store import Store

import_server.PAGE = 10
config = load_config(Path(sys.argv[1]))
place = ImportContext(config, config.servers["s"], 1.0)
with Store.open(config.store_path) as store:
    done = import_server.import_from_server(
        openai_client(place.server, config), store, place, progress=lambda n: (print(n, flush=True), sys.stdin.readline())
    )
print("added", done.added, "known", done.known, flush=True)
"""


@pytest.fixture
def server(tmp_path):
    running = EmbeddedServer.start(tmp_path / "server")
    yield running
    running.stop()


@pytest.fixture
def served(project, server):
    project.write(
        "distilltest.yaml",
        f"servers:\n  s: {{base_url: '{server.base_url}', max_retries: 0}}\n"
        "models:\n  teacher: {server: s, model: embedded-teacher, temperature: 0}\n"
        "  base: {server: s, model: embedded-student, temperature: 0}\n",
    )
    return project


def ask(server, texts, model="embedded-teacher", **more):
    with openai.OpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client:
        for text in texts:
            messages = [{"role": "system", "content": "Git."}, {"role": "user", "content": text}]
            more = {"temperature": 0, "metadata": {"task": "git"}} | more
            client.chat.completions.create(model=model, messages=messages, store=True, **more)


def key(server, text, model="embedded-teacher", **parameters):
    messages = ({"role": "system", "content": "Git."}, {"role": "user", "content": text})
    return Request("s", server.base_url, model, messages, {"temperature": 0} | parameters).key


def test_what_the_server_stored_is_found_by_our_own_requests(served, server):
    ask(server, ["show the status"], seed=7)
    ask(server, ["list all tags"], metadata={"task": "other"})
    ask(server, ["stash my changes"], model="embedded-student", temperature=0.5)
    said = served.run("import", "--from-server", "--set", "from=server")
    assert said == "server 's': 3 completions added, 0 were in the store already\n"
    with served.store() as store:
        status = store.completion(key(server, "show the status"))
        assert status.text == "git status"
        assert store.completion(key(server, "stash my changes", "embedded-student", temperature=0.5)) is not None
        rows = store.find_rows()
        assert [row.server_id for row in rows] == [row.read().completion.served_id for row in rows]
        assert {row.server_id for row in rows} >= {status.served_id}
        labels = {item.messages[-1]["content"]: item.metadata for item in store.find_completions()}
    assert labels["list all tags"] == {"task": "other", "from": "server"}
    assert served.run("import", "--from-server", "--from-start").startswith("server 's': 0 completions added, 3 were")


def test_filters_go_to_the_server_and_each_has_a_place_of_its_own(served, server):
    ask(server, ["show the status", "list all tags"])
    ask(server, ["stash my changes"], metadata={"task": "other"})
    ask(server, ["stash my changes"], model="embedded-student")
    assert served.run("import", "--from-server", "--model", "embedded-student").startswith("server 's': 1 comp")
    assert served.run("import", "--from-server", "--metadata", "task=other").startswith("server 's': 1 comp")
    assert "2 completions added, 2 were" in served.run("import", "--from-server")


def test_a_later_import_looks_only_at_what_is_new(served, server, monkeypatch):
    monkeypatch.setattr(import_server, "PAGE", 2)
    ask(server, [f"switch to b-{i}" for i in range(5)])
    assert "5 completions added" in served.run("import", "--from-server")
    ask(server, ["show the status"])
    assert served.run("import", "--from-server") == "server 's': 1 completion added, 0 were in the store already\n"


def test_where_the_last_one_is_gone_from_the_server_it_looks_at_all_again(served, server):
    ask(server, ["show the status", "list all tags"])
    served.run("import", "--from-server")
    with openai.OpenAI(base_url=server.base_url, api_key="none") as client:
        last = client.chat.completions.list(order="desc", limit=1).data[0].id
        client.chat.completions.delete(last)
    ask(server, ["stash my changes"])
    assert served.run("import", "--from-server").startswith("server 's': 1 completion added, 1 were")


def test_what_a_run_kept_itself_is_known_by_the_servers_id(served, server):
    served.write(
        "prompt.yaml", 'messages:\n  - {role: system, content: Git.}\n  - {role: user, content: "{{ item.request }}"}\n'
    )
    from distilltest.completions.engine import Engine
    from distilltest.config import load_config
    from distilltest.data.prompt import load_prompt
    from distilltest.distillation.collect import Collected, asked, collect
    from distilltest.records import Case

    config = load_config(served.root)
    cases = tuple(Case(f"{i}", {"request": f"switch to b-{i}"}) for i in range(4))
    prompt = load_prompt(served.root / "prompt.yaml")
    with served.store() as store, Engine(config, store) as engine:
        requests = asked(cases, config.model("teacher"), prompt, {"task": "git"})
        assert len(list(collect(engine, store, requests, Collected(), lambda _: None))) == 4
    assert served.run("import", "--from-server") == "server 's': 0 completions added, 4 were in the store already\n"


def test_killed_in_the_middle_it_goes_on_and_keeps_nothing_twice(served, server):
    ask(server, [f"switch to b-{i}" for i in range(120)])
    command = [sys.executable, "-c", FORKED + PULL, str(served.root)]
    with started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        seen = after_three_steps(first)
        first.kill()
    with served.store() as store:
        kept = store.count_completions()
    assert seen <= kept < 120
    second = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    assert second.stdout.splitlines()[-1] == f"added {120 - kept} known 0"
    with served.store() as store:
        assert len({row.server_id for row in store.find_rows()}) == store.count_completions() == 120


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, b'{"detail": "Not Found"}', "has no stored completions (HTTP 404 on chat/completions)"),
        (405, b"Method Not Allowed", "has no stored completions (HTTP 405"),
        (501, b"", "give the file: distilltest completions import FILE"),
        (401, b'{"error": {"message": "no such key"}}', "Check its key"),
        (500, b"oops", "run the command again"),
        (200, b"<html>hello</html>", "did not answer with a list of stored completions"),
        (200, b"{half a", "did not answer with a list of stored completions"),
        (200, b'{"object": "list", "data": "none"}', "did not answer with a list of stored completions"),
    ],
)
def test_a_server_without_stored_completions_is_told_in_a_sentence(served, status, body, words):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if body.startswith(b"<") else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    text = (served.root / "distilltest.yaml").read_text()
    url = f"http://127.0.0.1:{httpd.server_port}/v1"
    served.write(
        "distilltest.yaml",
        "\n".join(
            line if "base_url" not in line else f"  s: {{base_url: '{url}', max_retries: 0}}"
            for line in text.splitlines()
        ),
    )
    served.run("import", "--from-server", code=3)
    httpd.shutdown()
    httpd.server_close()
    thread.join()
    assert words in served.error, served.error


def test_a_server_that_is_not_there_is_told_in_a_sentence(served, server):
    server.stop()
    served.run("import", "--from-server", code=3)
    assert "is not reachable" in served.error
