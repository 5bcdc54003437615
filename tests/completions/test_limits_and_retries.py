"""The engine against a server that is slow, busy, broken or closed: limits are kept, retries bounded, failures named."""

import threading
import time
from contextlib import contextmanager

import pytest
from completions.scripted_server import Reply, ScriptedServer
from completions.virtual import VirtualLoop
from processes import PATIENCE

from distilltest.completions.engine import Engine
from distilltest.completions.server_queue import Arrived, NotArrived, ServerQueue
from distilltest.config import Server, load_config
from distilltest.errors import AuthenticationFailed
from distilltest.records import CallFailure, Completion, Request
from distilltest.store import Store


@contextmanager
def engine(tmp_path, server, more="", models=("m",), **options):
    """An engine with a store in a folder; ``more`` goes into the server's configuration."""
    (tmp_path / "distilltest.yaml").write_text(
        f"servers:\n  s: {{base_url: '{server.base_url}'{more}}}\nmodels:\n"
        + "".join(f"  {model}: {{server: s, model: {model}}}\n" for model in models)
        + options.pop("yaml", "")
    )
    config = load_config(tmp_path)
    with Store.open(config.store_path) as store, Engine(config, store, **options) as running:
        yield running


def asked(count, server, model="m"):
    return [Request("s", server.base_url, model, ({"role": "user", "content": f"question {i}"},)) for i in range(count)]


def fetch(running, requests):
    answers = dict(running.results(requests))
    assert sorted(answers) == list(range(len(requests)))
    return [answers[i] for i in range(len(requests))]


def together(server, count):
    """Answers nobody until so many are in flight at once."""
    reached = threading.Event()

    def script(_number, _body):
        if server.in_flight >= count:
            reached.set()
        assert reached.wait(PATIENCE)
        return Reply(delay=0.01)

    return script


def test_the_limit_of_calls_in_flight_is_reached_never_exceeded_and_per_server(tmp_path):
    with ScriptedServer() as server:
        server.script = together(server, 6)
        with engine(tmp_path, server, ", max_concurrency: 6", models=("a", "b")) as running:
            requests = asked(20, server, "a") + asked(20, server, "b")
            fetch(running, requests)
        assert server.most_in_flight == 6
        assert len(server.calls) == 40


def test_workers_share_the_limit(tmp_path):
    with ScriptedServer() as server:
        server.script = together(server, 2)
        with engine(tmp_path, server, ", max_concurrency: 6", share=3) as running:
            fetch(running, asked(12, server))
        assert server.most_in_flight == 2


class Paced:
    """A client that notes when it is called, in virtual time."""

    def __init__(self, loop, error=None):
        self.loop, self.error, self.times = loop, error, []

    async def chat(self, request):
        self.times.append(self.loop.time())
        if self.error:
            raise self.error
        return Completion(request.key, "s", "m", "fine", "stop"), b"{}"

    async def close(self):
        pass


def paced(count, **limits):
    """The times at which a server queue sent calls, and their results."""
    loop = VirtualLoop()
    error = limits.pop("error", None)
    try:
        client, told = Paced(loop, error), []

        queue = ServerQueue(Server("s", "http://x/v1", **limits), client, 1, lambda: None)
        for i in range(count):
            request = Request("s", "http://x/v1", "m", ({"role": "user", "content": f"{i}"},))
            loop.call_soon(queue.send, request, told.append)
        loop.run_until(lambda: len(told) == count)
        loop.run_until_complete(queue.close())
        return client.times, told, loop.time()
    finally:
        loop.close()


def test_requests_per_minute_are_kept():
    times, told, _ = paced(10, requests_per_minute=1200)
    assert times == pytest.approx([0.05 * i for i in range(10)], abs=0.002)
    assert all(isinstance(each, Arrived) for each in told)


def test_requests_that_will_not_be_sent_skip_the_rate_limiter():
    times, told, took = paced(40, requests_per_minute=120, max_concurrency=2, error=AuthenticationFailed("no"))
    assert len(times) <= 2
    assert all(isinstance(each, NotArrived) for each in told)
    assert took < 1.1, "40 turns take 20 s"


def test_retry_after_of_a_busy_server_is_respected(tmp_path):
    def script(number, _body):
        return Reply(429, headers={"retry-after-ms": "300"}) if number == 1 else Reply()

    with ScriptedServer(script) as server:
        with engine(tmp_path, server, ", max_concurrency: 1") as running:
            answers = fetch(running, asked(3, server))
        assert all(isinstance(a, Completion) for a in answers)
        assert server.times[1] - server.times[0] >= 0.28
        assert len(server.calls) == 4
        assert sorted(a.attempts for a in answers) == [1, 1, 2]


def test_retry_after_in_seconds_and_as_a_date():
    from distilltest.completions.faults import retry_after

    assert retry_after({"Retry-After": "2"}) == 2.0
    assert retry_after({"Retry-After": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 30))}) > 25
    assert retry_after({"Retry-After": "soon"}) is None
    assert retry_after({}) is None


