"""The handling of server responses, over HTTP, with the requests that the server counted."""

import gzip
import json
import socket
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from completions.scripted_server import Reply, ScriptedServer
from completions.test_limits_and_retries import asked, engine, fetch
from pages import page_named

from distilltest.completions import client
from distilltest.completions.faults import FAULTS as TABLE
from distilltest.errors import CallError, ConfigError
from distilltest.records import CallFailure, Completion

RETRIES = 1
CASES = 30


def choice(message, finish_reason="stop", **more):
    return {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish_reason, **more}


def body(*choices, **more):
    usage = {"usage": {"prompt_tokens": 7, "completion_tokens": 3}}
    return Reply(body=json.dumps({"id": "x", "model": "m", "choices": list(choices), **usage, **more}).encode())


def error(status, code=None, message="because", **more):
    return Reply(status, body=json.dumps({"error": {"message": message, "code": code, **more}}).encode())


class Somewhere(NamedTuple):
    base_url: str


class Row(NamedTuple):
    """A fault of one case, or of all, and what comes of it."""

    reply: Reply
    kind: str | None
    """Of the call failure, None for an answer."""
    words: str
    """Of its message, or the text of the answer."""
    attempts: int = 1
    permanent: bool = False


ANSWERS = {
    "a list of text parts": Row(
        body(choice({"content": [{"type": "text", "text": "fi"}, {"type": "text", "text": "ne"}]})), None, "fine"
    ),
    "choices out of order": Row(
        body({**choice({"content": "second"}), "index": 1}, choice({"content": "fine"})), None, "fine"
    ),
    "cut off": Row(body(choice({"content": "fi"}, "length")), None, "fi"),
    "a refusal": Row(body(choice({"content": None, "refusal": "I cannot"})), None, ""),
    "tokens that are a word": Row(body(choice({"content": "fine"}), usage={"prompt_tokens": "ten"}), None, "fine"),
    "no usage": Row(body(choice({"content": "fine"}), usage=None), None, "fine"),
    "gzip": Row(
        Reply(body=gzip.compress(body(choice({"content": "fine"})).body), headers={"Content-Encoding": "gzip"}),
        None,
        "fine",
    ),
}
FAULTS = {
    "a content filter": Row(
        body(choice({"content": "half of"}, "content_filter")),
        "content filter",
        "a content filter withheld the answer",
        1,
        True,
    ),
    "an error in the choice": Row(
        body(choice({"content": ""}, error={"message": "odd"})),
        "request rejected",
        "an error in place of the answer: odd.",
        1,
        True,
    ),
    "an upstream error in the choice": Row(
        body(choice({"content": ""}, error={"message": "upstream", "code": 502})), "server error", "upstream", 2
    ),
    "an error with status 200": Row(
        error(200, "content_filter"), "content filter", "an error in place of the answer: because.", 1, True
    ),
    "no content": Row(body(choice({"content": None})), "unusable answer", "no content, no tool call and no refusal", 2),
    "a number for content": Row(body(choice({"content": 7})), "unusable answer", "message.content is 7", 2),
    "half a JSON": Row(Reply(body=b'{"choices": [{"mess'), "unusable answer", "it is not complete JSON", 2),
    "not UTF-8": Row(Reply(body=b'{"choices": "\xff\xfe"}'), "unusable answer", "it is not complete JSON", 2),
    "not gzip": Row(
        Reply(body=b"{}", headers={"Content-Encoding": "gzip"}), "unusable answer", "incomplete or damaged", 2
    ),
    "context length": Row(error(400, "context_length_exceeded"), "prompt too long", "Shorten the case", 1, True),
    "context length in words": Row(
        error(400, message="This model's maximum context length is 10 tokens."), "prompt too long", "Shorten", 1, True
    ),
    "413": Row(error(413), "prompt too long", "Shorten the case", 1, True),
    "a filtered prompt": Row(
        error(400, "content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}),
        "content filter",
        "remove it",
        1,
        True,
    ),
    "a filtered prompt behind a proxy": Row(
        error(400, "400", provider_specific_fields={"innererror": {"code": "ResponsibleAIPolicyViolation"}}),
        "content filter",
        "remove it",
        1,
        True,
    ),
    "400": Row(error(400), "request rejected", "Correct the prompt", 1, True),
    "422": Row(error(422), "request rejected", "Correct the prompt", 1, True),
    "403": Row(error(403), "not allowed", "HTTP 403: because. The server refuses this request", 1, True),
    "404": Row(error(404), "not found", "HTTP 404: because. If all calls fail like this", 1),
    "429": Row(error(429, "rate_limit_exceeded"), "rate limited", "Lower max_concurrency", 2),
    "503": Row(Reply(503, body=b"<html>busy</html>"), "server error", "HTTP 503: <html>busy</html>.", 2),
    "a redirect": Row(
        Reply(307, headers={"Location": "http://user:word@evil.example/v1"}),
        "not found",
        "it redirects to evil.example/v1",
        1,
    ),
}
CLOSING = {
    "invalid key": Row(error(401, "invalid_api_key"), "not authorised", 'an api_key: "${NAME}"'),
    "a key that may not": Row(error(401), "not authorised", "api_key"),
    "spent quota": Row(error(429, "insufficient_quota"), "quota spent", "Add credit"),
    "spending limit": Row(error(400, "billing_hard_limit_reached"), "quota spent", "waiting does not help"),
    "402": Row(error(402), "quota spent", "Add credit"),
    "402 inside": Row(error(200, 402), "quota spent", "Add credit"),
    "no such model": Row(error(404, "model_not_found"), "no such model", "Check the model's name"),
    "no such model for this key": Row(error(403, "model_not_found"), "no such model", "Check the model's name"),
    "no such model, by its parameter": Row(
        error(404, None, type="NotFoundError", param="model"), "no such model", "name"
    ),
}
MANY = {
    "404": (error(404), "not found", 20),
    "400": (error(400), "request rejected", 100),
    "403": (error(403), "not allowed", 100),
    "500": (error(500), "server error", 20),
    "no content": (body(choice({"content": None})), "unusable answer", 20),
}


def of_case_3(reply):
    """The reply to one case of many; the others are answered."""
    return lambda _n, request: reply if request["messages"][0]["content"].endswith(" 3") else Reply()


@pytest.fixture(autouse=True)
def _no_delay(monkeypatch):
    monkeypatch.setattr(
        "distilltest.completions.server_queue.ServerQueue._delay", lambda _self, _failure, _attempt: 0.0
    )


@pytest.mark.parametrize("row", [*ANSWERS.values(), *FAULTS.values()], ids=[*ANSWERS, *FAULTS])
def test_one_odd_response_affects_one_case(tmp_path, row):
    with (
        ScriptedServer(of_case_3(row.reply)) as server,
        engine(tmp_path, server, f", max_retries: {RETRIES}") as running,
    ):
        answers = fetch(running, asked(CASES, server))
    assert len(server.calls) == CASES - 1 + row.attempts
    answer = answers.pop(3)
    assert all(isinstance(each, Completion) for each in answers)
    if row.kind is None:
        assert isinstance(answer, Completion)
        assert answer.text == row.words
    else:
        assert isinstance(answer, CallFailure)
        assert (answer.kind, answer.attempts, answer.permanent) == (row.kind, row.attempts, row.permanent)
        assert row.words in answer.message
        assert answer.message.startswith("m ")


@pytest.mark.parametrize("row", CLOSING.values(), ids=CLOSING)
def test_a_conclusive_failure_closes_the_server_or_the_model_at_once(tmp_path, row):
    with (
        ScriptedServer(lambda _n, _b: row.reply) as server,
        engine(tmp_path, server, ", max_concurrency: 4") as running,
    ):
        answers = fetch(running, asked(300, server))
    assert len(server.calls) <= 4
    assert {(answer.kind, answer.permanent) for answer in answers} == {(row.kind, False)}
    assert all(row.words in answer.message for answer in answers)
    assert sum(answer.attempts for answer in answers) == len(server.calls), "what was not sent says so"


@pytest.mark.parametrize("row", CLOSING.values(), ids=CLOSING)
def test_a_closed_model_leaves_the_others_and_a_closed_server_none(tmp_path, row):
    with (
        ScriptedServer(lambda _n, request: row.reply if request["model"] == "a" else Reply()) as server,
        engine(tmp_path, server, models=("a", "b")) as running,
    ):
        fetch(running, asked(1, server, "a"))
        (other,) = fetch(running, asked(1, server, "b"))
    assert isinstance(other, Completion) == row.kind.startswith("no such model")


@pytest.mark.parametrize(("reply", "kind", "least"), MANY.values(), ids=MANY)
def test_a_model_that_always_fails_is_given_up_and_says_what_was_not_sent(tmp_path, reply, kind, least):
    with ScriptedServer(lambda _n, _b: reply) as server:
        with engine(tmp_path, server, ", max_concurrency: 8, max_retries: 0") as running:
            answers = fetch(running, asked(400, server))
        sent = len(server.calls)
    assert least <= sent < least + 8
    failed = [answer for answer in answers if answer.kind == kind]
    unsent = [answer for answer in answers if answer.kind == "not sent"]
    assert (len(failed), len(unsent)) == (sent, 400 - sent)
    assert {(answer.attempts, answer.permanent) for answer in unsent} == {(0, False)}
    assert all(f"m on server 's': not sent: {sent} calls in a row failed" in answer.message for answer in unsent)


def test_a_response_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(client, "LARGEST_BODY", 1000)
    long = body(choice({"content": "x" * 2000})).body
    zipped = Reply(body=gzip.compress(long), headers={"Content-Encoding": "gzip"})
    for reply in (Reply(body=long), zipped):
        with ScriptedServer(of_case_3(reply)) as server, engine(tmp_path, server, ", max_retries: 0") as running:
            answers = fetch(running, asked(4, server))
        assert (answers[3].kind, "the response is longer than" in answers[3].message) == ("unusable answer", True)
        assert all(isinstance(each, Completion) for each in answers[:3])


def test_an_address_with_a_password_is_not_shown(tmp_path):
    with ScriptedServer(lambda _n, _b: Reply(body=b"{}")) as server:
        secret = Somewhere(server.base_url.replace("//", "//user:secret@"))
        with engine(tmp_path, secret, ", max_retries: 0") as running:
            (failure,) = fetch(running, asked(1, secret))
    assert failure.kind == "unusable answer"
    assert "secret" not in failure.message


def test_a_key_and_a_password_at_once_are_refused_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "sk-very-secret")
    secret = Somewhere("http://user:secret@127.0.0.1:9/v1")
    with (
        engine(tmp_path, secret, ", api_key: '${SECRET_KEY}'") as running,
        pytest.raises(ConfigError, match="server 's' has both an api_key and a user") as told,
    ):
        fetch(running, asked(1, secret))
    assert "secret@" not in str(told.value)


