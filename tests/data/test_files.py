"""Open and replace files: only regular files in UTF-8 are read, and every write is atomic."""

import os
import re
from pathlib import Path

import pytest

import distilltest
from distilltest.config import load_config
from distilltest.data import read_rows, read_yaml
from distilltest.data.dataset import load_dataset
from distilltest.data.prompt import load_prompt
from distilltest.data.whole_files import replacing, write_whole
from distilltest.errors import ConfigError, DatasetError, DistilltestError

ENDINGS = ("jsonl", "json", "yaml", "csv")


def of_kind(path, kind):
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "broken link":
        path.symlink_to("nowhere")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("folder", "it is a folder"),
        ("pipe", "it is a pipe"),
        ("device", "it is a device"),
        ("loop", "oo many"),
        ("broken link", "no such file"),
    ],
)
def test_only_regular_files_are_read_and_nothing_is_waited_for(tmp_path, kind, words):
    for ending in ENDINGS:
        path = tmp_path / f"f.{ending}"
        of_kind(path, kind)
        with pytest.raises(DatasetError, match=words):
            load_dataset(path)
    with pytest.raises(DistilltestError, match=words):
        load_prompt(tmp_path / "f.yaml")
    (tmp_path / "f.yaml").rename(tmp_path / "distilltest.yaml")
    if kind == "loop":
        (tmp_path / "distilltest.yaml").unlink()
        of_kind(tmp_path / "distilltest.yaml", kind)
    with pytest.raises(ConfigError, match=words):  # and the embedded server does not serve in its place
        load_config(tmp_path)


@pytest.mark.parametrize("name", ["a\0b.yaml", "a" * 5000 + ".yaml"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path, name):
    with pytest.raises(DistilltestError, match=r"cannot be"):
        read_yaml(tmp_path / name, name, DistilltestError)
    with pytest.raises(DistilltestError):
        load_prompt(tmp_path / name)
    with pytest.raises(DistilltestError):
        load_dataset(tmp_path / name)


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("utf-16", "f.yaml:1: the file is UTF-16"),
        ("utf-32", "is UTF-32"),
        ("latin-1", "f.yaml:2: not UTF-8: byte 0xfc"),
    ],
)
def test_another_encoding_is_named(tmp_path, encoding, words):
    path = tmp_path / "f.yaml"
    path.write_bytes("a: b\nc: Prüfung\n".encode(encoding))
    with pytest.raises(DistilltestError) as caught:
        read_yaml(path, "f.yaml", DistilltestError)
    assert words in str(caught.value)


def test_a_byte_order_mark_is_not_part_of_the_text(tmp_path):
    (tmp_path / "f.yaml").write_bytes(b"\xef\xbb\xbfa: b")
    assert read_yaml(tmp_path / "f.yaml", "f.yaml", DistilltestError).value == {"a": "b"}
    (tmp_path / "f.jsonl").write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"a": 2}')
    assert list(read_rows(tmp_path / "f.jsonl", "f", DatasetError)) == [(1, {"a": 1}), (3, {"a": 2})]


def test_a_csv_header_is_not_repeated_without_bounds(tmp_path):
    """A header of a megabyte and a million rows of one letter would make a terabyte of dictionaries."""
    path = tmp_path / "f.csv"
    path.write_text("x" * 10_000 + "\n" + "y\n" * 10)
    with pytest.raises(DatasetError, match=r"f.csv:1: the name of column 1 has 10,000 characters"):
        list(read_rows(path, "f.csv", DatasetError))


def test_a_csv_field_may_be_long_and_may_have_line_ends(tmp_path):
    path = tmp_path / "f.csv"
    long = "x" * 300_000
    path.write_text(f'id,text\n1,"{long}"\n2,"a\nb"\n3,c\n')
    assert list(read_rows(path, "f.csv", DatasetError)) == [
        (2, {"id": "1", "text": long}),
        (3, {"id": "2", "text": "a\nb"}),
        (5, {"id": "3", "text": "c"}),
    ]


def test_an_atomic_write_removes_what_a_killed_process_left_and_keeps_the_old_file_if_it_fails(tmp_path):
    (tmp_path / ".f.999999999.part").write_text("left")
    (tmp_path / f".f.{os.getppid()}.part").write_text("another process writes it now")
    write_whole(tmp_path / "f", b"old")
    with pytest.raises(TypeError), replacing(tmp_path / "f") as file:
        file.write("no bytes")
    assert (tmp_path / "f").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".f.{os.getppid()}.part", "f"]


def test_files_are_replaced_in_one_place():
    """A second atomic writer would sooner or later forget fsync or the leftovers of killed processes."""
    root = Path(distilltest.__file__).parent
    files = [path for path in root.rglob("*.py") if re.search(r"\.replace\([^,()=]+\)|\.rename\(", path.read_text())]
    resumable = {"exchange/archive/lines.py"}  # a killed command goes on with its unfinished file
    alone = {"server/files.py", "trainer/adapters.py"}  # one imports nothing of ours; the other renames a folder
    assert {path.relative_to(root).as_posix() for path in files} == {"data/whole_files.py", *resumable, *alone}
