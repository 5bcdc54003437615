"""Is the tuned chatbot right, is it sarcastic, and is it funnier than its teacher?"""

from distilltest import at_least, evaluation, not_worse_than, preferred_to


@evaluation(
    dataset="fixtures/chatbot/test.jsonl",
    prompt="fixtures/chatbot/prompt.yaml",
    gate=[not_worse_than("teacher", margin=0.05)],
)
def test_is_factual(case, completion, factuality):
    factuality(completion.text, case.reference, question=case.item["question"])


@evaluation(
    dataset="fixtures/chatbot/test.jsonl",
    prompt="fixtures/chatbot/prompt.yaml",
    gate=[at_least(0.9), not_worse_than("teacher", margin=0.05)],
)
def test_is_sarcastic(completion, label_model):
    label_model(
        "Is the tone of this answer sarcastic or plain?",
        completion.text,
        labels=["sarcastic", "plain"],
        passing_labels=["sarcastic"],
    )


@evaluation(
    dataset="fixtures/chatbot/test.jsonl",
    prompt="fixtures/chatbot/prompt.yaml",
    gate=[preferred_to("teacher")],
)
def test_is_preferred(completion, preference):
    preference("teacher", "Which answer is funnier while still true?")
