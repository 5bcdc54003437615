"""An interrupted archive goes on: nothing that was saved is asked for again, and the result is the same."""

import shutil
import subprocess
import sys
import threading

import pytest
from archive.platform_server import (
    Reply,
    completion_object,
    error,
    eval_object,
    event_object,
    fill,
    job_object,
    output_item,
    run_object,
    text,
)
from archive.test_archive import archived, lines
from processes import PATIENCE, started

from distilltest.cli import main
from distilltest.errors import DistilltestError, ServerUnreachable
from distilltest.exchange.archive.lines import GrowingFile
from distilltest.exchange.archive.verify import verify

ITEMS = "evals/eval_0000/runs/evalrun_0000/output_items"


def unordered(files):
    """Without the order of messages, which come as they come."""
    messages = files.pop("completions/messages.jsonl")
    return files | {"messages": sorted(messages.splitlines())}


def test_whichever_request_it_breaks_off_at_it_goes_on_from_there(platform, save, tmp_path, monkeypatch):
    """The server vanishes at the first request, at the second, and so on."""
    monkeypatch.setattr("distilltest.exchange.archive.collect.PAGE", 2)
    fill(platform, evals=1, runs=2, items=5, completions=3, jobs=1)
    save(tmp_path / "whole", concurrency=1)
    whole, requests = unordered(archived(tmp_path / "whole")), len(platform.asked)
    for number in range(1, requests):
        platform.asked.clear()
        platform.answered.clear()
        platform.script = lambda _path, _query, n=number: Reply(drop=True) if len(platform.asked) > n else None
        output = tmp_path / f"{number}"
        with pytest.raises(ServerUnreachable, match="the same command goes on from there"):
            save(output, concurrency=1)
        platform.script = lambda _path, _query: None
        save(output, concurrency=1)
        assert unordered(archived(output)) == whole, number
        assert sum(platform.answered.values()) == requests, number
        assert max(platform.answered.values()) == 1, number
        shutil.rmtree(output)


