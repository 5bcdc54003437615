"""Unanswerable cases: a promoted candidate would be promoted for all answers that they could have had."""

import random
from dataclasses import replace

import pytest

from bench.calibration import missing
from distilltest.gate import (
    RuleVerdict,
    Status,
    Verdict,
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
from distilltest.gate.rule import Rule
from distilltest.gate.rules import RULES
from distilltest.gate.table import ResultsTable, Unanswerable
from distilltest.records import Outcome
from distilltest.statistics import anchored, binomial, clusters, exact_unconditional, planning

ROLES = ("base", "teacher", "candidate")
TRIED = {
    "better_than": better_than("base"),
    "not_worse_than": not_worse_than("teacher", margin=0.3),
    "at_least": at_least(0.5),
    "always": always(role="teacher"),
    "recovers": recovers(0.4),
    "no_slice_regresses": no_slice_regresses(),
    "critical_slice": critical_slice("a", margin=0.4),
    "costs_at_most": costs_at_most(0.5),
    "faster_than": faster_than("teacher"),
    "preferred_to": preferred_to("teacher"),
}
ALPHA = 0.2
"""Generous, so that small tables prove something."""


class Scenario:
    """Outcomes of three roles in which some requests fail for good, and the same outcomes with answers in their place."""

    def __init__(self, seed: int, rule: str) -> None:
        dice = self.dice = random.Random(seed)
        self.trials, self.metric = dice.choice([1, 1, 3]), dice.choice(["pass", "score"])
        clustered = dice.random() < 0.4
        n = dice.choice([40, 70]) if clustered else dice.choice([12, 25, 40])
        self.ids = [f"q-{i}" for i in range(n)]
        self.clusters = tuple(dice.choice([None, f"d{i // 2}"]) for i in range(n)) if clustered else ()
        self.tags = tuple(tuple(t for t in "abc" if dice.random() < (0.7 if t == "a" else 0.3)) for _ in range(n))
        # Skill near the rule's limit: where everything holds by far, nothing is shown.
        skill = {"base": dice.uniform(0.0, 0.4), "teacher": dice.uniform(0.6, 1.0), "candidate": dice.uniform(0.6, 1.0)}
        if rule == "always":
            skill["teacher"] = 1.0
        worse = dice.random() < 0.5
        outcomes = [
            self.answered(case, role, trial, skill[role] * (0.7 if worse and role == "candidate" else 1.0))
            for case in self.ids
            for role in ROLES
            for trial in range(self.trials)
        ]
        silent = dice.sample(range(len(outcomes)), dice.randint(1, 3))
        if rule == "always":
            silent = [i for i in silent if outcomes[i].role != "teacher"] or [2 * self.trials]
        self.silent = [outcomes[i] for i in silent]
        self.known = [each for i, each in enumerate(outcomes) if i not in silent]

    def answered(self, case: str, role: str, trial: int, skill: float) -> Outcome:
        dice = self.dice
        right = dice.random() < skill
        score = float(right) if dice.random() < 0.7 else min(1.0, max(0.0, skill + dice.uniform(-0.3, 0.3)))
        shares = {"teacher": dice.choice([0.0, 0.5, 1.0, 1.0])} if role == "candidate" else {}
        seconds = dice.choice([0.1, 0.2, 0.3]) + (0.08 if role == "teacher" else 0.0)
        return Outcome(case, role, trial, right, score, "", preferences=shares, latency=seconds)

    def completed(self) -> list[Outcome]:
        """What might have been answered: all wrong, all right, or anything."""
        dice = self.dice
        how = dice.choice([lambda: 0.0, lambda: 1.0, lambda: float(dice.random() < 0.5), dice.random])
        made = []
        for each in self.silent:
            value = how()
            shares = {"teacher": dice.choice([0.0, 0.5, 1.0])} if each.role == "candidate" else {}
            seconds = dice.choice([0.01, 0.1, 0.28, 9.0])
            made.append(each._replace(passed=value > 0.5, score=value, preferences=shares, latency=seconds))
        return [*self.known, *made]

    def failed(self) -> list[Outcome]:
        """As the run saw them."""
        gone = [
            Outcome(o.case_id, o.role, o.trial, None, None, "", "request rejected", "HTTP 400: too long.")
            for o in self.silent
        ]
        return [*self.known, *gone]

    def table(self, outcomes: list[Outcome]) -> ResultsTable:
        found = ResultsTable.from_outcomes(self.ids, ROLES, outcomes, self.metric, self.trials)
        seconds: dict[str, list[float | None]] = {}
        for role in ROLES:
            of: dict[str, list[float]] = {case: [] for case in self.ids}
            for o in outcomes:
                if o.role == role and o.latency:
                    of[o.case_id].append(o.latency)
            seconds[role] = [sum(each) / len(each) if each else None for each in of.values()]
        usd = {"base": 1.0, "candidate": 1.0, "teacher": 2.1 + self.dice.random() * (len(outcomes) > len(self.known))}
        return replace(found, clusters=self.clusters, tags=self.tags, latencies=seconds, usd=usd)


@pytest.fixture
def bare_decisions(monkeypatch):
    """Skip intervals and advice, which take most of the time and do not affect the decision."""
    monkeypatch.setattr(planning, "needed", lambda *_: None)
    for module in (anchored, clusters, exact_unconditional, binomial):
        monkeypatch.setattr(module, "interval", lambda *_, **__: (-1.0, 1.0))


def search(rule: Rule, name: str, most: int = 200, enough: int = 20) -> tuple[int, list[int]]:
    """The number of tables that prove a rule in the worst case, and the seeds of those that other answers contradict."""
    proved, broken = 0, []
    for seed in range(most):
        scenario = Scenario(seed, name)
        said = decide(rule, scenario.table(scenario.failed()), alpha=ALPHA)
        assert said.worst_case
        if said.rules[0].status is not Status.PROMOTE:
            continue
        proved += 1
        for _ in range(3):
            if decide(rule, scenario.table(scenario.completed()), alpha=ALPHA).rules[0].status is not Status.PROMOTE:
                broken.append(seed)
                break
        if proved >= enough or broken:
            break
    return proved, broken


@pytest.mark.parametrize("name", TRIED)
@pytest.mark.usefixtures("bare_decisions")
def test_a_rule_proven_in_the_worst_case_is_proven_for_all_other_answers(name):
    proved, broken = search(TRIED[name], name)
    assert not broken
    assert proved >= 12  # else it shows nothing


class Flipped(Rule):
    """A rule whose worst case is the best case."""

    def __init__(self, rule):
        self.rule = rule

    needs = property(lambda self: self.rule.needs)

    def describe(self):
        return self.rule.describe()

    def decide(self, table, alpha, block_alpha):
        return self.rule.decide(table, alpha, block_alpha)

    def decide_filled(self, table, alpha, block_alpha, *, worst):
        return self.rule.decide_filled(table, alpha, block_alpha, worst=not worst)


@pytest.mark.parametrize("name", [name for name in TRIED if name not in ("always", "costs_at_most")])
@pytest.mark.usefixtures("bare_decisions")
def test_the_search_finds_a_rule_whose_worst_case_is_flipped(name):
    assert search(Flipped(TRIED[name]), name, most=1000, enough=1000)[1]


@pytest.mark.parametrize(("name", "seed"), [("no_slice_regresses", 455), ("no_slice_regresses", 570), ("recovers", 71)])
def test_rules_whose_worst_case_is_not_the_worst_corner_have_bounds_of_their_own(name, seed):
    rule, scenario = TRIED[name], Scenario(seed, name)
    table = scenario.table(scenario.failed())
    corner = Rule.decide_filled(rule, table, ALPHA, ALPHA, worst=True)
    assert corner.status is Status.PROMOTE  # and other answers would break it: the search found these
    assert decide(rule, table, alpha=ALPHA).status is Status.INCOMPLETE


def test_the_test_of_clusters_tries_more_values_than_the_worst_ones(monkeypatch):
    rows = {"base": [0] * 80, "candidate": [1] * 79 + [None]}
    groups = [i // 4 for i in range(80)]
    assert decided(better_than("base"), clusters=groups, **rows).status is Status.PROMOTE
    monkeypatch.setattr(clusters, "largest_p", lambda *_: 0.06)
    assert decided(better_than("base"), clusters=groups, **rows).status is Status.INCOMPLETE


def test_every_rule_is_searched():
    assert set(TRIED) == set(RULES)


# What a reader is told, and what a program gets


def decided(rules, **roles):
    return decide(rules, worst_case=True, **roles)


GOOD = {"base": [0] * 400, "teacher": [1] * 400, "candidate": [1] * 397 + [None] * 3}
GATE = [better_than("base"), not_worse_than("teacher", margin=0.05)]


def test_a_verdict_that_holds_in_the_worst_case_stands_and_says_so():
    verdict = decided(GATE, **GOOD)
    assert verdict.status is Status.PROMOTE
    assert "(3 of 400 cases have no answer of the candidate; even if the candidate fails them all)" in verdict.sentence
    assert verdict.worst_case
    assert verdict.missing == {"candidate": 3}
    assert verdict.unanswerable == ("397", "398", "399")
    assert verdict.rules[1].losses == 3
    assert verdict.rules[1].n == 400
    assert Verdict.from_json(verdict.to_json()) == verdict


def test_a_missing_answer_of_the_other_role_counts_as_right():
    whole = dict(GOOD, candidate=[1] * 400, base=[0] * 300 + [None] * 100)
    verdict = decided(GATE, **whole)
    assert verdict.status is Status.PROMOTE
    assert "100 of 400 cases have no answer of base; even if base passes them all" in verdict.sentence
    assert verdict.rules[0].wins == 300
    both = decided(GATE, **dict(whole, candidate=[1] * 397 + [None] * 3))
    assert "100 of 400 cases have no answer (base 100, candidate 3); even in" in both.sentence
    assert "the worst case for the candidate" in both.sentence


def test_a_verdict_that_depends_on_missing_answers_is_incomplete_and_names_the_cases():
    verdict = decided(GATE, **dict(GOOD, candidate=[1] * 380 + [None] * 20))
    assert verdict.status is Status.INCOMPLETE
    for words in (
        "20 of 400 cases have no answer of the candidate",
        "380, 381, 382, 383, 384, …",
        "take these cases out of the dataset",
    ):
        assert words in verdict.sentence
    assert "run again" not in verdict.sentence.lower()
    assert [rule.status for rule in verdict.rules] == [Status.PROMOTE, Status.INCOMPLETE]


def test_a_rule_broken_even_in_the_best_case_blocks():
    verdict = decided(GATE, **dict(GOOD, candidate=[0] * 397 + [None] * 3))
    assert verdict.status is Status.BLOCK
    assert "3 of 400 cases have no answer of the candidate; even if the candidate passes them all" in verdict.sentence
    assert decided([always()], candidate=[1] * 99 + [None]).status is Status.INCOMPLETE
    assert decided([always()], candidate=[1] * 98 + [0, None]).status is Status.BLOCK


def test_rules_without_missing_answers_are_decided_as_usual():
    holes = {"base": [0] * 200, "teacher": [None] * 200, "candidate": [1] * 200}
    verdict = decided(better_than("base"), **holes)
    assert verdict.status is Status.PROMOTE
    few = decided(not_worse_than("base", margin=0.05), base=[1] * 30, teacher=[None] * 30, candidate=[1] * 30)
    assert few.status is Status.UNDECIDED
    assert "depends on this" not in few.sentence


def test_an_answer_that_may_still_come_makes_the_verdict_incomplete():
    table = ResultsTable(
        tuple("abcd" * 50),
        {"base": (0.0,) * 200, "candidate": (None, None, *(1.0,) * 198)},
        failures={"candidate": {"server error": 1, "request rejected": 1}},
        unanswerable={"candidate": {1: Unanswerable(kind="request rejected", said="HTTP 400: too long.")}},
    )
    verdict = decide(better_than("base"), table)
    assert verdict.status is Status.INCOMPLETE
    assert verdict.transient
    assert not verdict.worst_case
    assert "Run again: only what is missing is asked" in verdict.sentence
    assert (
        "1 of 200 cases has no answer of the candidate and never will: b (candidate: request rejected)"
        in verdict.sentence
    )
    assert "The server said: HTTP 400: too long." in verdict.sentence


def test_none_is_a_temporary_gap_unless_worst_case_is_set():
    assert decide(GATE, **GOOD).status is Status.INCOMPLETE


def test_without_missing_answers_nothing_changes():
    whole = dict(GOOD, candidate=[1] * 400)
    assert decided(GATE, **whole) == decide(GATE, **whole)


def test_trials_that_have_an_answer_count():
    def outcomes(failures):
        return [
            Outcome(f"q-{i}", role, trial, None, None, "", "request rejected")
            if role == "candidate" and i == 0 and trial < failures
            else Outcome(f"q-{i}", role, trial, role == "candidate", float(role == "candidate"), "")
            for i in range(30)
            for role in ("base", "candidate")
            for trial in range(4)
        ]

    ids = [f"q-{i}" for i in range(30)]
    for failures, low in ((1, 0.75), (3, 0.25), (4, 0.0)):
        table = ResultsTable.from_outcomes(ids, ("base", "candidate"), outcomes(failures), "pass", trials=4)
        assert table.never("candidate")[0].low == low
        assert table.never("candidate")[0].high == 1.0
        assert decide(better_than("base"), table).rules[0].estimate == pytest.approx((29 + low) / 30)


def test_a_case_with_a_trial_that_may_still_succeed_is_incomplete():
    mixed = [
        Outcome("q", "candidate", 0, None, None, "", "request rejected"),
        Outcome("q", "candidate", 1, None, None, "", "server error"),
    ]
    table = ResultsTable.from_outcomes(["q"], ("candidate",), mixed, "pass", trials=2)
    assert not table.never("candidate")
    assert decide(at_least(0.5), table).transient


def test_costs_have_no_worst_case_for_the_candidate_and_one_for_the_other():
    def verdict(role, share=0.5):
        values = dict.fromkeys(("teacher", "candidate"), (1.0,) * 99)
        columns = {name: (*column, None if name == role else 1.0) for name, column in values.items()}
        never = {role: {99: Unanswerable()}}
        table = ResultsTable(
            tuple(map(str, range(100))), columns, usd={"candidate": 1.0, "teacher": 3.0}, unanswerable=never
        )
        return decide(costs_at_most(share), table)

    assert verdict("candidate").status is Status.INCOMPLETE
    assert "would cost is unknown" in verdict("candidate").sentence
    assert verdict("teacher").rules[0].status is Status.PROMOTE
    assert verdict("teacher", share=0.2).status is Status.INCOMPLETE  # its missing answer may be dear
    assert verdict("candidate", share=0.2).status is Status.INCOMPLETE


def test_costs_without_usage_are_unknown_and_never_low():
    table = ResultsTable(
        ("a", "b"),
        {"teacher": (1.0, 1.0), "candidate": (1.0, 1.0)},
        usd={"candidate": 0.0, "teacher": 3.0},
        without_usage={"candidate": 2},
    )
    verdict = decide(costs_at_most(0.5), table)
    assert verdict.status is Status.INCOMPLETE
    assert "the server sent no usage with 2 answers" in verdict.sentence


@pytest.mark.parametrize(
    ("test", "words"), [("t", 'test="t" is for answers that cannot'), ("labels", "people cannot label them")]
)
def test_a_test_that_cannot_take_a_missing_answer_is_incomplete(test, words):
    teacher, candidate = [0.2] * 299 + [0.3], [0.9] * 297 + [0.8, 0.7, None]
    human = {"teacher": [0.0] * 250 + [None] * 50, "candidate": [1.0] * 249 + [0.0] + [None] * 50}
    rule = better_than("teacher", test=test)
    verdict = decided(rule, teacher=teacher, candidate=candidate, human=human if test == "labels" else None)
    assert verdict.status is Status.INCOMPLETE
    assert words in verdict.sentence


def test_a_rule_without_a_worst_case_is_incomplete():
    class Lucky(Rule):
        needs = ("candidate",)

        def describe(self):
            return "lucky"

        def decide(self, table, alpha, block_alpha):
            return RuleVerdict("lucky", Status.PROMOTE, "always lucky")

    assert decide(Lucky(), candidate=[1, 1]).status is Status.PROMOTE
    assert decided(Lucky(), candidate=[1, None]).status is Status.INCOMPLETE


def test_a_candidate_gains_nothing_by_not_answering_hard_cases():
    (_, (worst, _, left_out)) = missing.missing(0.05, 200, 0.5, runs=300)
    assert not worst.above(0.05)
    assert left_out.value > 0.25  # else the simulation shows nothing
