"""Uploads work in chunks of any size, stay out of memory, and leave nothing behind when they break off."""

import asyncio
import itertools
import json
import os
import threading
import time
from contextlib import suppress
from unittest import mock

import pytest
from aiohttp.streams import StreamReader
from aiohttp.test_utils import make_mocked_request
from hypothesis import example, given, settings
from hypothesis import strategies as st
from server.raw_http import BOUNDARY, UPLOADED, connect, form, read_reply, request, send, upload

from distilltest.demo_models.embedded_server import EmbeddedServer
from distilltest.server import files, transfer
from distilltest.server.files import Files, Upload
from distilltest.server.multipart import LARGEST_HEADERS, BodyPart, FormReader, MalformedBody, boundary_of
from distilltest.server.objects import Objects
from distilltest.server.transfer import receive

DELIMITER = f"\r\n--{BOUNDARY}".encode()
NEAR = [DELIMITER[:n] for n in range(1, len(DELIMITER))]
contents = st.lists(st.sampled_from([*NEAR, b"\r", b"\n", b"-", b"\x00", b"text"]) | st.binary(max_size=40)).map(
    b"".join
)
contents = contents.filter(lambda content: DELIMITER not in b"\r\n" + content + b"\r\n--")
cuts = st.lists(st.integers(0, 2000))


@pytest.fixture
def server(tmp_path):
    running = EmbeddedServer.start(tmp_path, job_seconds=0.05)
    yield running
    running.stop()


def pieces_of(body, places):
    places = sorted({place % (len(body) + 1) for place in places})
    return [body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True)]


def read(pieces):
    reader, found = FormReader(BOUNDARY.encode()), []
    for piece in pieces:
        for event in reader.feed(piece):
            if isinstance(event, BodyPart):
                found.append((event, b""))
            else:
                found[-1] = (found[-1][0], found[-1][1] + event)
    reader.end()
    return found


def kept(server):
    return json.loads(send(server, request("GET", "/v1/files")).body)["data"]


def on_disk(folder):
    return sorted(path.name for path in (folder / "files").iterdir())


@given(contents, contents, cuts)
def test_the_parts_are_the_same_whatever_pieces_the_network_makes_of_them(first, second, places):
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n'.encode()
    file = b'\r\nContent-Type: a/b\r\ncontent-disposition:form-data; name=file; filename="a \\"b\\".jsonl"\r\n\r\n'
    body = b"before\r\n" + head + first + DELIMITER + b" \t" + file + second + DELIMITER + b"--after" + DELIMITER
    expected = [(BodyPart("purpose", None), first), (BodyPart("file", 'a "b".jsonl'), second)]
    assert read(pieces_of(body, places)) == expected


@given(contents)
def test_a_cut_at_any_one_place_and_a_byte_at_a_time_change_nothing(content):
    body = form(content)
    expected = read([body])
    assert expected[1] == (BodyPart("file", "train.jsonl"), content)
    assert read(body[i : i + 1] for i in range(len(body))) == expected
    for place in range(len(body)):
        assert read([body[:place], body[place:]]) == expected


@given(st.binary(max_size=300) | st.text(alphabet='-b\r\n:;="form-data', max_size=300).map(str.encode), cuts)
def test_no_body_does_worse_than_to_be_called_malformed(body, places):
    for whole in (body, f"--{BOUNDARY}\r\nContent-Disposition: ".encode() + body):
        with suppress(MalformedBody):
            read(pieces_of(whole, places))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "ends before its last boundary"),
        (form(b"x")[:-4], "ends before its last boundary"),
        (b"--boundary-7x\r\n", "something other than the end of its line"),
        (b"--boundary-7\r\n\r\nx", "no Content-Disposition"),
        (b"--boundary-7\r\nContent-Disposition: attachment; name=a\r\n\r\n", "form-data with a name"),
        (b"--boundary-7\r\nContent-Disposition: form-data\r\n\r\n", "form-data with a name"),
        (b"--boundary-7\r\nX: " + b"x" * LARGEST_HEADERS + b"\r\n\r\n", "bytes of headers"),
        (b"--boundary-7" + b" " * LARGEST_HEADERS + b"  ", "something other than the end of its line"),
        (form(b"x")[:-20] + form(b"y"), "it has more than one file"),
        (form(b"x", purpose="x" * 70_000), "fields have more than 65536 bytes"),
    ],
)
def test_a_form_that_cannot_be_read_is_refused_and_leaves_nothing_behind(server, tmp_path, body, words):
    reply = send(server, upload(body))
    assert (reply.status, reply.body.count(words.encode())) == (400, 1), reply
    assert (kept(server), on_disk(tmp_path)) == ([], [])


