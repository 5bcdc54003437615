"""Which outcomes a rule tests: no rule falls back to a judge that people were asked to check."""

import random
from dataclasses import replace

import pytest

from distilltest.gate import (
    InterimAnalyses,
    Status,
    always,
    at_least,
    better_than,
    costs_at_most,
    critical_slice,
    decide,
    faster_than,
    no_slice_regresses,
    not_worse_than,
    preferred_to,
    recovers,
)
from distilltest.gate.rules import RULES
from distilltest.gate.table import ResultsTable
from distilltest.records import Outcome

ROLES = ("base", "teacher", "candidate")
CASES = 420
ABOUT_ANSWERS = {
    "better_than": better_than("teacher"),
    "not_worse_than": not_worse_than("teacher", margin=0.05),
    "at_least": at_least(0.6),
    "always": always(),
    "recovers": recovers(0.9),
    "no_slice_regresses": no_slice_regresses(),
    "critical_slice": critical_slice("a", margin=0.05),
}
BESIDE = {
    "costs_at_most": costs_at_most(0.5),
    "faster_than": faster_than("teacher"),
    "preferred_to": preferred_to("teacher"),
}
TESTS = [not_worse_than("teacher", margin=0.05, test=test) for test in ("exact", "labels", "tango", "anchored")]


def outcomes(labelled, *, judge, people, new=0, seed=1):
    """Grades of all answers, and labels of so many random cases; so many labelled cases have a new answer of the candidate."""
    chosen = random.Random(seed).sample(range(CASES), labelled)
    for row in range(CASES):
        for role in ROLES:
            fresh = role == "candidate" and row in chosen[:new]
            human = people[role] if row in chosen and not fresh else None
            yield Outcome(
                f"case {row}",
                role,
                0,
                bool(judge[role]),
                float(judge[role]),
                "",
                human=human,
                unlabelled=fresh,
                preferences={"teacher": 1.0} if role == "candidate" else {},
            )


