"""What a server refuses is listed and never ends the command; only a refused key does."""

import itertools
import time

import pytest
from archive.platform_server import KEY, Reply, error
from processes import PATIENCE

from distilltest.cli import main
from distilltest.errors import AuthenticationFailed, DistilltestError, RateLimited
from distilltest.exit_codes import REFUSED

LISTS = [
    "models",
    "evals",
    "evals/eval_0000/runs",
    "evals/eval_0000/runs/evalrun_0000/output_items",
    "chat/completions",
    "chat/completions/chatcmpl-0000Ab/messages",
    "fine_tuning/jobs",
    "fine_tuning/jobs/ftjob-0000Ab/events",
    "fine_tuning/jobs/ftjob-0000Ab/checkpoints",
    "files/file-Train",
    "files/file-Train/content",
]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("status", [400, 403, 404, 501])
def test_a_refusal_anywhere_is_listed_and_the_rest_is_saved(platform, save, path, status):
    platform.script = lambda asked, _: error(status, "Not for you.") if asked == path else None
    manifest = save()
    assert manifest.complete
    assert manifest.refused == [{"path": path, "status": status, "message": "Not for you."}]
    assert len(platform.asked) == len(set(platform.asked)), "what was refused is not asked again"
    assert manifest.counts["runs"] >= 2 or path == "evals"


BROKEN = [error(500, "Oops."), Reply(200, b"<html>"), Reply(200, b'{"data": [{"id"'), Reply(200)]


@pytest.mark.parametrize(
    ("path", "reply"),
    [(path, reply) for path in LISTS for reply in BROKEN if not path.endswith("/content") or reply.status == 500],
)
def test_a_failure_anywhere_leaves_the_archive_unfinished_and_the_next_command_gets_the_rest(
    platform, save, path, reply
):
    platform.script = lambda asked, _: reply if asked == path else None
    manifest = save()
    assert not manifest.complete
    assert [each["path"] for each in manifest.failed] == [path]
    platform.script = lambda _path, _query: None
    platform.answered.clear()
    manifest = save()
    assert manifest.complete
    assert (manifest.counts["output items"], manifest.counts["completions with messages"]) == (12, 3)
    assert max(platform.answered.values()) == 1


def test_the_summary_names_what_was_refused(platform, tmp_path, capsys):
    def script(path, _):
        return error(404, "No such File object: file-Train\x1b[2J") if path == "files/file-Train" else None

    platform.script = script
    assert main(["archive", "openai", "--base-url", platform.base_url, "--output", str(tmp_path / "archive")]) == 0
    said = capsys.readouterr().out
    assert "Refused by the server: 1\n  files/file-Train: 404 No such File object: file-Train\\x1b[2J." in said


