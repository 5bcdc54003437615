"""Inputs: every format, and every mistake with its line."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distilltest.errors import DatasetError
from distilltest.records import fingerprint
from distilltest.training_files.inputs import messages_of, read_inputs

TEXTS = ["show the log", "what, exactly?"]


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("f.json", json.dumps({"requests": TEXTS})),
        ("f.json", json.dumps(TEXTS)),
        ("f.json", json.dumps([{"request": text} for text in TEXTS])),
        ("f.jsonl", "".join(json.dumps(text) + "\n" for text in TEXTS)),
        ("f.jsonl", "\n\n".join(json.dumps({"request": text}) for text in TEXTS)),
        ("f.csv", 'request\nshow the log\n"what, exactly?"\n'),
        ("f.txt", "\ufeffshow the log\r\n\r\n  what, exactly?  "),
        ("f", "show the log\nwhat, exactly?\nshow the log\n"),
    ],
)
def test_every_format_gives_the_same_cases(tmp_path, name, content):
    found = read_inputs(write(tmp_path, name, content))
    assert [case.item for case in found.cases] == [{"request": text} for text in TEXTS]
    assert [case.id for case in found.cases] == [f"r-{fingerprint({'request': text})[:16]}" for text in TEXTS]
    assert found.twice == (name == "f")
    assert [messages_of(case)[-1]["content"] for case in found.cases] == TEXTS


def test_ids_tags_clusters_and_messages_are_kept(tmp_path):
    messages = [{"role": "system", "content": "x"}, {"role": "user", "content": "hello"}]
    rows = [{"id": 7, "messages": messages, "tags": "a, b", "cluster": 3}, {"title": "x", "id": ""}]
    one, other = read_inputs(write(tmp_path, "f.jsonl", "\n".join(map(json.dumps, rows))), "f.jsonl").cases
    assert (one.id, one.tags, one.cluster, one.place) == ("7", ("a", "b"), "3", "f.jsonl:1")
    assert messages_of(one) == tuple(messages)
    assert other.id.startswith("r-")
    assert messages_of(other) is None


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("f.jsonl", '"a"\n7\n', ":2: the request is a number; it must be a text or an object"),
        ("f.jsonl", '"a"\n""\n', ":2: the request is empty"),
        ("f.jsonl", '"a"\n{"id": "b"}\n', ":2: the request is empty"),
        ("f.jsonl", '"a"\n{"request": " ", "x": 1}\n', ":2: the request is empty"),
        ("f.jsonl", '"a"\n{"messages": []}\n', ':2: "messages" is an empty list'),
        ("f.jsonl", '"a"\n{"messages": [{"role": "x"}]}\n', ":2: message 1 has the role 'x'"),
        ("f.jsonl", '"a"\n{"request": "b", "id": true}\n', ':2: the "id" is true or false'),
        ("f.jsonl", '"a"\n{"request": "b", "tags": [1]}\n', ':2: "tags" must be a list'),
        (
            "f.jsonl",
            '{"id": 1, "q": "b"}\n{"id": "1", "q": "c"}\n',
            ":2: the id '1' is there twice with different content",
        ),
        ("f.jsonl", '{"x": ' * 600 + "1" + "}" * 600, ":1: lists and objects are nested more than 100 deep"),
        ("f.json", '{"requests": [\n"a",\n[]]}', ":3: the request is a list"),
        ("f.csv", "request,x\na,b\n,\n", ":3: the request is empty"),
        ("f.csv", "request,x\na\n", ":2: 1 fields"),
        ("f.txt", b"ok\n\xe4\n", ":2: not UTF-8"),
        ("f.txt", "\n \n", "there is no request in the file"),
        ("f.json", "[]", "there is no request in the file"),
        ("f.doc", "x", "it ends in '.doc'"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, name, content, words):
    with pytest.raises(DatasetError) as caught:
        read_inputs(write(tmp_path, name, content))
    assert words in str(caught.value)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=60), st.sampled_from(["f.jsonl", "f.json", "f.csv", "f.txt", "f"]))
def test_no_file_crashes_it(tmp_path, content, name):
    try:
        assert read_inputs(write(tmp_path, name, content)).cases
    except DatasetError as error:
        assert name in str(error)  # noqa: PT017  # an error is allowed, not demanded


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.permutations(["a", "b", "c", "d"]))
def test_made_ids_do_not_depend_on_the_order(tmp_path, texts):
    found = read_inputs(write(tmp_path, "f.txt", "\n".join(texts)))
    alone = {text: read_inputs(write(tmp_path, "g.txt", text)).cases[0].id for text in texts}
    assert [case.id for case in found.cases] == [alone[text] for text in texts]
