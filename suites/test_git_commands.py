"""Does the tuned student write the git command that was asked for?"""

from distilltest import better_than, evaluation, not_worse_than


@evaluation(
    dataset="fixtures/git_requests/test.jsonl",
    prompt="fixtures/git_requests/prompt.yaml",
    gate=[better_than("base"), not_worse_than("teacher", margin=0.05)],
)
def test_writes_the_expected_command(case, completion, exact_match):
    exact_match(completion.text, case.reference)