@pytest.mark.parametrize(
    "kind", ["text/plain", "multipart/form-data", "multipart/mixed; boundary=x", 'multipart/form-data; boundary=""']
)
def test_a_form_needs_its_content_type(server, kind):
    reply = send(server, request("POST", "/v1/files", [("Content-Type", kind)], form(b"x")))
    assert (reply.status, b"boundary" in reply.body) == (400, True)


def test_a_boundary_may_be_quoted():
    assert boundary_of('Multipart/Form-Data; charset=x; boundary="a b:c"') == b"a b:c"


def over_the_wire(body, sizes):
    """The body in packets of these sizes, in a cycle; each is read before the next arrives."""
    place = 0
    for size in itertools.cycle(sizes):
        if place >= len(body):
            return
        yield body[place : place + size]
        place += size


async def received(store, packets):
    loop = asyncio.get_running_loop()
    stream = StreamReader(mock.Mock(_reading_paused=False), 2**16, loop=loop)
    headers = {"Host": "127.0.0.1", **dict(UPLOADED)}
    task = loop.create_task(receive(make_mocked_request("POST", "/v1/files", headers, payload=stream), store))
    for packet in packets:
        stream.feed_data(packet)
        await asyncio.sleep(0)
    stream.feed_eof()
    return store.content((await task)["id"])


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    objects = Objects(tmp_path_factory.mktemp("server"))
    yield Files(objects)
    objects.close()


@settings(max_examples=20)
@given(
    st.lists(st.integers(1, 30) | st.sampled_from([500, 8191, 8192, 65_535, 65_536, 70_000]), min_size=1, max_size=5)
)
@example([500, 10, 200_000])
def test_the_file_is_the_same_whatever_packets_it_came_in(store, sizes):
    """With a short packet before a long one, aiohttp's own reader calls its deprecated function: error 500 with -W error."""
    content = b'{"a": "b"}\r\n' * (20_000 if max(sizes) > 400 else 200)
    packets = over_the_wire(form(content), sizes)
    assert asyncio.run(received(store, packets)) == content


def test_a_file_is_kept_once_for_its_owner_only(server, tmp_path):
    content = os.urandom(3_000_000)
    reply = json.loads(send(server, upload(form(content, name="größe; 1.jsonl"))).body)
    assert (reply["filename"], reply["bytes"]) == ("größe; 1.jsonl", 3_000_000)
    [path] = (tmp_path / "files").iterdir()
    assert path.read_bytes() == content
    assert [p.stat().st_mode & 0o077 for p in (path, path.parent)] == [0, 0]
    assert sum(p.stat().st_size for p in tmp_path.glob("server.sqlite3*")) < 1_000_000
    assert send(server, request("GET", f"/v1/files/{reply['id']}/content")).body == content
    send(server, request("DELETE", f"/v1/files/{reply['id']}"))
    assert on_disk(tmp_path) == []
    assert send(server, request("GET", f"/v1/files/{reply['id']}/content")).status == 404


@pytest.mark.parametrize("identity", ["..%2fserver.sqlite3", "%2e%2e", "server.sqlite3", "x" * 300])
def test_only_what_was_uploaded_is_read(server, identity):
    assert send(server, request("GET", f"/v1/files/{identity}/content")).status == 404