@pytest.mark.parametrize("broken", [Reply(500), Reply(drop=True), Reply(body=b'{"choices": [{"mess'), Reply(cut=True)])
def test_temporary_failures_are_retried(tmp_path, broken):
    with ScriptedServer(lambda number, _b: broken if number == 1 else Reply()) as server:
        with engine(tmp_path, server) as running:
            (answer,) = fetch(running, asked(1, server))
            assert (running.counts.sent, running.counts.retried) == (2, 1)
        assert isinstance(answer, Completion)
        assert answer.attempts == len(server.calls) == 2


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (Reply(503), "server error"),
        (Reply(429), "rate limited"),
        (Reply(drop=True), "server not reachable"),
        (Reply(body=b"{}"), "unusable answer"),
        (Reply(body=b'{"choices": []}'), "unusable answer"),
    ],
)
def test_retries_are_bounded_and_end_as_a_call_failure(tmp_path, broken, kind):
    with ScriptedServer(lambda _n, _b: broken) as server:
        with engine(tmp_path, server, ", max_retries: 1") as running:
            (failure,) = fetch(running, asked(1, server))
            assert running.counts.failed == 1
            assert (running.counts.sent, running.counts.retried) == (2, 1)
        assert isinstance(failure, CallFailure)
        assert (failure.kind, failure.attempts, len(server.calls)) == (kind, 2, 2)
        assert "m " in failure.message


def test_a_slow_answer_is_abandoned_at_the_timeout(tmp_path):
    given_up = threading.Event()

    def script(_number, _body):
        given_up.wait(PATIENCE)
        return Reply()

    with ScriptedServer(script) as server:
        with engine(tmp_path, server, ", max_retries: 0, timeout: 0.2") as running:
            (failure,) = fetch(running, asked(1, server))
        given_up.set()
        assert "no answer within 0.2 s" in failure.message
        assert "timeout" in failure.message


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(401, None, "not authorised"), (402, None, "quota spent"), (404, "model_not_found", "no such model")],
)
def test_a_conclusive_failure_ends_a_hundred_other_calls(tmp_path, status, code, kind):
    with ScriptedServer(lambda _n, _b: Reply(status, code=code, delay=0.01)) as server:
        with engine(tmp_path, server, ", max_concurrency: 4") as running:
            failures = fetch(running, asked(100, server))
        assert {f.kind for f in failures} == {kind}
        assert len(server.calls) <= 4


def test_a_missing_model_closes_only_itself(tmp_path):
    with (
        ScriptedServer(lambda _n, body: Reply(404 if body["model"] == "a" else 200, code="model_not_found")) as server,
        engine(tmp_path, server, models=("a", "b")) as running,
    ):
        answers = fetch(running, asked(5, server, "a") + asked(5, server, "b"))
    assert [isinstance(a, Completion) for a in answers] == [False] * 5 + [True] * 5


def test_a_rejected_request_is_not_retried_and_stops_no_other(tmp_path):
    def script(_number, body):
        return Reply(400 if body["messages"][0]["content"].endswith(" 0") else 200)

    with ScriptedServer(script) as server:
        with engine(tmp_path, server) as running:
            first, *others = fetch(running, asked(5, server))
        assert first.kind == "request rejected"
        assert all(isinstance(a, Completion) for a in others)
        assert len(server.calls) == 5


def test_distinct_requests_are_sent_once_for_any_number_of_callers(tmp_path):
    with ScriptedServer(lambda _n, _b: Reply(delay=0.02)) as server:
        with engine(tmp_path, server) as running:
            requests = asked(8, server)
            running.prefetch(requests)
            running.prefetch(requests[:4])
            assert len(fetch(running, requests + requests)) == 16
            fetch(running, requests)
        assert len(server.calls) == 8


def test_the_budget_stops_sending_and_a_larger_one_sends_the_rest(tmp_path):
    (tmp_path / "prices.yaml").write_text("m: {input: 1.0, output: 9.0}\n")  # 0.01 USD a call of the scripted server
    with ScriptedServer() as server:
        yaml = "prices: prices.yaml\nbudget: {{usd: {}}}\n"
        with engine(tmp_path, server, ", max_concurrency: 1", yaml=yaml.format(0.035)) as running:
            answers = fetch(running, asked(10, server))
            assert running.counts.usd == pytest.approx(0.04)
        kinds = [a.kind for a in answers if isinstance(a, CallFailure)]
        assert kinds == ["over budget"] * 6
        assert 'Raise "budget' in next(a for a in answers if isinstance(a, CallFailure)).message
        with engine(tmp_path, server, yaml=yaml.format(5)) as running:
            assert all(isinstance(a, Completion) for a in fetch(running, asked(10, server)))
        assert len(server.calls) == 10


def test_offline_sends_nothing_and_fresh_sends_everything(tmp_path):
    with ScriptedServer() as server:
        with engine(tmp_path, server) as running:
            fetch(running, asked(3, server))
        with engine(tmp_path, server, offline=True) as running:
            answers = fetch(running, asked(4, server))
        assert [isinstance(a, Completion) for a in answers] == [True, True, True, False]
        assert answers[3].kind == "not in the store"
        assert len(server.calls) == 3
        with engine(tmp_path, server, fresh=True) as running:
            fetch(running, asked(3, server))
            fetch(running, asked(3, server))
        assert len(server.calls) == 6


def test_the_key_never_reaches_the_store_or_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "sk-very-secret")
    with ScriptedServer(lambda n, _b: Reply(401 if n > 1 else 200)) as server:
        with engine(tmp_path, server, ", api_key: '${SECRET_KEY}', max_concurrency: 1") as running:
            answers = fetch(running, asked(2, server))
        assert "SECRET_KEY" in answers[1].message
        assert "sk-very-secret" not in repr(answers)
    stored = b"".join(path.read_bytes() for path in (tmp_path / ".distilltest").iterdir())
    assert b"sk-very-secret" not in stored
