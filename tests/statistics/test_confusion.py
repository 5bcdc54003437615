from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilltest.evaluations.confusion import Confusion
from distilltest.graders import classification
from distilltest.statistics.confusion import macro_f1, recalls

PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcx")), min_size=1, max_size=40)


def f1_by_definition(pairs, label):
    right = sum(1 for wanted, given in pairs if wanted == given == label)
    precision = right / max(1, sum(1 for _, given in pairs if given == label))
    recall = right / sum(1 for wanted, _ in pairs if wanted == label)
    return 2 * precision * recall / (precision + recall) if right else 0.0


@given(PAIRS)
def test_macro_f1_is_the_mean_of_f1_by_its_definition(pairs):
    labels = sorted({wanted for wanted, _ in pairs})
    expected = sum(f1_by_definition(pairs, label) for label in labels) / len(labels)
    assert macro_f1(Counter(pairs)) == pytest.approx(expected)


@given(PAIRS)
def test_a_mistake_mended_never_hurts(pairs):
    before, recall = macro_f1(Counter(pairs)), recalls(Counter(pairs))
    for place, (wanted, _) in enumerate(pairs):
        mended = Counter([*pairs[:place], (wanted, wanted), *pairs[place + 1 :]])
        assert macro_f1(mended) >= before - 1e-12
        assert recalls(mended)[wanted] >= recall[wanted] - 1e-12


@given(PAIRS, st.randoms())
def test_the_order_and_the_names_of_labels_change_nothing(pairs, chance):
    shuffled = [*pairs]
    chance.shuffle(shuffled)
    renamed = [tuple({"a": "c", "b": "a", "c": "b", "x": "x"}[one] for one in pair) for pair in shuffled]
    assert macro_f1(Counter(renamed)) == pytest.approx(macro_f1(Counter(pairs)))


def test_a_dropped_label_shows_although_the_pass_rate_does_not():
    pairs = [("common", "common")] * 98 + [("rare", "common")] * 2
    assert recalls(Counter(pairs)) == {"common": 1.0, "rare": 0.0}
    assert macro_f1(Counter(pairs)) < 0.5
    with pytest.raises(ValueError, match="no answers"):
        macro_f1({})


def test_the_report_names_the_weakest_labels_first():
    counted = Confusion()
    assert counted.notes() == []
    labels = ["refund", "delivery"]
    for answer, expected in (("refund", "refund"), ("refund", "delivery"), ("delivery", "delivery"), ("?", "delivery")):
        counted.add("candidate", (classification(answer, expected, labels=labels),))
    assert counted.notes() == [
        "candidate: macro F1 0.583; recall by label, the weakest first: delivery 33 % of 3, refund 100 % of 1."
    ]
