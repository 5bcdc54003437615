"""People's labels correct a judge that favours the candidate."""

import random

import pytest

from distilltest import decide, not_worse_than


def judged(cases=800, labelled=300, seed=7):
    """The candidate is really worse by 10 points; the judge lets half of its extra mistakes pass as right."""
    chance = random.Random(seed)
    truth = {"candidate": [], "teacher": []}
    verdicts = {"candidate": [], "teacher": []}
    for _ in range(cases):
        hard = chance.random()
        for role, level, kind in (("candidate", 0.70, 0.35), ("teacher", 0.80, 0.02)):
            right = hard < level
            truth[role].append(float(right))
            verdicts[role].append(float(right or chance.random() < kind))
    chosen = set(chance.sample(range(cases), labelled))
    human = {role: [value if i in chosen else None for i, value in enumerate(column)] for role, column in truth.items()}
    return verdicts, human


def test_an_uncorrected_judge_promotes_what_people_would_not():
    verdicts, human = judged()
    rule = not_worse_than("teacher", margin=0.05)
    assert decide(rule, **verdicts).status == "promote"
    corrected = decide(rule, **verdicts, human=human)
    assert corrected.status != "promote"
    assert corrected.rules[0].test == "prediction-powered t test (PPI++)"
    assert "corrected by 300 pairs that people labelled" in corrected.sentence
    assert "in 800 cases by the judge" in corrected.sentence
    assert corrected.rules[0].low < -0.10 < corrected.rules[0].high


def test_labels_too_few_to_correct_a_judge_decide_alone():
    verdicts, human = judged(labelled=199)
    rule = decide(not_worse_than("teacher", margin=0.05), **verdicts, human=human).rules[0]
    assert rule.test == "exact unconditional test"
    assert (rule.n, rule.labelled) == (199, 199)
    assert rule.status != "promote"
    assert (
        "tested on the 199 of 800 pairs that people labelled, without the judge (with 200 or more, its grades"
        in rule.sentence
    )


def test_swapping_the_roles_mirrors_the_interval():
    verdicts, human = judged()
    ours = decide(not_worse_than("teacher", margin=0.05), **verdicts, human=human).rules[0]
    theirs = decide(
        not_worse_than("teacher", margin=0.05),
        candidate=verdicts["teacher"],
        teacher=verdicts["candidate"],
        human={"candidate": human["teacher"], "teacher": human["candidate"]},
    ).rules[0]
    assert (ours.low, ours.high) == pytest.approx((-theirs.high, -theirs.low))
    assert ours.estimate == pytest.approx(-theirs.estimate)


def test_a_label_out_of_range_is_an_error():
    verdicts, human = judged()
    human["candidate"][0] = 2
    with pytest.raises(ValueError, match="not a number in"):
        decide(not_worse_than("teacher", margin=0.05), **verdicts, human=human)