def test_chat_is_answered_while_the_disk_is_busy_with_an_upload(server, monkeypatch):
    writing, go_on = threading.Event(), threading.Event()
    write = Upload.write

    def slow(self, data):
        writing.set()
        assert go_on.wait(60)
        write(self, data)

    monkeypatch.setattr(Upload, "write", slow)
    with connect(server) as connection:
        connection.sendall(upload(form(b"x" * 100)))
        assert writing.wait(60)
        chat = b'{"model": "embedded-teacher", "messages": [{"role": "user", "content": "show the status"}]}'
        answer = send(server, request("POST", "/v1/chat/completions", [("Content-Type", "application/json")], chat))
        go_on.set()
        assert read_reply(connection).status == 200
    assert b"git status" in answer.body


def test_an_upload_that_breaks_off_leaves_nothing_behind(server, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "PIECE", 1)
    begun, abandoned = threading.Event(), threading.Event()
    write, abandon = Upload.write, Upload.abandon
    monkeypatch.setattr(Upload, "write", lambda self, data: (write(self, data), begun.set()))
    monkeypatch.setattr(Upload, "abandon", lambda self: (abandon(self), abandoned.set()))
    with connect(server) as connection:
        connection.sendall(upload(form(b"x" * 100_000))[:50_000])
        assert begun.wait(60)
        assert len(on_disk(tmp_path)) == 1
    assert abandoned.wait(60)
    assert (kept(server), on_disk(tmp_path)) == ([], [])


def test_a_server_that_stops_in_the_middle_of_an_upload_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "PIECE", 1)
    begun = threading.Event()
    write = Upload.write
    monkeypatch.setattr(Upload, "write", lambda self, data: (write(self, data), begun.set()))
    server = EmbeddedServer.start(tmp_path)
    with connect(server) as connection:
        connection.sendall(upload(form(b"x" * 100_000))[:50_000])
        assert begun.wait(60)
        server.stop()
    assert on_disk(tmp_path) == []


def test_a_body_in_chunks_that_are_broken_leaves_nothing_behind(server, tmp_path):
    head = request("POST", "/v1/files", UPLOADED).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    # In one packet: aiohttp answers a broken chunk that comes later only when its client has gone.
    reply = send(server, head + b"30\r\n" + form(b"")[:48] + b"\r\nnonsense\r\n")
    assert reply.status == 400
    assert on_disk(tmp_path) == []


def test_a_disk_without_room_is_said_and_leaves_nothing_behind(server, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Upload, "write", full)
    reply = send(server, upload(form(b"x")))
    assert (reply.status, b"No space left on device" in reply.body) == (507, True)
    assert on_disk(tmp_path) == []


@pytest.mark.parametrize("chunked", [True, False])
def test_a_file_over_the_limit_is_refused_and_leaves_nothing_behind(server, tmp_path, monkeypatch, chunked):
    monkeypatch.setattr(files, "LARGEST", 1000)
    monkeypatch.setattr(transfer, "LARGEST", 1000)
    body = form(b"x" * 1001 if chunked else b"x" * 200_000)
    reply = send(server, upload(body))
    assert (reply.status, json.loads(reply.body)["error"]["code"]) == (413, "file_too_large")
    assert on_disk(tmp_path) == []
    assert send(server, upload(form(b"x" * 1000))).status == 200


def test_what_a_killed_server_left_behind_is_removed_when_nobody_writes_to_it_any_more(tmp_path):
    objects = Objects(tmp_path)
    store = Files(objects)
    left, running, complete = (store.begin() for _ in range(3))
    complete.write(b"abc")
    store.add("a", "fine-tune", complete)
    for path in (tmp_path / "files").iterdir():
        if not path.name.startswith(running.identity):
            os.utime(path, (0, time.time() - files.ABANDONED - 60))
    Files(objects)
    assert {name[:29] for name in on_disk(tmp_path)} == {running.identity, complete.identity}
    left.abandon()
    running.abandon()
    objects.close()


def test_files_that_an_earlier_version_kept_in_its_database_are_moved_out(tmp_path):
    objects = Objects(tmp_path)
    content = os.urandom(2_500_000)
    objects.put("file", {"id": "file-1", "bytes": len(content), "purpose": "fine-tune"}, 1.0, data=content)
    for _ in range(2):
        store = Files(objects)
        assert store.content("file-1") == content
    assert objects.data("file", "file-1") is None
    assert on_disk(tmp_path) == ["file-1"]
    objects.close()
