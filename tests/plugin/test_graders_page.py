"""Every grader has an example in docs/reference/graders.md, and every example runs and passes."""

import json
import re

import pytest
from pages import page_named
from plugin.answering_server import chat_answer

from distilltest.pytest_plugin.fixtures import GRADERS

PAGE = page_named("graders.md").read_text(encoding="utf-8")
EXAMPLES = {match[2]: match[1] for match in re.finditer(r"```python\n(def test_(\w+)\(.*?)```", PAGE, re.DOTALL)}
OWN = re.findall(r"```python\n(from distilltest import Grade.*?)```", PAGE, re.DOTALL)
ROME = {
    "question": "Where does Rome lie?",
    "reference": "I think Rome lies in Italy",
    "answer": "I think Rome lies in Italy",
}
ANSWERS = {
    "exact_match": "I think Rome lies in   Italy",
    "valid_json": '```json\n{"city": "Rome"}\n```',
    "valid_xml": "<city>Rome</city>",
    "json_schema": '{"city": "Rome"}',
    "json_match": '{"city": "Rome", "days": 4}',
    "number": "That makes \\boxed{1.25\\text{ km}}, and not 3.",
    "classification": "Label: **Refund**.",
    "tool_calls": "TOOL",
}


def judge(body):
    """Says what passes in the examples."""
    schema = body["response_format"]["json_schema"]["schema"]["properties"]["verdict"]
    if schema["type"] == "object":
        return 200, chat_answer(
            "judge", json.dumps({"reasons": "all", "verdict": dict.fromkeys(schema["required"], "Y")})
        )
    wanted = ["Y", "5", "C", "positive", "plain", "polite", "tie"]
    verdict = next((label for label in wanted if label in schema.get("enum", ())), schema.get("maximum"))
    return 200, chat_answer("judge", json.dumps({"reasons": "it does", "verdict": verdict}))


def echo(body):
    text = body["messages"][-1]["content"]
    answer = chat_answer(body["model"], text)
    if text == "TOOL":
        call = {
            "id": "1",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city": "Rome", "days": 2}'},
        }
        answer["choices"][0]["message"] = {"role": "assistant", "content": None, "tool_calls": [call]}
    return 200, answer


def test_every_grader_has_an_example_and_a_fixture_that_explains_itself():
    from distilltest import graders
    from distilltest.pytest_plugin import fixtures

    assert set(graders.__all__) <= set(GRADERS)
    assert set(EXAMPLES) == set(GRADERS)
    assert len(OWN) == 2
    for name in GRADERS:
        assert f"### `{name}`" in PAGE
        assert f"``{name}(" in getattr(fixtures, name).__doc__


@pytest.mark.parametrize("half", [0, 1])
def test_every_example_runs_and_passes(project, half):
    project.server.scripted |= dict.fromkeys(("base", "teacher", "candidate"), echo) | {"judge": judge}
    config = (project.root / "distilltest.yaml").read_text()
    project.write(
        "distilltest.yaml",
        config + "judge: {server: local, model: judge}\nembeddings: {server: embedded, model: embedded-embeddings}\n",
    )
    # The id makes eight requests of eight cases: copies of one would be one.
    project.write(
        "prompt.yaml",
        'messages:\n  - {role: system, content: "{{ item.id }}"}\n  - {role: user, content: "{{ item.answer }}"}\n',
    )
    project.write(
        "judge.yaml",
        "messages:\n  - {role: user, content: 'Polite, for {{ item.audience }}? {{ item.format }} {{ item.answer }}'}\n",
    )
    source = "from distilltest import at_least, evaluation, preferred_to\n"
    names = sorted(EXAMPLES)[half::2]
    for name in names:
        rows = [ROME | {"id": f"{i}", "answer": ANSWERS.get(name, ROME["answer"])} for i in range(8)]
        project.write(f"{name}.jsonl", "\n".join(map(json.dumps, rows)))
        example = EXAMPLES[name].rstrip()
        if name == "preference":  # which compares, and grades nothing that at_least could be about
            example += "\n    assert completion.text"
        source += f'\n\n@evaluation(dataset="{name}.jsonl", prompt="prompt.yaml", gate=[at_least(0.5)])\n{example}\n'
    if half == 0:
        project.write("conftest.py", "\n\n".join(OWN))
        project.write("own.jsonl", "\n".join(json.dumps(ROME | {"id": f"{i}"}) for i in range(8)))
        source += (
            '\n\n@evaluation(dataset="own.jsonl", prompt="prompt.yaml", gate=[at_least(0.5)])\n'
            "def test_own(case, completion, is_short, agrees):\n    is_short(words=9)\n    agrees()\n"
        )
        names = [*names, "own"]
    project.write("suites/test_numbers.py", source)
    result = project.run()
    result.assert_outcomes(passed=len(names))
    assert result.ret == 0
