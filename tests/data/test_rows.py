"""Rows: every format gives the same rows, each with its line."""

import json
import sys
import types

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distilltest.data import rows
from distilltest.data.rows import read_rows
from distilltest.errors import DatasetError

ROWS = [{"a": "one, two", "b": 'say "hi"'}, {"a": "größer", "b": "x\ny"}]


def read(path):
    return read_rows(path, str(path), DatasetError)


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content", "lines"),
    [
        ("f.jsonl", "".join(f"\n{json.dumps(row)}\n" for row in ROWS), [2, 4]),
        ("f.ndjson", "\ufeff" + "\r\n".join(map(json.dumps, ROWS)), [1, 2]),
        ("f.json", json.dumps(ROWS), [1, 1]),
        ("f.JSON", json.dumps({"x": [1, {"requests": 2}], "requests": ROWS, "y": 1e5}, indent=1), [9, 13]),
        ("f.json", f"\ufeff\n[\n\n{json.dumps(ROWS[0])}\n,\n{json.dumps(ROWS[1])}]\n", [4, 6]),
        ("f.yaml", f"requests:\n- {json.dumps(ROWS[0])}\n\n- {json.dumps(ROWS[1])}\n", [2, 4]),
        ("f.csv", 'a, b\n"one, two","say ""hi"""\n\ngrößer,"x\ny"\n', [2, 4]),
        ("f.csv", '\ufeffa,b\r\n"one, two","say ""hi"""\r\ngrößer,"x\ny"', [2, 3]),
    ],
)
def test_every_format_gives_the_same_rows_with_their_lines(tmp_path, name, content, lines):
    found = list(read(write(tmp_path, name, content)))
    assert [row for _, row in found] == ROWS
    assert [line for line, _ in found] == lines


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("f.jsonl", '{"a": 1}\n{"a": \n', ":2: not JSON"),
        ("f.jsonl", b'{"a": 1}\n\n{"a": "\xe4"}\n', ":3: not UTF-8: byte 0xe4 at column 8"),
        ("f.jsonl", '{"a": 1}'.encode("utf-16"), ":1: the file is UTF-16"),
        ("f.json", "[1,\n2", ":2: not JSON"),
        ("f.json", "", "not JSON"),
        ("f.json", '"x"', ":1: a text. Write a list"),
        ("f.json", '{"prompts": []}', ":1: the object has 'prompts'. Write {\"requests\": [...]}"),
        ("f.json", "{}", "the object is empty"),
        ("f.csv", "a,b\n1,2\n1,2,3\n", ":3: 3 fields, but the header has 2 (a, b)"),
        ("f.csv", 'a,b\n1,"2\n', ":2: not CSV"),
        ("f.csv", 'a,b\n1,"2"x\n', ":2: not CSV"),
        ("f.csv", "a,a\n1,2\n", ":1: the header has 'a' twice"),
        ("f.csv", b"a\nok\n\xff\n", ":3: not UTF-8"),
        ("f.xlsx", b"PK", "it ends in '.xlsx'; rows are read from .jsonl"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, name, content, words):
    with pytest.raises(DatasetError) as caught:
        list(read(write(tmp_path, name, content)))
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["f.jsonl", "f.json", "f.csv"])
def test_a_file_that_is_not_there_is_named(tmp_path, name):
    with pytest.raises(DatasetError, match="no such file"):
        list(read(tmp_path / name))


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setattr(rows.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DatasetError, match=r"pip install 'distilltest\[parquet\]'"):
        list(read(write(tmp_path, "f.parquet", b"PAR1")))


def test_parquet_is_read_in_batches(tmp_path, monkeypatch):
    """Uses a stand-in, because pyarrow is not a development dependency."""

    class File:
        def __init__(self, path):
            if path.read_bytes() != b"PAR1":
                raise ValueError("no magic bytes")

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def iter_batches(self, batch_size):
            return (types.SimpleNamespace(to_pylist=lambda row=row: [row]) for row in ROWS)

    monkeypatch.setattr(rows.importlib.util, "find_spec", lambda _: object())
    monkeypatch.setitem(sys.modules, "pyarrow", types.ModuleType("pyarrow"))
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", types.SimpleNamespace(ParquetFile=File))
    assert list(read(write(tmp_path, "f.parquet", b"PAR1"))) == list(enumerate(ROWS, start=1))
    with pytest.raises(DatasetError, match="not Parquet"):
        list(read(write(tmp_path, "f.parquet", b"x")))


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=60), st.sampled_from(["f.jsonl", "f.json", "f.csv"]))
def test_no_file_crashes_it(tmp_path, content, name):
    try:
        list(read(write(tmp_path, name, content)))
    except DatasetError as error:
        assert name in str(error)  # noqa: PT017  # an error is allowed, not demanded


VALUES = st.recursive(
    st.none() | st.integers(-(2**60), 2**60) | st.text(st.characters(exclude_categories=["Cs"])), st.lists, max_leaves=6
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(VALUES, st.integers(0, 2)), max_size=6), st.none() | st.integers(0, 3), st.booleans())
def test_lines_of_json_lists_are_where_their_elements_begin(tmp_path, values, indent, wrapped):
    text = '{"first": {"requests": [1]},\n"requests" :\n[' if wrapped else "["
    expected = []
    for number, (value, gap) in enumerate(values):
        text += "," * bool(number) + "\n" * gap
        expected.append((text.count("\n") + 1, value))
        text += json.dumps(value, indent=indent)
    text += '\n], "last": 1e300}' if wrapped else "\n ]\n"
    assert list(read(write(tmp_path, "f.json", text))) == expected
