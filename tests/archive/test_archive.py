"""Everything that a platform keeps comes over as it was sent."""

import json
import os
import subprocess
import sys

import openai
import pytest
from archive.platform_server import (
    KEY,
    Endless,
    Platform,
    address,
    error,
    eval_object,
    fill,
    message_object,
    output_item,
    run_object,
    text,
)

from distilltest.cli import main
from distilltest.exchange.archive.names import folder_name
from distilltest.exchange.archive.pages import one_line


def archived(root):
    """Path → bytes of all files but the manifest."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }


def lines(objects):
    return b"".join(one_line(each) + b"\n" for each in objects)


def test_the_official_client_accepts_what_the_test_server_serves(platform):
    with openai.OpenAI(
        base_url=platform.base_url, api_key=KEY, _strict_response_validation=True, max_retries=0
    ) as client:
        assert [model.shutdown_date for model in client.models.list()] == ["2027-01-14", None]
        for found in client.evals.list(limit=1):
            for run in client.evals.runs.list(found.id, limit=1):
                items = list(client.evals.runs.output_items.list(run.id, eval_id=found.id, limit=2))
                assert len(items) == 3
        stored = list(client.chat.completions.list(limit=2))
        for job in client.fine_tuning.jobs.list(limit=1):
            assert len(list(client.fine_tuning.jobs.list_events(job.id, limit=2))) == 3
            assert len(list(client.fine_tuning.jobs.checkpoints.list(job.id, limit=1))) == 2
            assert client.files.retrieve(job.training_file).purpose == "fine-tune"
            assert client.files.content(job.training_file).read() == b'{"messages": []}\n'
    with openai.OpenAI(base_url=platform.base_url, api_key=KEY, max_retries=0) as client:
        for (
            completion
        ) in stored:  # not strictly: the package's type knows only the role "assistant", the platform has all
            messages = list(client.chat.completions.messages.list(completion.id, limit=1))
            assert [message.content for message in messages] == ["how are you?"] * 2


def test_every_object_comes_over_byte_for_byte(platform, tmp_path, capsys):
    output = tmp_path / "archive"
    assert main(["archive", "openai", "--base-url", platform.base_url, "--output", str(output)]) == 0
    found = archived(output)
    expected = {"models.jsonl": lines(platform.lists["models"])}
    for each in platform.lists["evals"]:
        name = json.loads(each)["id"]
        expected[f"evals/{name}/eval.json"] = each
        for run in platform.lists[f"evals/{name}/runs"]:
            path = f"evals/{name}/runs/{json.loads(run)['id']}"
            expected[f"{path}/run.json"] = run
            expected[f"{path}/output_items.jsonl"] = lines(platform.lists[f"{path}/output_items"])
    expected["completions/completions.jsonl"] = lines(platform.lists["chat/completions"])
    for each in platform.lists["fine_tuning/jobs"]:
        name = json.loads(each)["id"]
        folder = f"jobs/{folder_name(name)}"
        expected[f"{folder}/job.json"] = each
        for kind in ("events", "checkpoints"):
            expected[f"{folder}/{kind}.jsonl"] = lines(platform.lists[f"fine_tuning/jobs/{name}/{kind}"][::-1])
    for name in ("file-Train", "file-Result", "file-Rows"):
        expected[f"files/{folder_name(name)}/file.json"] = platform.objects[f"files/{name}"]
        expected[f"files/{folder_name(name)}/content"] = platform.objects[f"files/{name}/content"]
    conversations = found.pop("completions/messages.jsonl")
    indexes = {name: found.pop(name) for name in list(found) if name.endswith("index.jsonl")}
    assert found == expected
    for line in conversations.splitlines():
        stored = json.loads(line)["completion_id"]
        messages = platform.lists[f"chat/completions/{stored}/messages"]
        raw = b",".join(one_line(each) for each in messages)
        assert line == b'{"completion_id":"' + stored.encode() + b'","messages":[' + raw + b"]}"
    assert len(conversations.splitlines()) == 3
    assert {name: len(content.splitlines()) for name, content in indexes.items()} == {
        "evals/index.jsonl": 2,
        "evals/eval_0000/runs/index.jsonl": 2,
        "evals/eval_0001/runs/index.jsonl": 2,
        "jobs/index.jsonl": 2,
    }
    assert len(platform.asked) == len(set(platform.asked)), "something was asked twice"
    said = capsys.readouterr().out
    assert "12 output items" in said
    assert "pmpt_abcdef0123456789 (evals/eval_0000/eval.json)" in said
    assert main(["archive", "verify", str(output)]) == 0


def test_the_key_is_written_nowhere_even_if_the_server_repeats_it(platform, save, tmp_path, capsys):
    platform.script = lambda path, _: error(403, f"The key {KEY} may not do this.") if "checkpoints" in path else None
    manifest = save()
    assert len(manifest.refused) == 2
    assert main(["archive", "openai", "--base-url", platform.base_url, "--output", str(tmp_path / "archive")]) == 0
    assert "The key [masked] may not do this." in capsys.readouterr().out
    assert platform.keys == {f"Bearer {KEY}"}
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes(), path


def test_a_redirect_to_another_server_does_not_take_the_key_along(platform, save):
    with Platform() as other:
        other.script = lambda _path, _query: error(404, "gone")
        location = f"{other.base_url}/elsewhere"
        platform.script = lambda path, _: error(302, "moved", Location=location) if path.endswith("/content") else None
        manifest = save()
        assert other.keys == {None}
    assert {each["status"] for each in manifest.refused} == {404}


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
def test_lists_of_any_length_are_whole(save, platform, tmp_path, count):
    path = "evals/eval_0000/runs/evalrun_0000/output_items"
    platform.lists[path] = [text(output_item("eval_0000", "evalrun_0000", n)) for n in range(count)]
    save()
    assert (tmp_path / "archive" / f"{path}.jsonl").read_bytes() == lines(platform.lists[path])
    assert len([each for each in platform.asked if each.startswith(path)]) == max(1, -(-count // 100))


def test_messages_are_paged_too(save, platform, tmp_path):
    messages = [text(message_object("chatcmpl-0000Ab", n)) for n in range(230)]
    platform.lists["chat/completions/chatcmpl-0000Ab/messages"] = messages
    save()
    saved = [json.loads(line) for line in (tmp_path / "archive/completions/messages.jsonl").read_bytes().splitlines()]
    assert sorted(len(each["messages"]) for each in saved) == [2, 2, 230]


@pytest.mark.parametrize("declared", [None, "limit", "order"])
def test_servers_with_narrower_rules_for_lists_are_read_too(save, platform, declared):
    """No has_more and no paging at all, or an option that is not known."""

    def script(path, query):
        if declared is None and path in platform.lists and path != "models":
            reply = error(200, "")
            reply.body = b'{"data": [' + b",".join(platform.lists[path]) + b"]}"
            return reply
        return error(400, f"Unknown parameter: '{declared}'.") if declared in query else None

    platform.script = script
    manifest = save()
    assert manifest.counts["output items"] == 12
    assert manifest.counts["runs"] == 4
    assert manifest.refused == []


@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_a_list_that_goes_round_in_a_circle_ends(save, platform, length):
    objects = [text(output_item("e", "r", n)) for n in range(length)]

    def script(path, query):
        if not path.endswith("eval_0000/runs/evalrun_0000/output_items"):
            return None
        number = (int(query["after"].removeprefix("outputitem_"), 16) + 1) % length if "after" in query else 0
        reply = error(200, "")
        reply.body = b'{"data": [' + objects[number] + b'], "has_more": true}'
        return reply

    platform.script = script
    manifest = save()
    assert ["again and again" in each["message"] for each in manifest.refused] == [True]
    assert len([each for each in platform.asked if "evalrun_0000/output_items" in each]) <= 4 * length + 2


HOSTILE = [
    "../../x",
    "..",
    ".",
    "/etc/passwd",
    "a/b",
    "A",
    "a",
    "nul",
    "COM1",
    "x" * 300,
    "é",
    "\ud800",
    "\u0000",
    "~",
    "a b",
    "",
]


def test_hostile_ids_stay_in_the_folder_and_apart(save, platform, tmp_path):
    evals = [eval_object(n, identifier or None) for n, identifier in enumerate(HOSTILE)]
    evals[-1]["id"] = ""
    platform.lists["evals"] = list(map(text, evals))
    for each in HOSTILE[:-1]:
        if each != "\ud800":
            path = f"evals/{address(each)}/runs"
            platform.lists[path] = [text(run_object(each, n) | {"id": f"{each}!{n}"}) for n in range(2)]
            for n in range(2):
                platform.lists[f"{path}/{address(f'{each}!{n}')}/output_items"] = []
    manifest = save(tmp_path / "in/archive")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["archive"]
    names = [path.name for path in (tmp_path / "in/archive/evals").iterdir() if path.is_dir()]
    assert len({name.casefold() for name in names}) == len(HOSTILE)
    assert manifest.counts["evals"] == len(HOSTILE)
    assert manifest.counts["runs"] == 2 * (
        len(HOSTILE) - 4
    )  # ".", "..", "", and half a pair can be no part of an address
    assert len([each for each in manifest.refused if each["path"].startswith("evals/")]) == 4
    assert main(["archive", "verify", str(tmp_path / "in/archive")]) == 0


def test_an_id_that_is_listed_twice_is_one_folder(save, platform):
    platform.lists["evals"] = [platform.lists["evals"][0]] * 2
    manifest = save()
    assert manifest.counts["evals"] == 1
    assert len([each for each in platform.asked if each.startswith("evals/eval_0000/runs?")]) == 1


def test_only_files_that_something_names_are_fetched(save, platform):
    item = output_item("eval_0000", "evalrun_0000", 0)
    item["datasource_item"] = {
        "file_id": "my own number 7",
        "deep": [{"file_id": "file-Train"}, {"file_id": "file-Item"}],
    }
    platform.lists["evals/eval_0000/runs/evalrun_0000/output_items"] = [text(item)]
    save()
    asked = [each.removeprefix("files/") for each in platform.asked if each.startswith("files/")]
    assert sorted(asked) == sorted(
        [
            "file-Item",
            *(f"{name}{end}" for name in ("file-Train", "file-Result", "file-Rows") for end in ("", "/content")),
        ]
    )


def peak_of(platform, output, count, filler):
    """The most memory in bytes that the command takes for so many output items."""
    platform.lists = {"models": platform.lists["models"], "evals": platform.lists["evals"][:1]}
    platform.lists["evals/eval_0000/runs"] = [text(run_object("eval_0000", 0))]
    platform.lists["evals/eval_0000/runs/evalrun_0000/output_items"] = Endless(count, filler)
    code = (
        "import resource, sys; from distilltest.cli import main; code = main(sys.argv[1:]); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, file=sys.stderr); sys.exit(code)"
    )
    command = ["archive", "openai", "--base-url", platform.base_url, "--output", str(output)]
    done = subprocess.run(
        [sys.executable, "-c", code, *command], check=True, capture_output=True, text=True, env=dict(os.environ)
    )
    assert f"{count:,} output items" in done.stdout
    return int(done.stderr.splitlines()[-1])


def test_memory_does_not_grow_with_the_number_of_output_items(platform, tmp_path):
    filler = "x" * 20_000
    small, large = (peak_of(platform, tmp_path / f"{count}", count, filler) for count in (100, 1_000))
    assert large - small < 8_000_000  # all items together are 21 MB


def test_a_server_of_the_configuration_is_archived_with_its_key(platform, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", "not this one")
    monkeypatch.setenv("ACME_KEY", KEY)
    (tmp_path / "distilltest.yaml").write_text(
        f"servers:\n  acme: {{base_url: {platform.base_url}, api_key: '${{ACME_KEY}}'}}\n"
        "models:\n  base: {server: acme, model: m}\n"
    )
    command = ["archive", "openai", "--server", "acme", "--root", str(tmp_path), "--output", str(tmp_path / "archive")]
    assert main(command) == 0
    assert "12 output items" in capsys.readouterr().out


def test_the_embedded_server_is_archived_as_far_as_it_goes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["archive", "openai", "--server", "embedded"]) == 0
    said = capsys.readouterr().out
    assert "evals: 404" in said
    assert main(["archive", "verify", "archive"]) == 0


def test_many_completions_are_read_with_their_messages(save, platform):
    fill(platform, completions=230)
    manifest = save(concurrency=8)
    assert manifest.counts["stored completions"] == manifest.counts["completions with messages"] == 230
    assert len(platform.asked) == len(set(platform.asked))
