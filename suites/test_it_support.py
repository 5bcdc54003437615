"""Does the tuned student answer as a good IT help desk would?"""

from distilltest import better_than, evaluation, not_worse_than


@evaluation(
    dataset="fixtures/support/test.jsonl",
    prompt="fixtures/support/prompt.yaml",
    gate=[better_than("base"), not_worse_than("teacher", margin=0.1)],
)
def test_meets_the_criteria(case, completion, criteria_match):
    criteria_match(completion.text, case.item["criteria"])
