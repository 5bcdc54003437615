"""Does the tuned student define a term as the JSON that was asked for, without the long prompt?"""

import json

from distilltest import at_least, evaluation, not_worse_than


@evaluation(
    dataset="fixtures/terms/test.jsonl",
    prompt="fixtures/terms/prompt.yaml",
    prompts={"candidate": "fixtures/terms/short_prompt.yaml"},
    gate=[at_least(0.9), not_worse_than("teacher", margin=0.05)],
)
def test_defines_the_term_as_json(case, completion, json_schema):
    grade = json_schema(completion.text, "fixtures/terms/schema.json")
    assert grade.passed, "the schema does not accept the answer, so it has no term to compare"
    assert json.loads(completion.text)["term"] == case.item["term"]
