"""An import loses no answer without a word: what cannot be read is refused with its line, what says nothing is counted."""

import json

import pytest

ASKED = {"role": "user", "content": "q"}


def told(content, **more):
    return {"model": "m", "messages": [ASKED, {"role": "assistant", "content": content, **more}]}


@pytest.mark.parametrize(
    "line",
    [
        told([{"type": "text", "value": "hi"}]),
        told([{"type": "text", "text": {"value": "hi", "annotations": []}}]),
        told(["hi"]),
        told([]),
        told(None),
        {"model": "m", "messages": [ASKED], "answer": [{"type": "text", "value": "hi"}]},
        {"model": "m", "messages": [ASKED], "choices": [{"message": {"content": [{"type": "text", "value": "hi"}]}}]},
        {
            "model": "m",
            "request": {"messages": [ASKED]},
            "response": {"choices": [{"message": {"content": [{"value": "hi"}]}}]},
        },
        {"model": "m", "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "hi"}]},
        {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "value": "q"}]}], "answer": "hi"},
        {"model": "m", "messages": [{"role": "user", "content": ["q"]}], "answer": "hi"},
        {"model": "m", "messages": [{"role": "user", "content": [{"value": "q"}]}], "answer": "hi"},
    ],
    ids=lambda line: json.dumps(line)[15:90],
)
def test_what_would_be_read_as_nothing_is_refused_with_its_line(project, line):
    path = project.write("in.jsonl", json.dumps(told("good")) + "\n" + json.dumps(line) + "\n")
    project.run("import", str(path), code=3)
    assert "in.jsonl:2: " in project.error
    assert "Nothing was imported" in project.error


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ([{"type": "text", "text": "hi"}], "hi"),
        ([{"type": "output_text", "text": "h"}, {"type": "text", "text": "i"}], "hi"),
        ("hi", "hi"),
    ],
)
def test_parts_with_a_text_are_joined(project, answer, text):
    path = project.write("in.jsonl", json.dumps(told(answer)) + "\n")
    assert "remark" not in project.run("import", str(path))
    with project.store() as store:
        assert [each.completion.text for each in store.find_completions()] == [text]


def test_answers_that_say_nothing_are_counted_also_on_the_way_back(project):
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    lines = [told("good"), told(""), told(" \n"), told(None, refusal="no"), told(None, tool_calls=[call])]
    for number, line in enumerate(lines):
        line["messages"][0] = {"role": "user", "content": f"q {number}"}
    path = project.write("in.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    said = project.run("import", str(path))
    assert "5 completions added" in said
    assert f"remark: 2 answers say nothing (no text, no tool call, no refusal), the first at {path}:2" in said
    assert "remark" not in project.run("import", str(path))  # they are known
    project.run("export", "out.jsonl")
    (project.root / ".distilltest/store.sqlite3").unlink()
    assert "remark: 2 answers say nothing" in project.run("import", "out.jsonl")
