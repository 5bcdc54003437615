"""Datasets: every format, and every mistake with its place."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distilltest.data import dataset as dataset_module
from distilltest.data.dataset import load_dataset
from distilltest.errors import DatasetError

ROWS = [
    {"id": "a", "question": "one, two", "reference": "1", "tags": ["x", "y"], "cluster": "d1"},
    {"id": "b", "question": 'say "hi"', "reference": "2", "alternatives": ["zwei"]},
]


def write(folder, name, text):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_all_formats_give_the_same_cases(tmp_path):
    import yaml

    texts = {
        "d.jsonl": "\n".join(map(json.dumps, ROWS)) + "\n\n",
        "d.json": json.dumps(ROWS),
        "d.yaml": yaml.safe_dump(ROWS),
        "d.ndjson": "\n".join(map(json.dumps, ROWS)),
        "e.json": json.dumps({"requests": ROWS}),
        "e.yml": yaml.safe_dump({"requests": ROWS}),
    }
    loaded = [load_dataset(write(tmp_path, name, text)) for name, text in texts.items()]
    assert len({dataset.fingerprint for dataset in loaded}) == 1
    first, second = loaded[0].cases
    assert (first.tags, first.cluster, first.reference) == (("x", "y"), "d1", "1")
    assert second.alternatives == ("zwei",)
    assert first.place.endswith("d.jsonl:1")


def test_a_value_that_json_does_not_have_is_named_with_its_place(tmp_path, monkeypatch):
    """Parquet has such values; a stand-in gives one, because pyarrow is not a development dependency."""
    monkeypatch.setattr(dataset_module, "read_rows", lambda *_: iter([(1, ROWS[0]), (2, {"id": "b", "price": {1, 2}})]))
    with pytest.raises(DatasetError, match=r"d\.parquet:2: 'price' cannot be written as JSON"):
        load_dataset(write(tmp_path, "d.parquet", b"PAR1"), "d.parquet")


def test_csv_has_tags_with_commas_and_empty_fields_are_not_there(tmp_path):
    text = 'id,question,reference,tags\n1,"one, two",,"x, y"\n2,b,yes,\n'
    first, second = load_dataset(write(tmp_path, "d.csv", text)).cases
    assert (first.id, first.item["question"], first.reference, first.tags) == ("1", "one, two", None, ("x", "y"))
    assert (second.reference, second.tags) == ("yes", ())


def test_the_fingerprint_changes_with_a_row_and_with_the_order(tmp_path):
    one, two = (json.dumps(row) for row in ROWS)
    a = load_dataset(write(tmp_path, "a.jsonl", f"{one}\n{two}\n"))
    b = load_dataset(write(tmp_path, "b.jsonl", f"{two}\n{one}\n"))
    c = load_dataset(write(tmp_path, "c.jsonl", f"{one}\n{two.replace('hi', 'ho')}\n"))
    assert len({a.fingerprint, b.fingerprint, c.fingerprint}) == 3


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("d.jsonl", '{"id": "a"}\n{"id": "b"', "d.jsonl:2: not JSON"),
        ("d.jsonl", '{"id": "a"}\n{"id": "a"}\n', "d.jsonl:2: the id 'a' is there twice, first at d.jsonl:1"),
        ("d.jsonl", '{"question": "x"}\n', "d.jsonl:1: the case has no id"),
        ("d.jsonl", '{"id": true}\n', "d.jsonl:1: the case has the id True"),
        ("d.jsonl", '["a"]\n', "d.jsonl:1: a case is an object with an id, not a list"),
        ("d.jsonl", '{"id": "a", "tags": [1]}\n', "\"tags\" of case 'a' must be a list of texts"),
        ("d.jsonl", '{"id": "a", "alternatives": "x"}\n', "it must be a list"),
        ("d.jsonl", "\n \n", "the dataset is empty"),
        ("d.jsonl", b'{"id": "\xff"}\n', "d.jsonl:1: not UTF-8"),
        ("d.json", '{"id": "a"}', "d.json:1: a dataset is a list of objects, not an object"),
        ("d.json", '[{"id": "a"},\n', "d.json:2: not JSON"),
        ("d.yaml", "- id: a\n- {id: b\n", "not YAML"),
        ("d.csv", "id,q\n1,a,b\n", "d.csv:2: 3 fields, but the header has 2"),
        ("d.csv", 'id,q\n1,"a\n', "d.csv:2: not CSV"),
        ("d.txt", "x", "this one ends in '.txt'"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path, name, text, words):
    with pytest.raises(DatasetError) as caught:
        load_dataset(write(tmp_path, name, text), name)
    assert words in str(caught.value)


def test_a_file_that_is_not_there_says_what_is(tmp_path):
    write(tmp_path, "test.jsonl", "{}")
    with pytest.raises(DatasetError, match=r"test\.jsonl"):
        load_dataset(tmp_path / "tset.jsonl", "tset.jsonl")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=80), st.sampled_from(["d.jsonl", "d.json", "d.yaml", "d.csv"]))
def test_no_file_crashes_it(tmp_path, content, name):
    try:
        assert load_dataset(write(tmp_path, name, content)).cases
    except DatasetError as error:
        assert name in str(error)  # noqa: PT017  # an error is allowed, not demanded
