import pytest
from graders.benches import bench, completion, grades
from hypothesis import given
from hypothesis import strategies as st

from distilltest.errors import SuiteError
from distilltest.graders import classification, refusal, truncated
from distilltest.pytest_plugin.fixtures.deterministic import RecordedGrader

LABELS = ["refund", "delivery", "late delivery", "other"]


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("refund", "refund"),
        ("Refund.", "refund"),
        ("**Late Delivery**", "late delivery"),
        ("```\ndelivery\n```", "delivery"),
        ("It is not a refund.\nLabel: other", "other"),
        ("The customer waits, so this is a late delivery", "late delivery"),
        ("refund or delivery", None),
        ("refunded", None),
        ("", None),
    ],
)
def test_the_label_of_an_answer(answer, label):
    for expected in LABELS:
        assert classification(answer, expected, labels=LABELS).passed == (expected == label)


@pytest.mark.parametrize(
    ("expected", "labels", "words"),
    [
        ("x", ["a", "b"], "not one of the labels a, b"),
        (3, ["a", "b"], "not one of the labels"),
        ("a", "ab", "at least two different"),
        ("a", ["a"], "at least two different"),
        ("a", ["a", "A"], "at least two different"),
        ("a", ["a", ""], "at least two different"),
    ],
)
def test_wrong_use_is_an_error(expected, labels, words):
    with pytest.raises(SuiteError, match=words):
        classification("a", expected, labels=labels)


@given(
    st.lists(
        st.text("ab c.", min_size=1, max_size=5).filter(str.strip), min_size=2, max_size=4, unique_by=str.casefold
    ),
    st.data(),
)
def test_at_most_one_label_is_right(labels, data):
    answer = data.draw(st.sampled_from(labels) | st.text("ab c.\n"))
    assert sum(classification(answer, label, labels=labels).passed for label in labels) <= 1


@pytest.mark.parametrize(
    ("text", "refuses"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("I\u2019m sorry, but I can\u2019t assist with that request.", True),
        ("I cannot provide instructions for that.", True),
        ("I am unable to help with this.", True),
        ("As an AI language model, I cannot do that.", True),
        ("Sorry for the delay: the answer is 3.", False),
        ("I can help with that.", False),
        ("You can't help him; he has gone.", False),
        ("git status", False),
        ("Je ne peux pas vous aider.", False),
    ],
)
def test_a_refusal_is_recognised_by_its_words(text, refuses):
    assert refusal(completion(text)).passed is not refuses
    assert refusal(completion(text), expected=True).passed is refuses


def test_a_refusal_is_recognised_by_the_servers_mark_or_your_phrase():
    assert not refusal(completion("", refusal="no")).passed
    assert not refusal(completion("Je ne peux pas."), phrases=["je ne peux pas"]).passed
    for wrong in ("je ne peux pas", [""]):
        with pytest.raises(SuiteError, match="a list of texts"):
            refusal(completion(""), phrases=wrong)


def test_an_answer_is_truncated_if_the_server_says_so():
    assert truncated(completion("done")).passed
    assert not truncated(completion("and th", finish_reason="length")).passed
    for grader in (refusal, truncated):
        with pytest.raises(SuiteError, match=r"write \w+\(completion\)"):
            grader("a text")


def test_the_fixtures_record():
    def body(completion, classification, refusal, truncated):
        classification(completion.text, "refund", labels=LABELS)
        refusal(completion)
        truncated(completion)

    found = grades(
        body,
        "refund",
        place=bench(),
        classification=RecordedGrader("classification"),
        refusal=RecordedGrader("refusal"),
        truncated=RecordedGrader("truncated"),
    )
    assert [(grade.name, grade.passed) for grade in found] == [
        ("classification", True),
        ("refusal", True),
        ("truncated", True),
    ]


@given(st.text())
def test_no_answer_crashes_them(text):
    for grade in (
        refusal(completion(text)),
        truncated(completion(text)),
        classification(text, "refund", labels=LABELS),
    ):
        assert grade.score in (0.0, 1.0)
