"""Each rule promotes on evidence for it, blocks on evidence against it, and says what is missing."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilltest import (
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
from distilltest.errors import SuiteError
from distilltest.gate import Status
from distilltest.gate.table import ResultsTable

N = 200


def passing(rate, n=N, seed=1):
    """Aligned outcomes: a case that passes at one rate also passes at every higher one."""
    luck = random.Random(seed)
    return [float(luck.random() < rate) for _ in range(n)]


def table(**more):
    values = {"base": passing(0.3), "teacher": passing(0.9), "candidate": passing(0.9)}
    return ResultsTable(tuple(map(str, range(N))), values, **more)


def test_arrays_give_the_same_verdict_as_a_table():
    rules = [better_than("base"), not_worse_than("teacher", margin=0.05)]
    assert decide(rules, **table().values) == decide(rules, table())
    assert decide(rules[0], **table().values).status is Status.PROMOTE


def test_arrays_that_are_not_aligned_are_refused():
    with pytest.raises(ValueError, match="base 2, candidate 1"):
        decide(at_least(0.5), candidate=[1], base=[1, 0])
    with pytest.raises(ValueError, match="no role"):
        decide(at_least(0.5))
    with pytest.raises(ValueError, match="not a number in"):
        decide(at_least(0.5), candidate=[float("nan")])
    assert decide(at_least(0.5), candidate=[1] * 30 + [None]).status is Status.INCOMPLETE
    assert decide(at_least(0.5), candidate=[]).status is Status.INCOMPLETE


def test_the_data_decide_the_test_and_the_suite_may_overrule_it():
    rule = not_worse_than("teacher", margin=0.05)
    verdict = decide(rule, table())
    assert verdict.rules[0].test == "exact unconditional test"
    assert decide(not_worse_than("teacher", margin=0.05, test="tango"), table()).rules[0].test == "Tango's score test"
    many = {role: passing(0.9, 1200) for role in ("teacher", "candidate")}
    assert decide(rule, **many).rules[0].test == "exact unconditional test"
    scores = {role: [0.5 + value / 4 for value in column] for role, column in table().values.items()}
    assert decide(rule, **scores).rules[0].test == "anchored mean test"
    with pytest.raises(SuiteError, match="one trial of pass or fail"):
        decide(not_worse_than("teacher", margin=0.05, test="exact"), **scores)
    with pytest.raises(SuiteError, match="there is no such test"):
        better_than("base", test="wald")


def test_clusters_are_weighed_as_clusters():
    rule = better_than("base")
    clustered = decide(rule, **table().values, clusters=[i // 10 for i in range(N)])
    assert (clustered.status, clustered.rules[0].test) == (Status.PROMOTE, "cluster jackknife and sign-flip")
    assert "20 clusters" in clustered.sentence
    few = decide(rule, **table().values, clusters=[i // 50 for i in range(N)])
    assert few.status is Status.UNDECIDED
    assert "4 clusters are too few to tell, at least 10 are needed" in few.sentence


def test_rules_about_means_weigh_clusters_too():
    values = dict(table().values)
    documents = [i // 10 for i in range(N)]
    for rule in (at_least(0.7), recovers(0.6)):
        verdict = decide(rule, **values, clusters=documents)
        assert (verdict.status, verdict.rules[0].test) == (Status.PROMOTE, "cluster jackknife and sign-flip")
        assert decide(rule, **values, clusters=[i // 50 for i in range(N)]).status is Status.UNDECIDED
    # Of 20 documents 19 pass as a whole: that is 20 observations, not 200.
    passes = [float(i >= 10) for i in range(N)]
    assert decide(at_least(0.9), candidate=passes).status is Status.PROMOTE
    assert decide(at_least(0.9), candidate=passes, clusters=documents).status is Status.UNDECIDED
    with pytest.raises(SuiteError, match="anchored is for independent cases"):
        decide(not_worse_than("teacher", margin=0.05, test="anchored"), **values, clusters=documents)


def test_a_small_level_can_still_be_reached():
    values = {"candidate": [1.0] * 60, "base": [0.0] * 40 + [1.0] * 20}
    assert decide(better_than("base"), **values, alpha=0.05 / 500).status is Status.PROMOTE
    with pytest.raises(ValueError, match="alpha"):
        decide(better_than("base"), **values, alpha=0.5)


def test_always_blocks_on_one_failure():
    assert decide(always(), candidate=[1] * 59).rules[0].sentence == (
        "candidate passes all 59 cases; its true share of failures is at most 5 %"
    )
    assert decide(always(), candidate=[1] * 58 + [0]).status is Status.BLOCK
    assert decide(always(role="teacher"), candidate=[1], teacher=[1]).rules[0].status is Status.PROMOTE


def test_recovers_says_the_share_and_when_the_gap_is_too_small():
    verdict = decide(recovers(0.8), table())
    assert verdict.status is Status.PROMOTE
    assert "the candidate recovers 97.5 to 102.6 % of the gap from base to teacher, asked for 80 %" in verdict.sentence
    half = dict(table().values) | {"candidate": passing(0.6)}
    assert decide(recovers(0.9), **half).status is Status.BLOCK
    same = {role: passing(0.9) for role in ("base", "teacher", "candidate")}
    assert "too small to say" in decide(recovers(0.9), **same).sentence


def test_a_slice_that_regresses_blocks_and_overlapping_tags_are_fine():
    values = dict(table().values)
    tags = [("all", "stash" if i % 5 == 0 else "log") for i in range(N)]
    assert decide(no_slice_regresses(), **values, tags=tags).rules[0].status is Status.PROMOTE
    values["candidate"] = [0.0 if i % 5 == 0 else value for i, value in enumerate(values["candidate"])]
    verdict = decide(no_slice_regresses(), **values, tags=tags)
    assert verdict.status is Status.BLOCK
    assert "worse than teacher in" in verdict.sentence
    assert "stash" in verdict.sentence
    assert decide(no_slice_regresses(tags=["log"]), **values, tags=tags).rules[0].status is Status.PROMOTE
    assert decide(no_slice_regresses(tags=["lgo"]), **values, tags=tags).status is Status.INCOMPLETE
    assert decide(no_slice_regresses(), **values).status is Status.INCOMPLETE


def test_a_critical_slice_is_undecided_while_it_is_small():
    tags = [("money",) if i < 20 else ("other",) for i in range(N)]
    verdict = decide(critical_slice("money", margin=0.05), **table().values, tags=tags)
    assert verdict.status is Status.UNDECIDED
    assert verdict.sentence.startswith("undecided: on money: the candidate may be up to")
    assert decide(critical_slice("other", margin=0.05), **table().values, tags=tags).status is Status.PROMOTE
    assert decide(critical_slice("mony", margin=0.05), **table().values, tags=tags).status is Status.INCOMPLETE


def test_costs_and_latencies():
    usd = {"teacher": 1.0, "candidate": 0.06}
    assert decide(costs_at_most(0.1), table(usd=usd)).rules[0].sentence.startswith("the candidate costs 6 % of teacher")
    assert decide(costs_at_most(0.05), table(usd=usd)).status is Status.BLOCK
    assert decide(costs_at_most(0.05), table(usd={"teacher": 1.0, "candidate": None})).status is Status.INCOMPLETE
    slow, fast = (0.2,) * N, tuple(0.1 + 0.001 * (i % 7) for i in range(N))
    found = decide(faster_than("teacher"), table(latencies={"teacher": slow, "candidate": fast}))
    assert found.rules[0].status is Status.PROMOTE
    assert "97 ms less in the median" in found.rules[0].sentence
    assert decide(faster_than("teacher"), table(latencies={"teacher": fast, "candidate": slow})).status is Status.BLOCK
    assert decide(faster_than("teacher"), table()).status is Status.INCOMPLETE


def test_a_document_that_is_lost_is_one_loss():
    teacher = [1.0] * 60
    candidate = [0.0] * 6 + [1.0] * 54
    tags = [("money",)] * 20 + [("other",)] * 40
    of = ["contract"] * 6 + [f"letter {i}" for i in range(54)]
    alone = decide(no_slice_regresses("teacher"), teacher=teacher, candidate=candidate, tags=tags)
    together = decide(no_slice_regresses("teacher"), teacher=teacher, candidate=candidate, tags=tags, clusters=of)
    assert (alone.rules[0].status, together.rules[0].status) == (Status.BLOCK, Status.PROMOTE)
    assert "clusters" not in alone.rules[0].test
    assert together.rules[0].test == "largest drop over slices, sign-flip of clusters"
    each_lost = decide(
        no_slice_regresses("teacher"),
        teacher=teacher,
        candidate=candidate,
        tags=tags,
        clusters=[str(i) for i in range(60)],
    )
    assert each_lost.status is Status.BLOCK


def test_latencies_of_one_document_are_one_piece_of_evidence():
    slow, fast = (0.2,) * N, (0.1,) * 150 + (0.3,) * 50
    latencies = {"teacher": slow, "candidate": fast}
    assert decide(faster_than("teacher"), table(latencies=latencies)).rules[0].status is Status.PROMOTE
    eight = tuple(f"document {i // 25}" for i in range(N))
    found = decide(faster_than("teacher"), table(latencies=latencies, clusters=eight))
    assert found.status is Status.UNDECIDED, "eight documents are too few"
    assert found.rules[0].test == "cluster jackknife and sign-flip"
    many = tuple(f"document {i // 2}" for i in range(N))
    found = decide(faster_than("teacher"), table(latencies=latencies, clusters=many)).rules[0]
    assert found.status is Status.PROMOTE
    assert found.low < found.estimate == 0.75 < found.high


def test_preferences():
    def judged(won, ties, lost):
        shares = (1.0,) * won + (0.5,) * ties + (0.0,) * lost
        return decide(preferred_to("teacher"), table(preferences={"teacher": shares}))

    assert judged(80, 90, 30).status is Status.PROMOTE
    assert judged(30, 90, 80).status is Status.BLOCK
    assert judged(50, 100, 50).status is Status.UNDECIDED
    assert decide(preferred_to("teacher"), table()).status is Status.INCOMPLETE


@pytest.mark.parametrize(
    "make",
    [
        lambda: always(role=""),
        lambda: recovers(0),
        lambda: recovers(1.1),
        lambda: recovers(0.9, base="teacher"),
        lambda: recovers(0.9, base="candidate"),
        lambda: costs_at_most(0),
        lambda: costs_at_most(0.1, of="candidate"),
        lambda: faster_than("candidate"),
        lambda: critical_slice("", margin=0.05),
        lambda: critical_slice("x", margin=0),
        lambda: no_slice_regresses(tags="x"),
        lambda: preferred_to("candidate"),
    ],
)
def test_impossible_rules_are_refused(make):
    with pytest.raises(SuiteError):
        make()


RULES = [
    better_than("base"),
    not_worse_than("teacher", margin=0.05),
    at_least(0.5),
    always(),
    recovers(0.5),
    no_slice_regresses(),
    critical_slice("t0", margin=0.1),
]


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 12), st.sampled_from(["pass", "fail", "mixed"]), st.booleans(), st.booleans())
def test_degenerate_data_give_a_sensible_verdict(n, kind, scores, clustered):
    def column(shift):
        if kind != "mixed":
            return [float(kind == "pass")] * n
        return [((i + shift) % 3) / 2 if scores else float((i + shift) % 2) for i in range(n)]

    verdict = decide(
        RULES,
        candidate=column(0),
        base=column(1),
        teacher=column(2),
        clusters=[i % 3 for i in range(n)] if clustered else None,
        tags=[(f"t{i % 4}",) for i in range(n)],
    )
    assert verdict.status in Status
    for rule in verdict.rules:
        for number in (rule.p, rule.estimate, rule.low, rule.high):
            assert number is None or -10 < number < 10
        assert "nan" not in rule.sentence.casefold()


def test_the_report_says_what_clusters_of_unequal_size_are_worth():
    clusters = ["long"] * 60 + [str(i) for i in range(60)]
    rules = [not_worse_than("teacher", margin=0.05), at_least(0.5), recovers(0.5)]
    verdict = decide(rules, base=[0, 0, 1] * 40, teacher=[1] * 120, candidate=[1] * 120, clusters=clusters)
    assert verdict.status is Status.UNDECIDED
    for rule in verdict.rules:
        assert (rule.clusters, rule.heaviest_cluster) == (61, 0.5)
        assert rule.effective_clusters == pytest.approx(120**2 / (60**2 + 60))
        assert (
            "the 61 clusters tell as much as 3.9 of equal size, the heaviest holds 50 % of the cases" in rule.sentence
        )
    assert "at least 10" in verdict.sentence


def test_clusters_of_one_size_need_no_words():
    verdict = decide(at_least(0.5), candidate=[1] * 120, clusters=[str(i // 2) for i in range(120)])
    assert (verdict.rules[0].clusters, verdict.rules[0].effective_clusters) == (60, 60.0)
    assert "equal size" not in verdict.sentence
    assert decide(at_least(0.5), candidate=[1] * 120).rules[0].clusters == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tags": ["legal", "code"]}, "tags[0] is 'legal': give each case a list of its tags, ['legal'] for one"),
        ({"tags": [["legal"], [1]]}, "tags[1] is [1]"),
        ({"clusters": ["a", None]}, "clusters[1] is None, which would tie unrelated cases together"),
        ({"clusters": [float("nan"), 1.0]}, "clusters[0] is nan"),
    ],
)
def test_tags_and_clusters_that_mean_something_else_are_refused(given, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        decide(better_than("base"), candidate=[1, 0], base=[0, 0], **given)


def slices_of(worse, count=800, better=0):
    """Eight slices with the given numbers of lost and won cases in each."""
    each = count // 8
    candidate, teacher = [1.0] * count, [1.0] * count
    for slice_ in range(8):
        for i in range(worse):
            candidate[slice_ * each + i] = 0.0
        for i in range(worse, worse + better):
            teacher[slice_ * each + i] = 0.0
    return {"candidate": candidate, "teacher": teacher, "tags": [[f"slice {i // each}"] for i in range(count)]}


def test_a_drop_inside_the_margin_of_slices_does_not_block():
    data = slices_of(worse=10, count=3000, better=1)  # 2.4 points in each slice
    assert decide(no_slice_regresses(), **data).rules[0].status is Status.BLOCK
    assert decide(no_slice_regresses(margin=0.05), **data).rules[0].status is Status.PROMOTE
    worse = decide(no_slice_regresses(margin=0.05), **slices_of(worse=20))
    assert worse.status is Status.BLOCK
    assert "worse than teacher by more than 5 points in slice 0 (-20 points in 100 cases)" in worse.sentence
    assert worse.rules[0].rule == "no slice worse than teacher by 5 points"


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 30), st.integers(0, 20), st.sampled_from([0.02, 0.05, 0.2]), st.booleans())
def test_a_wider_margin_or_a_win_more_never_makes_slices_worse(worse, better, margin, scores):
    """For each slice: for pass and fail, and for scores."""
    first, second = slices_of(worse, 400, better), slices_of(max(0, worse - 1), 400, better)
    if scores:
        first["candidate"] = [value * 0.9 for value in first["candidate"]]
        second["candidate"] = [value * 0.9 for value in second["candidate"]]
    p = decide(no_slice_regresses(margin=margin), **first).rules[0].p
    assert decide(no_slice_regresses(margin=margin + 0.1), **first).rules[0].p >= p - 1e-9
    assert decide(no_slice_regresses(margin=margin), **second).rules[0].p >= p - 1e-9


def test_slices_have_shrunk_estimates():
    found = decide(no_slice_regresses(margin=0.05), **slices_of(worse=2)).rules[0].slices
    assert [one.tag for one in found] == [f"slice {i}" for i in range(8)]
    for one in found:
        assert one.difference == pytest.approx(-0.02)
        assert one.low < one.estimate < one.high


@pytest.mark.parametrize("margin", [0, 1, -0.05, True, "5"])
def test_a_margin_of_slices_is_a_share(margin):
    with pytest.raises(SuiteError, match="margin is a share in"):
        no_slice_regresses(margin=margin)