def test_an_unfinished_archive_has_its_own_exit_code(platform, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("distilltest.exchange.archive.fetch._ATTEMPTS", 1)
    platform.script = lambda path, _: error(503, "Overloaded.") if path == "files/file-Train" else None
    command = ["archive", "openai", "--base-url", platform.base_url, "--output", str(tmp_path / "archive")]
    assert main(command) == 11
    assert "Failed: 1\n  files/file-Train: 503 Overloaded." in capsys.readouterr().out
    assert main(["archive", "verify", str(tmp_path / "archive")]) == REFUSED
    assert "UNFINISHED: not everything could be saved" in capsys.readouterr().out
    platform.script = lambda _path, _query: None
    assert main(command) == 0


def test_a_refused_key_ends_the_command_and_leaves_nothing(platform, save, tmp_path):
    with pytest.raises(AuthenticationFailed) as caught:
        save(key="sk-wrong-9876")
    assert "Incorrect API key provided: [masked]." in str(caught.value)
    assert "Check the key in OPENAI_API_KEY." in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_no_error_steers_the_terminal(platform, save):
    platform.script = lambda _path, _query: error(401, "Go\x1b[2J\nfake line\u202e.")
    with pytest.raises(AuthenticationFailed) as caught:
        save()
    assert r"Go\x1b[2J fake line\u202e." in str(caught.value)


def test_a_key_that_is_revoked_in_between_ends_the_command_and_the_next_one_goes_on(platform, save):
    platform.script = lambda path, _: error(401, "Revoked.") if path.startswith("files/") else None
    with pytest.raises(AuthenticationFailed, match="What has arrived is kept"):
        save()
    platform.script = lambda _path, _query: None
    assert save().complete
    assert max(platform.answered.values()) == 1


def test_a_key_without_a_permission_is_a_refusal_though_the_status_is_401(platform, save):
    message = "You have insufficient permissions for this operation. Missing scopes: api.evals.read."
    platform.script = lambda path, _: error(401, message) if path == "evals" else None
    manifest = save()
    assert manifest.refused == [{"path": "evals", "status": 401, "message": message}]
    assert manifest.counts["stored completions"] == 3


@pytest.mark.parametrize("status", [403, 404])
def test_a_server_that_has_nothing_of_all_this_is_an_error_and_leaves_nothing(platform, save, tmp_path, status):
    platform.script = lambda _path, _query: error(status, "Nothing here.")
    with pytest.raises(DistilltestError) as caught:
        save()
    assert f"  chat/completions: {status} Nothing here." in str(caught.value)
    assert "does it end in /v1?" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_redirects_is_told_with_where_to(platform, save):
    platform.script = lambda path, _: error(301, "", Location=f"https://api.example.com/v1/{path}")
    with pytest.raises(DistilltestError, match=r"models: 301 it redirects to 'https://api.example.com/v1/models'"):
        save()


def test_429_is_honoured_by_all_requests(platform, save):
    numbers = itertools.count()
    limited = []

    def script(path, _):
        if path == "evals" and next(numbers) < 2:
            limited.append(len(platform.asked))
            return Reply(429, b"{}", {"retry-after-ms": "300"})
        return None

    platform.script = script
    manifest = save(concurrency=1)
    assert manifest.refused == []
    for place in limited:
        assert platform.times[place] - platform.times[place - 1] >= 0.29, "the next request, whichever it was, waited"


def test_a_server_that_asks_to_wait_for_hours_ends_the_command(platform, save):
    platform.script = lambda path, _: (
        error(429, "Come back tomorrow.", **{"Retry-After": "86400"}) if path == "evals" else None
    )
    with pytest.raises(RateLimited, match="asks to wait 86,400 s: Come back tomorrow"):
        save()
    platform.script = lambda _path, _query: None
    assert save().complete


def test_a_pace_is_kept(platform, tmp_path):
    from distilltest.exchange.archive.run import ArchivedServer, archive

    source = ArchivedServer(platform.base_url, platform.base_url, KEY, "", per_minute=3000)
    began = time.monotonic()
    archive(source, tmp_path / "archive", concurrency=8)
    assert platform.times[-1] - began >= 0.019 * (len(platform.times) - 1)


def test_more_than_so_many_requests_are_never_in_flight(platform, save):
    import threading

    lock, three, state = threading.Lock(), threading.Event(), {"now": 0, "most": 0}

    def script(path, _query):
        with lock:
            state["now"] += 1
            state["most"] = max(state["most"], state["now"])
            if state["now"] >= 3:
                three.set()
        if path.endswith("/messages"):
            assert three.wait(PATIENCE)
        with lock:
            state["now"] -= 1

    platform.script = script
    save(concurrency=3)
    assert state["most"] == 3


def test_the_wrong_address_is_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    output = ["--output", str(tmp_path / "archive")]
    assert main(["archive", "openai", "--base-url", "http://127.0.0.1:9/v1", *output]) == 3
    assert "http://127.0.0.1:9/v1 is not reachable: Cannot connect" in capsys.readouterr().err
    for address in (
        "api.openai.com/v1",
        "ftp://x/v1",
        "https://",
        "https://user:secret@host/v1",
        "https://host/v1?key=secret",
    ):
        assert main(["archive", "openai", "--base-url", address, *output]) == 3
        said = capsys.readouterr().err
        assert "address" in said
        assert "secret" not in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", [None, "", "sk-\u00e9", "sk-a\nb"])
def test_a_key_that_cannot_be_one_is_told_before_anything_is_sent(tmp_path, capsys, monkeypatch, key):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    assert main(["archive", "openai", "--output", str(tmp_path / "archive")]) == 3
    assert "OPENAI_API_KEY" in capsys.readouterr().err


def test_a_folder_that_cannot_be_an_archive_is_told(platform, tmp_path, capsys, save):
    def told(output):
        assert main(["archive", "openai", "--base-url", platform.base_url, "--output", str(output)]) == 3
        return capsys.readouterr().err

    (tmp_path / "file").write_text("x")
    assert "is a file, not a folder" in told(tmp_path / "file")
    assert "cannot be written: Not a directory" in told(tmp_path / "file/archive")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.txt").write_text("x")
    assert "is not empty and is not an archive" in told(tmp_path / "full")
    assert "cannot be written" in told("/proc/archive")
    save()
    platform.base_url = platform.base_url.replace("127.0.0.1", "localhost")
    assert "is an archive of http://127.0.0.1" in told(tmp_path / "archive")
    (tmp_path / "archive/manifest.json").write_text("{")
    assert "is damaged" in told(tmp_path / "archive")


def test_a_full_disk_is_told_and_the_next_command_goes_on(platform, save, monkeypatch, tmp_path):
    """A limit on the size of files stands for the disk: writing stops in the middle of a line."""
    import resource
    import signal

    from archive.platform_server import fill
    from archive.test_archive import lines

    fill(platform, items=250)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, before[1]))
    try:
        with pytest.raises(DistilltestError, match=r"output_items.jsonl cannot be written: File too large"):
            save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert save().complete
    path = "evals/eval_0000/runs/evalrun_0000/output_items"
    assert (tmp_path / f"archive/{path}.jsonl").read_bytes() == lines(platform.lists[path])