def table(labelled, *, judge, people, clusters=1, cases=CASES, declared=True, **more):
    """What the runner hands to the gate, at the end or in an interim analysis."""
    names = [f"case {row}" for row in range(cases)]
    some = [o for o in outcomes(labelled, judge=judge, people=people, **more) if o.case_id in set(names)]
    found = ResultsTable.from_outcomes(names, ROLES, some, "pass", labelled=declared)
    slow, quick = (1.0,) * cases, (0.5,) * cases
    return replace(
        found,
        clusters=tuple(str(row // clusters) for row in range(cases)) if clusters > 1 else (),
        tags=(("a",), ("b",)) * (cases // 2) + (("a",),) * (cases % 2),
        usd={"candidate": 0.1, "teacher": 1.0, "base": 0.1},
        latencies={"candidate": quick, "teacher": slow},
    )


JUDGE = {"base": 0, "teacher": 0, "candidate": 1}
PEOPLE = {"base": 0.0, "teacher": 1.0, "candidate": 0.0}


def test_every_rule_that_can_be_declared_is_in_this_property():
    assert set(ABOUT_ANSWERS) | set(BESIDE) == set(RULES)


@pytest.mark.parametrize("clusters", [1, 2, 6])
@pytest.mark.parametrize("analysis", [0, 3])
@pytest.mark.parametrize("labelled", [0, 12, 199, 200, 400])
def test_no_rule_believes_a_judge_that_people_contradict(labelled, analysis, clusters):
    """The judge says that the candidate is perfect, and people say that it is always wrong."""
    plan = InterimAnalyses.plan(CASES, 0.05, early=True)
    asked = table(labelled, judge=JUDGE, people=PEOPLE, clusters=clusters, cases=plan.cases[analysis])
    rules = [*ABOUT_ANSWERS.values(), *([] if clusters > 1 else TESTS)]
    for rule in rules:
        said = decide(rule, asked, alpha=plan.level(analysis)).rules[0]
        # A guard passes where nothing speaks against the candidate, and few labels may hold too little that does.
        assert said.status is not Status.PROMOTE or (not rule.proves and said.labelled < 20), said.sentence
        assert said.labels
        assert said.labels in said.sentence
        assert said.labelled is not None
    for rule in BESIDE.values():
        said = decide(rule, asked, alpha=plan.level(analysis)).rules[0]
        assert said.labelled is None
        assert "people's labels are not used: they do not say" in said.sentence


@pytest.mark.parametrize("clusters", [1, 6])
@pytest.mark.parametrize("labelled", [12, 199, 400])
def test_people_are_believed_against_a_judge_that_is_too_strict(labelled, clusters):
    strict, fair = {"base": 1, "teacher": 1, "candidate": 0}, {"base": 0.0, "teacher": 0.0, "candidate": 1.0}
    asked = table(labelled, judge=strict, people=fair, clusters=clusters)
    said = decide(better_than("teacher"), asked).rules[0]
    assert said.status is not Status.BLOCK, said.sentence
    assert said.status is Status.PROMOTE or labelled < 20


@pytest.mark.parametrize("rule", ABOUT_ANSWERS.values(), ids=ABOUT_ANSWERS)
def test_few_labels_decide_whatever_the_judge_says(rule):
    """Only ``always`` may block because of a grade."""
    people = {"base": 0.0, "teacher": 1.0, "candidate": 1.0}
    said = [
        decide(rule, table(150, judge=judge, people=people)).rules[0]
        for judge in (JUDGE, {"base": 1, "teacher": 0, "candidate": 1})
    ]
    assert said[0] == said[1]
    assert 0 < said[0].labelled <= 150


def test_a_failure_that_only_the_grader_saw_still_breaks_what_must_always_hold():
    people = {"base": 0.0, "teacher": 1.0, "candidate": 1.0}
    assert decide(always(), table(150, judge=people, people=people)).rules[0].status is Status.PROMOTE
    strict = decide(always(), table(150, judge={**people, "candidate": 0}, people=people))
    assert strict.status is Status.BLOCK
    assert "fails 270 of 420 cases" in strict.sentence


def test_labels_of_other_answers_decide_nothing_and_the_sentence_says_what_to_do():
    good = {"base": 0, "teacher": 1, "candidate": 1}
    verdict = decide(not_worse_than("teacher", margin=0.05), table(0, judge=good, people=PEOPLE))
    assert verdict.status is Status.UNDECIDED
    assert "none of 420 pairs is labelled" in verdict.sentence
    assert "distilltest judge sample EVALUATION --against teacher" in verdict.sentence
    assert (
        decide(not_worse_than("teacher", margin=0.05), table(0, judge=good, people={}, declared=False)).status
        == "promote"
    )


@pytest.mark.parametrize("labelled", [150, 300])
def test_a_new_answer_to_a_labelled_case_counts_against_the_claim(labelled):
    """Otherwise a candidate would gain by changing only answers that get worse."""
    good = {"base": 0.0, "teacher": 1.0, "candidate": 1.0}
    rule = not_worse_than("teacher", margin=0.1)

    def verdict(new):
        return decide(rule, table(labelled, judge=good, people=good, new=new))

    assert verdict(0).status is Status.PROMOTE
    assert verdict(2).status is Status.PROMOTE
    many = verdict(labelled // 2)
    assert many.status is Status.UNDECIDED
    assert f"{labelled // 2} labelled cases have new, unlabelled answers" in many.sentence
    worse = {**good, "candidate": 0.0}
    assert decide(rule, table(labelled, judge=good, people=worse, new=labelled // 10)).status is Status.BLOCK


def test_one_label_more_or_less_does_not_flip_the_verdict():
    """Once 199 labelled pairs promoted and 200 of the same data blocked, because below 200 the judge decided."""
    chance = random.Random(3)
    right = [chance.random() < 0.8 for _ in range(800)]
    lost = [ok and chance.random() < 0.2 for ok in right]
    truth = {
        "teacher": [float(ok) for ok in right],
        "candidate": [float(ok and not gone) for ok, gone in zip(right, lost, strict=True)],
    }
    judge = {"teacher": truth["teacher"], "candidate": [float(ok) for ok in right]}
    rule = not_worse_than("teacher", margin=0.05)
    said = []
    for count in (199, 200):
        human = {role: [v if i < count else None for i, v in enumerate(column)] for role, column in truth.items()}
        said.append(decide(rule, **judge, human=human).status)
    assert decide(rule, **judge).status is Status.PROMOTE
    assert said == [Status.BLOCK, Status.BLOCK]


def test_labels_have_no_worst_case_for_unanswerable_cases():
    ours = [1.0] * 299 + [None]
    human = {"candidate": [1.0] * 150 + [None] * 150, "teacher": [1.0] * 150 + [None] * 150}
    verdict = decide(
        not_worse_than("teacher", margin=0.1), candidate=ours, teacher=[1.0] * 300, human=human, worst_case=True
    )
    assert verdict.status is Status.INCOMPLETE
    assert "people cannot label them" in verdict.sentence


def test_a_teacher_that_only_the_judge_lets_pass_proves_nothing():
    """By the labels no role does the task, so "not worse than the teacher" proves nothing."""
    judge, people = {"base": 1, "teacher": 1, "candidate": 1}, {"base": 0.0, "teacher": 0.0, "candidate": 0.0}
    for labelled in (150, 300):
        verdict = decide(not_worse_than("teacher", margin=0.05), table(labelled, judge=judge, people=people))
        assert verdict.status is Status.INCOMPLETE