@contextmanager
def black_hole():
    """An address whose connections are never made: the queue of its listener is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        filling = [socket.socket() for _ in range(8)]
        for each in filling:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        for each in filling:
            each.close()


@contextmanager
def silent():
    """An address that takes connections and says nothing, not even to a TLS handshake."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/v1"


@contextmanager
def closed():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


@contextmanager
def without_tls():
    with ScriptedServer() as server:
        yield server.base_url.replace("http:", "https:")


@contextmanager
def unknown_name():
    yield "http://no-such-host.invalid/v1"


@pytest.fixture
def patient(monkeypatch):
    """The real waits between attempts."""
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("where", "more", "words"),
    [
        (closed, "", "Connect call failed"),
        (without_tls, "", "ssl"),
        (unknown_name, "", "no-such-host.invalid"),
        (black_hole, ", connect_timeout: 0.3, max_retries: 0", "no connection within 0.3 s"),
        (silent, ", connect_timeout: 0.3, max_retries: 0", "no connection within 0.3 s"),
    ],
)
def test_a_server_that_was_never_reached_is_given_up_within_three_seconds(tmp_path, patient, where, more, words):
    with where() as base_url, engine(tmp_path, Somewhere(base_url), more) as running:
        answers = fetch(running, asked(20, Somewhere(base_url)))
    assert {answer.kind for answer in answers} == {"server not reachable"}
    assert all(words in answer.message for answer in answers)
    assert all("Check the base_url of server 's'" in answer.message for answer in answers)
    assert not any(answer.permanent for answer in answers)
    # The pauses before a fourth attempt add up to more than 2 s; all retries would be six attempts and 15 s. The clock itself
    # would measure how busy the machine is.
    assert max(answer.attempts for answer in answers) <= 3


