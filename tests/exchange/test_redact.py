"""What must not be read is gone: from what is shown, and from the bytes of the files."""

import json
import sqlite3

import orjson
import pytest
from store.stored import GIT, answered, asked, grade, keep

from distilltest.exchange.patterns import NAMES, built_in, own
from distilltest.records import Request, ToolCall
from distilltest.store import CompletionFilter, changes

MAIL, PHONE, CARD = "ann.lee@example.org", "+49 30 1234567", "4111 1111 1111 1111"
TOKEN, ADDRESS = "sk-proj-abcdefghijklmnop1234", "203.0.113.77"
SECRETS = (MAIL, PHONE, CARD, TOKEN, ADDRESS)


def fill(project):
    """A completion with something to hide in every place, a run that graded it, and a report that shows it."""
    messages = (
        {"role": "system", "content": f"Write to {MAIL}."},
        {"role": "user", "content": [{"type": "text", "text": f"call {PHONE}, pay with {CARD}"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": f'"{TOKEN}"'}}],
        },
    )
    request = Request("s", "http://x/v1", "m", messages, {"user": MAIL}, store=True, metadata={"who": MAIL})
    calls = (ToolCall("1", "ping", f'{{"host": "{ADDRESS}"}}'),)
    done = answered(
        request, f"I wrote to {MAIL} from {ADDRESS}", served_id="chatcmpl-1", refusal=f"not {PHONE}", tool_calls=calls
    )
    body = json.dumps(
        {"id": "chatcmpl-1", "choices": [{"message": {"content": f"I wrote to {MAIL} from {ADDRESS}"}}], "x": TOKEN}
    )
    with project.store() as store:
        store.save_all([(request, done, body.replace("@", "\\u0040").encode())])
        other = keep(store, "nothing to hide", "git status")
        raw = asked("raw")
        store.save_all([(raw, answered(raw, "x"), f"no JSON, but {MAIL} \xff".encode("latin-1"))])
        grade(store, "r1", GIT, [("c1", "teacher", request.key, False), ("c2", "teacher", other, True)])
        with store._sql(write=True) as sql:
            grades = orjson.dumps([["exact_match", 0.0, False, f"{MAIL} is not the reference"]])
            sql.execute("UPDATE outcome SET grades = ? WHERE case_id = 'c1'", (grades,))
        change = {
            "case_id": "c1",
            "kind": "lost",
            "against": "base",
            "request": f"call {PHONE}",
            "reference": MAIL,
            "tags": ["t"],
        }
        samples = [{"role": "teacher", "text": f"from {ADDRESS}", "passed": False, "reason": f"{CARD}"}]
        store.save_evaluation("r1", GIT, {"id": GIT, "changes": [{**change, "samples": samples}]})
    return request.key, messages


def in_files(project, text):
    return [p.name for p in (project.root / ".distilltest").iterdir() if text.encode() in p.read_bytes()]


def test_redaction_leaves_nothing_in_the_files_and_the_completion_is_still_found(project):
    key, messages = fill(project)
    assert all(in_files(project, secret) for secret in SECRETS)
    said = project.run("redact", "--find", "every", "--all", "--yes")
    assert "2 completions redacted" in said
    for secret in (*SECRETS, MAIL.replace("@", "\\u0040"), "example.org"):
        assert in_files(project, secret) == [], secret
    with project.store() as store:
        row = store.find_rows(CompletionFilter(key=key))[0]
        assert Request("s", "http://x/v1", "m", messages, {"user": MAIL}).key == key
        done = store.completion(key)
        assert done.text == "I wrote to [email] from [ip]"
        assert (done.refusal, done.tool_calls[0].arguments) == ("not [phone]", '{"host": "[ip]"}')
        assert done.served_id == row.server_id == "chatcmpl-1"
        request = json.loads(row.request)
        assert request["messages"][1]["content"][0]["text"] == "call [phone], pay with [card]"
        assert request["user"] == "[email]"
        assert json.loads(row.metadata) == request["metadata"] == {"who": "[email]"}
        assert json.loads(row.response)["x"] == "[secret]"
        assert store.uses_of(key)[0].grades[0].reason == "[email] is not the reference"
        change = store.run_evaluations("r1")[0]["changes"][0]
        assert (change["case_id"], change["kind"], change["request"]) == ("c1", "lost", "call [phone]")
        assert change["samples"][0] == {"role": "teacher", "text": "from [ip]", "passed": False, "reason": "[card]"}
        assert store.completion(asked("nothing to hide").key).text == "git status"
        assert store.find_rows(CompletionFilter(key=asked("raw").key))[0].response == b"no JSON, but [email] \xff"


def test_a_dry_run_counts_with_examples_and_changes_nothing(project):
    fill(project)
    with project.store() as store:
        before = [tuple(row) for row in store.each_row()]
    said = project.run("redact", "--find", "email", "--find", "ip", "--pattern", r"git \w+", "--all", "--dry-run")
    counts = {line.split("  ")[0].strip(): line.split()[1] for line in said.splitlines()[2:4]}
    assert counts == {
        "email": "4",
        "ip": "2",
    }  # the label, the request (twice) and the answer; not the server's body again
    assert MAIL in said
    assert "git status" in said
    assert said.splitlines()[-2:] == ["in 3 of 3 completions", "Nothing was changed: --dry-run."]
    with project.store() as store:
        assert [tuple(row) for row in store.each_row()] == before


def test_only_the_selection_is_redacted_and_the_replacement_may_be_said(project):
    with project.store() as store:
        keep(store, f"from {MAIL}", "one", model="m1")
        keep(store, f"from {MAIL}", "two", model="m2")
    project.run("redact", "--find", "email", "--replace", r"<\1>", "--model", "m1", "--yes")
    with project.store() as store:
        texts = {item.completion.model: item.messages[0]["content"] for item in store.find_completions()}
    assert texts == {"m1": r"from <\1>", "m2": f"from {MAIL}"}


def test_a_selection_by_the_very_text_names_the_reports_that_may_still_show_it(project):
    fill(project)
    (project.root / "reports" / "r1").mkdir(parents=True)
    said = project.run("redact", "--find", "email", "--text", MAIL, "--yes")
    assert "1 completion redacted" in said
    assert "1 report below" in said
    assert "(r1)" in said


def test_where_another_process_reads_the_store_it_is_said_that_old_texts_may_remain(project, monkeypatch):
    monkeypatch.setattr(changes, "SCRUB_PATIENCE", 50)
    fill(project)
    reader = sqlite3.connect(project.root / ".distilltest" / "store.sqlite3", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM completion").fetchone()
    said = project.run("redact", "--find", "every", "--all", "--yes")
    assert "Run this command again when that process has ended" in said
    reader.close()
    said = project.run("redact", "--find", "every", "--all", "--yes")
    assert "in 0 of 3 completions" in said
    assert "Run this command again" not in said
    assert in_files(project, MAIL) == []


def test_the_numbers_of_an_embedding_are_no_telephone(project):
    request = Request("s", "http://x/v1", "v", ({"role": "user", "content": f"mail {MAIL}"},), endpoint="embeddings")
    vector = "[0.123-456-7890, 4111111111111111]"
    with project.store() as store:
        store.save_all([(request, answered(request, vector), b"{}")])
    project.run("redact", "--find", "every", "--all", "--yes")
    with project.store() as store:
        assert store.completion(request.key).text == vector
        assert b"mail [email]" in store.find_rows()[0].request


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Say what to find"),
        (["--find", "name"], "there is no such pattern. There are secret, email, card, ip, phone"),
        (["--pattern", "("], "is not a regular expression"),
        (["--pattern", "a*"], "matches the empty text"),
        (["--find", "email"], "say --yes"),
    ],
)
def test_a_wrong_redaction_changes_nothing(project, arguments, words):
    fill(project)
    project.run("redact", "--all", *arguments, code=3)
    assert words in project.error
    assert in_files(project, MAIL)


def test_without_a_filter_it_wants_to_be_told_that_all_is_meant(project):
    fill(project)
    project.run("redact", "--find", "email", code=3)
    assert "say --all" in project.error


@pytest.mark.parametrize(
    ("name", "finds", "leaves"),
    [
        ("email", ["a@b.de", "Jörg.Ü+x@mail.exämple.org"], ["a@b", "@decorator", "origin@{1}"]),
        ("phone", ["+1 (555) 123-4567", "(030) 123 456", "0049 30 1234567", "030/1234567", "555-123-4567"],
         ["2026-11-21", "1763712000", "git log -n 100", "12:30:45", "HEAD~10", "1.2.3"]),
        ("card", ["4111-1111-1111-1111", "378282246310005"], ["4111-1111-1111-1112", "0000000000000000", "1763712000123"]),
        ("ip", ["10.0.0.1", "fe80::1", "2001:db8::8a2e:370:7334"], ["10.0.0.256", "1.2.3", "12:30:45", "std::string", "a::b"]),
        ("secret", ["ghp_" + "a1" * 12, "AKIAABCDEFGHIJKLMNOP", "eyJhbGciOiJI.eyJzdWIiOiIx.abc", "xoxb-1234567890-abc",
                    "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----"],
         ["sk-learn", "task-force-for-the-next-quarter", "a1b2c3d4e5f6"]),
    ],
)  # fmt: skip
def test_built_in_patterns_find_common_forms_and_leave_what_only_looks_alike(name, finds, leaves):
    pattern = built_in(name)
    for text in finds:
        found = []
        assert pattern.replace(f"before {text} after", found.append) == f"before [{name}] after", text
        assert found == [text]
    for text in leaves:
        assert pattern.replace(f"before {text} after", lambda _: None) == f"before {text} after"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("unit", ["a", "1", "1-", ":", "a.", "a@", "(1", "sk-", "0 ", "11 ", "+1 "])
def test_no_text_makes_a_pattern_slow(name, unit):
    """A pattern that tried every start to the end would need minutes for a text of this size."""
    text = unit * (200_000 // len(unit))
    assert built_in(name).replace(text, lambda _: None)


def test_a_pattern_of_ones_own_replaces_what_it_finds():
    assert own(r"ticket \d+").replace("see ticket 12 and ticket 7", lambda _: None) == "see [redacted] and [redacted]"
