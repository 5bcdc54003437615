"""For any data and any gate, *promote* implies a proven claim about the candidate, by roles that can do the task."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from distilltest.gate import (
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
from distilltest.gate.health import AnswerHealth, GraderHealth
from distilltest.gate.table import Constant, ResultsTable

ROLES = ("base", "teacher", "candidate")
ALPHA = 0.05
CLAIMS = {
    "better": better_than("base"),
    "not worse": not_worse_than("teacher", margin=0.05),
    "nearly": not_worse_than("base", margin=0.4),
    "slice": critical_slice("a", margin=0.1),
    "at least": at_least(0.02),
    "recovers": recovers(0.5),
    "preferred": preferred_to("teacher"),
}
GUARDS = {
    "guard": no_slice_regresses("teacher"),
    "always": always(),
    "teacher always": always(role="teacher"),
    "teacher at least": at_least(0.01, role="teacher"),
    "cost": costs_at_most(0.9),
    "speed": faster_than("teacher"),
}
GATES = CLAIMS | GUARDS


def table(columns, n, *, binary=True, clusters=(), **more):
    return ResultsTable(
        tuple(map(str, range(n))),
        columns,
        binary=binary,
        clusters=clusters,
        tags=tuple(("a",) if i % 2 else ("b",) for i in range(n)),
        usd={"teacher": 1.0, "candidate": 0.1},
        latencies={"teacher": (0.3,) * n, "candidate": (0.1,) * n},
        preferences={"teacher": (1.0,) * n},
        **more,
    )


@st.composite
def results(draw):
    """Roles that pass nothing, little, much or all, whether the same cases or others; with scores and clusters, too."""
    n = draw(st.sampled_from([1, 2, 12, 60, 130, 400]))
    dice = random.Random(draw(st.integers(0, 9999)))
    binary, clustered = draw(st.booleans()), draw(st.booleans())
    rates = {role: draw(st.sampled_from([0.0, 0.0, 0.01, 0.04, 0.06, 0.5, 1.0])) for role in ROLES}
    luck = [dice.random() for _ in range(n)]

    def value(rate, hard):
        right = (hard if dice.random() < 0.8 else dice.random()) < rate
        return (1.0 if binary else dice.choice([0.3, 1.0])) if right else 0.0

    columns = {role: tuple(value(rates[role], hard) for hard in luck) for role in ROLES}
    clusters = tuple(f"document {i // 3}" for i in range(n)) if clustered else ()
    return table(columns, n, binary=binary, clusters=clusters)


@settings(deadline=None, max_examples=200)
@given(results(), st.sets(st.sampled_from(sorted(GATES)), min_size=1, max_size=3))
def test_promote_implies_competence_and_a_proven_claim(data, names):
    gate = {name: GATES[name] for name in sorted(names)}
    verdict = decide(list(gate.values()), data, alpha=ALPHA)
    if verdict.status is not Status.PROMOTE:
        return
    assert all(rule.status is Status.PROMOTE for rule in verdict.rules)
    assert set(gate) & set(CLAIMS), "only guards"
    rates = {role: sum(values) / len(values) for role, values in data.values.items()}
    if set(gate) & {"better", "not worse", "nearly", "slice", "at least", "recovers"}:
        assert rates["candidate"] > 0
    if set(gate) & {"not worse", "slice", "recovers", "guard"}:
        assert rates["teacher"] > 0
    for name, role, margin in (("not worse", "teacher", 0.05), ("nearly", "base", 0.4)):
        if name in gate:
            assert rates[role] > margin
            if data.binary and not data.clusters:
                passed = round(sum(data.values[role]))
                assert stats.binomtest(passed, len(data.case_ids), margin, "greater").pvalue <= ALPHA


@pytest.mark.parametrize("n", [2, 59, 400])
@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("name", [name for name in GATES if name not in ("preferred", "cost", "speed")])
def test_no_rule_holds_if_no_role_passes(name, n, binary, clustered):
    clusters = tuple(map(str, range(n))) if clustered else ()
    made = table(dict.fromkeys(ROLES, (0.0,) * n), n, binary=binary, clusters=clusters)
    verdict = decide(GATES[name], made)
    assert verdict.status in (Status.INCOMPLETE, Status.BLOCK)
    assert "no role passes any of" in verdict.sentence
    assert "look at the grader" in verdict.sentence


@pytest.mark.parametrize("names", [["guard"], ["always"], ["cost"], ["speed"], ["teacher at least"], list(GUARDS)])
def test_guards_alone_promote_nothing(names):
    n = 400
    perfect = table(dict.fromkeys(ROLES, (1.0,) * n), n)
    verdict = decide([GUARDS[name] for name in names], perfect)
    assert {rule.status for rule in verdict.rules} == {Status.PROMOTE}
    assert verdict.status is Status.INCOMPLETE
    assert "nothing is proven about the candidate's answers" in verdict.sentence
    with_a_claim = decide([at_least(0.9), *(GUARDS[name] for name in names)], perfect)
    assert with_a_claim.status is Status.PROMOTE


def test_a_claim_that_does_not_apply_yet_proves_nothing():
    n = 100
    perfect = table(dict.fromkeys(ROLES, (1.0,) * n), n, vacant=("promoted",))
    verdict = decide([not_worse_than("promoted", margin=0.05), always()], perfect)
    assert verdict.status is Status.INCOMPLETE
    assert "do not apply yet" in verdict.sentence


def test_a_teacher_within_the_margin_of_always_wrong_proves_nothing():
    def verdict(passed):
        some = (1.0,) * passed + (0.0,) * (400 - passed)
        return decide(not_worse_than("teacher", margin=0.05), table(dict.fromkeys(ROLES, some), 400))

    said = verdict(20)
    assert said.status is Status.INCOMPLETE
    assert "teacher passes 5 % of 400 cases, and a model that is always wrong would be within 5 points" in said.sentence
    assert verdict(27).status is Status.INCOMPLETE  # 6.75 %: not yet shown to be above 5
    assert verdict(29).status is Status.PROMOTE


def test_an_untuned_base_that_passes_nothing_is_normal():
    some, none = (1.0,) * 30 + (0.0,) * 30, (0.0,) * 60
    made = table({"base": none, "teacher": some, "candidate": some}, 60)
    assert decide([better_than("base"), recovers(0.5)], made).status is Status.PROMOTE


def test_a_broken_slice_is_not_hidden_by_the_other_cases():
    half = tuple(0.0 if i % 2 else 1.0 for i in range(400))  # nobody passes a case with the tag "a"
    verdict = decide(critical_slice("a", margin=0.05), table(dict.fromkeys(ROLES, half), 400))
    assert verdict.status is Status.INCOMPLETE
    assert "teacher passes none of 200 cases with the tag 'a'" in verdict.sentence


def test_a_block_without_a_passing_role_says_so():
    verdict = decide(at_least(0.8), table(dict.fromkeys(ROLES, (0.0,) * 60), 60))
    assert verdict.status is Status.BLOCK
    assert "look at the grader" in verdict.sentence


LABELS = tuple(1.0 if i % 10 < 6 else 0.0 for i in range(200))
"""Of 200 cases, "yes" is right in 120."""


@pytest.mark.parametrize(
    ("right", "status"),
    [
        (LABELS, Status.INCOMPLETE),  # always yes
        (tuple(float(i % 5 != 0) for i in range(200)), Status.PROMOTE),  # 80 %, and not by the label
        (tuple(float(i % 2) for i in range(200)), Status.INCOMPLETE),  # a coin
    ],
)
def test_a_known_chance_level_must_be_exceeded(right, status):
    made = table(dict.fromkeys(ROLES, right), 200, constant=Constant("yes", LABELS))
    verdict = decide(not_worse_than("teacher", margin=0.05), made)
    assert verdict.status is status
    if status is Status.INCOMPLETE:
        assert "a model that always answers 'yes' would pass 60 %" in verdict.sentence
    unknown = table(dict.fromkeys(ROLES, right), 200)
    assert decide(not_worse_than("teacher", margin=0.05), unknown).status is Status.PROMOTE


def same(identical, answers=100, empty=0):
    return AnswerHealth(answers, empty=empty, identical=identical, commonest="Happy to help!")


@pytest.mark.parametrize(
    ("answers", "reference", "status"),
    [
        ({"candidate": same(100), "teacher": same(3)}, None, Status.INCOMPLETE),
        ({"candidate": same(90), "teacher": same(3)}, None, Status.INCOMPLETE),
        ({"candidate": same(89), "teacher": same(3)}, None, Status.PROMOTE),
        ({"candidate": same(100)}, None, Status.INCOMPLETE),  # nothing says that one answer is right
        ({"candidate": same(100), "teacher": same(3)}, 0.2, Status.INCOMPLETE),
        ({"candidate": same(100), "teacher": same(3)}, 0.95, Status.PROMOTE),  # the references say so
        ({"candidate": same(100), "teacher": same(99)}, None, Status.PROMOTE),  # all give it
        (
            {"base": same(100), "candidate": same(100), "teacher": same(3)},
            None,
            Status.INCOMPLETE,
        ),  # a bad base does, too
        ({"candidate": same(100), "teacher": same(99)}, 0.01, Status.INCOMPLETE),  # and the references differ
        ({"candidate": same(3), "teacher": same(100)}, None, Status.INCOMPLETE),  # a broken teacher is beaten
        ({"candidate": same(9, 9), "teacher": same(1, 9)}, None, Status.PROMOTE),  # too few to say
    ],
)
@pytest.mark.parametrize("rule", [preferred_to("teacher"), not_worse_than("teacher", margin=0.05)])
def test_one_text_to_every_case_is_not_trusted(rule, answers, reference, status):
    made = table(dict.fromkeys(ROLES, (1.0,) * 100), 100, answers=answers, same_reference=reference)
    verdict = decide(rule, made)
    assert verdict.status is status
    if status is Status.INCOMPLETE:
        assert "the same answer, 'Happy to help!', to" in verdict.sentence


def test_an_empty_answer_to_every_case_is_called_empty():
    answers = {"candidate": same(100, empty=100), "teacher": same(2)}
    verdict = decide(at_least(0.5), table(dict.fromkeys(ROLES, (1.0,) * 100), 100, answers=answers))
    assert "candidate gives an empty answer to 100 of 100 requests" in verdict.sentence


def test_the_most_common_reason_of_the_worst_grader_is_quoted():
    graders = (
        GraderHealth("valid_json", 300, 290, 100, 0, 90, "not JSON", 10),
        GraderHealth("exact_match", 300, 0, 100, 100, 0, "'42' is not '43'", 299),
    )
    verdict = decide(
        not_worse_than("teacher", margin=0.05), table(dict.fromkeys(ROLES, (0.0,) * 100), 100, graders=graders)
    )
    assert "exact_match fails 300 of 300 answers, most often: \"'42' is not '43'\" (299 times)" in verdict.sentence