def test_a_hundred_calls_at_once_ask_an_unknown_name_a_few_times(tmp_path, patient, monkeypatch):
    asked_for = []

    async def resolve(_self, host, *_, **__):
        asked_for.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("aiohttp.resolver.ThreadedResolver.resolve", resolve)
    with unknown_name() as base_url, engine(tmp_path, Somewhere(base_url)) as running:
        answers = fetch(running, asked(100, Somewhere(base_url)))
    assert {answer.kind for answer in answers} == {"server not reachable"}
    assert len(asked_for) <= 10, "some name servers do not answer who asks often"


def test_connecting_takes_less_than_three_seconds_unless_configured(tmp_path):
    with ScriptedServer() as server, engine(tmp_path, server) as running:
        assert running._config.server("s").connect_timeout == 2.5


def test_a_server_that_was_reached_before_gets_all_retries(tmp_path):
    with ScriptedServer(lambda _n, _b: Reply(headers={"Connection": "close"})) as server:
        more = ", max_retries: 4, max_concurrency: 1"
        with engine(tmp_path, server, more) as running:
            fetch(running, asked(1, server))
            server._server.shutdown()
            server._server.server_close()
            answers = fetch(running, asked(5, server))[1:]
    assert {answer.kind for answer in answers} == {"server not reachable"}
    assert max(answer.attempts for answer in answers) == 5
    assert "It answered before; is server 's' still running?" in answers[0].message


def test_the_documentation_names_every_kind_and_status():
    page = page_named("faults.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ") and line.count(" | ") == 3]

    def kinds(of):
        return {of, *(kind for child in of.__subclasses__() for kind in kinds(child))}

    told = {row[1]: row for row in rows}
    for kind in kinds(CallError) - {CallError}:
        if kind.__module__ != "distilltest.errors":
            continue
        row = told[kind.kind]
        if kind.kind != "server not reachable":
            assert ("yes" in row[2]) == kind.retried, kind
            assert ("permanent" in row[2]) == kind.permanent, kind
            assert ("at once" in row[3]) == (kind.closes is not None), kind
            assert (f"after {kind.in_a_row} in a row" in row[3]) == (kind.in_a_row is not None), kind
            assert ("if it never answered" in row[3]) == (kind.in_a_row is not None and not kind.retried), kind
    for fault in TABLE:
        for status in fault.statuses:
            assert str(status) in told[fault.kind.kind][0] or (status >= 500 and "5xx" in told[fault.kind.kind][0])