@pytest.mark.parametrize("moment", ["chatcmpl-0001Ab/messages", f"{ITEMS}?after=2", "file-Train/content", "models"])
def test_killed_at_a_request_the_same_command_asks_only_for_the_rest(platform, tmp_path, moment):
    fill(platform, items=250)
    reached, gone = threading.Event(), threading.Event()
    word, _, after = moment.partition("?after=")

    def hold(path, query):
        if path.endswith(word) and (not after or query.get("after", "").endswith("c7")) and not reached.is_set():
            reached.set()
            gone.wait()
            return Reply(drop=True)
        return None

    platform.script = hold
    command = [sys.executable, "-m", "distilltest", "archive", "openai", "--concurrency", "1"]
    command += ["--base-url", platform.base_url, "--output", str(tmp_path / "archive")]
    with started(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        assert reached.wait(PATIENCE)
        process.kill()
    gone.set()
    if moment != "models":
        with pytest.raises(DistilltestError, match="not finished"):
            verify(tmp_path / "archive")
    assert main(command[3:]) == 0
    assert max(platform.answered.values()) == 1
    assert (tmp_path / f"archive/{ITEMS}.jsonl").read_bytes() == lines(platform.lists[ITEMS])
    assert main(["archive", "verify", str(tmp_path / "archive")]) == 0


@pytest.mark.parametrize("torn", [b'{"id": "outputitem_0000', b"\x00\x00\x00\n", b"[1, 2\n", b"\n"])
def test_what_a_crash_left_behind_the_last_whole_line_is_cut_off(tmp_path, torn):
    file = GrowingFile(tmp_path / "items.jsonl")
    file.append([b'{"id":"a"}', b'{"id":"b"}'])
    with file.part.open("ab") as part:
        part.write(torn + b'{"id":"c"}\n' if torn.endswith(b"\n") else torn)
    assert [each["id"] for each in file.resume()] == ["a", "b"]
    file.append([b'{"id":"d"}'])
    file.finish()
    assert file.path.read_bytes() == b'{"id":"a"}\n{"id":"b"}\n{"id":"d"}\n'


def test_a_list_whose_last_saved_object_the_server_has_deleted_is_read_again_and_nothing_is_lost(
    platform, save, tmp_path
):
    fill(platform, items=150)
    before = platform.lists[ITEMS]
    platform.script = lambda path, query: error(500, "no") if path == ITEMS and "after" in query else None
    manifest = save()
    assert not manifest.complete
    platform.script = lambda _path, _query: None
    platform.lists[ITEMS] = [*before[:40], *before[100:]]
    assert save().complete
    saved = (tmp_path / f"archive/{ITEMS}.jsonl").read_bytes()
    assert saved == lines([*before[:40], *before[100:], *before[40:100]])


def test_a_finished_archive_is_left_alone(platform, save, tmp_path, capsys):
    save()
    before = archived(tmp_path / "archive")
    platform.asked.clear()
    command = ["archive", "openai", "--base-url", platform.base_url, "--output", str(tmp_path / "archive")]
    assert main(command) == 0
    assert "nothing was asked" in capsys.readouterr().out
    assert platform.asked == []
    assert archived(tmp_path / "archive") == before


def grow(platform):
    """What happens on a platform in a day."""
    platform.lists["evals"] = [*platform.lists["evals"], text(eval_object(7))]
    platform.lists["evals/eval_0007/runs"] = []
    runs = platform.lists["evals/eval_0000/runs"]
    platform.lists["evals/eval_0000/runs"] = [*runs, text(run_object("eval_0000", 9))]
    platform.lists["evals/eval_0000/runs/evalrun_0009/output_items"] = [
        text(output_item("eval_0000", "evalrun_0009", 0))
    ]
    platform.lists["chat/completions"] = [*platform.lists["chat/completions"], text(completion_object(9))]
    platform.lists["chat/completions/chatcmpl-0009Ab/messages"] = []


def test_refresh_asks_only_for_what_may_have_grown(platform, save, tmp_path):
    running = job_object(5, "running", training_file="file-Train")
    platform.lists["fine_tuning/jobs"] = [*platform.lists["fine_tuning/jobs"], text(running)]
    for name in ("events", "checkpoints"):
        platform.lists[f"fine_tuning/jobs/{running['id']}/{name}"] = []
    save()
    grow(platform)
    platform.lists["fine_tuning/jobs"] = [
        *platform.lists["fine_tuning/jobs"][:-1],
        text(running | {"status": "failed"}),
    ]
    platform.lists[f"fine_tuning/jobs/{running['id']}/events"] = [text(event_object(0))]
    platform.asked.clear()
    manifest = save(refresh=True)
    assert sorted(each.partition("?")[0] for each in platform.asked) == [
        "chat/completions",
        "chat/completions/chatcmpl-0009Ab/messages",
        "evals",
        "evals/eval_0000/runs",
        "evals/eval_0000/runs/evalrun_0009/output_items",
        "evals/eval_0001/runs",
        "evals/eval_0007/runs",
        "fine_tuning/jobs",
        "fine_tuning/jobs/ftjob-0005Ab/checkpoints",
        "fine_tuning/jobs/ftjob-0005Ab/events",
        "models",
    ]
    fresh = save(tmp_path / "fresh")
    assert manifest.counts == fresh.counts
    refreshed, again = (unordered(archived(tmp_path / name)) for name in ("archive", "fresh"))
    assert refreshed == again
    assert main(["archive", "verify", str(tmp_path / "archive")]) == 0


def test_refresh_never_deletes_what_the_platform_no_longer_has(platform, save, tmp_path):
    save()
    before = archived(tmp_path / "archive")
    platform.script = lambda path, _: None if path == "models" else error(410, "This API has been shut down.")
    manifest = save(refresh=True)
    assert {each["status"] for each in manifest.refused} == {410}
    assert archived(tmp_path / "archive") == before
    platform.script = lambda _path, _query: None
    platform.lists["evals"] = platform.lists["evals"][1:]
    save(refresh=True)
    after = archived(tmp_path / "archive")
    assert sorted(after["evals/index.jsonl"].splitlines()) == sorted(before["evals/index.jsonl"].splitlines())
    assert after.keys() == before.keys()
    assert main(["archive", "verify", str(tmp_path / "archive")]) == 0


def test_whichever_request_a_refresh_breaks_off_at_it_goes_on_from_there(platform, save, tmp_path):
    fill(platform, evals=1, runs=1, items=2, completions=1, jobs=1)
    save(tmp_path / "first", concurrency=1)
    grow(platform)
    shutil.copytree(tmp_path / "first", tmp_path / "whole")
    platform.asked.clear()
    save(tmp_path / "whole", refresh=True, concurrency=1)
    whole, requests = unordered(archived(tmp_path / "whole")), len(platform.asked)
    for number in range(1, requests):
        output = tmp_path / f"{number}"
        shutil.copytree(tmp_path / "first", output)
        platform.asked.clear()
        platform.answered.clear()
        platform.script = lambda _path, _query, n=number: Reply(drop=True) if len(platform.asked) > n else None
        with pytest.raises(ServerUnreachable):
            save(output, refresh=True, concurrency=1)
        platform.script = lambda _path, _query: None
        save(output, concurrency=1)
        assert unordered(archived(output)) == whole, number
        assert sum(platform.answered.values()) == requests, number


def test_a_refused_key_does_not_touch_a_finished_archive(platform, save, tmp_path):
    save()
    before = {path: path.read_bytes() for path in (tmp_path / "archive").rglob("*") if path.is_file()}
    with pytest.raises(DistilltestError, match="401"):
        save(key="sk-wrong", refresh=True)
    assert {path: path.read_bytes() for path in (tmp_path / "archive").rglob("*") if path.is_file()} == before


def test_two_commands_do_not_write_to_one_archive(platform, save):
    reached, gone = threading.Event(), threading.Event()

    def hold(path, _):
        if path == "evals":
            reached.set()
            gone.wait(PATIENCE)

    platform.script = hold
    first = threading.Thread(target=save)
    first.start()
    assert reached.wait(PATIENCE)
    with pytest.raises(DistilltestError, match="Another command is writing"):
        save()
    gone.set()
    first.join()
    assert save().complete
