"""The shares of the level that candidates on one dataset spend, in any order and with any declared number."""

import sqlite3
from contextlib import closing

from hypothesis import given, settings
from hypothesis import strategies as st

from distilltest.statistics.spending import share
from distilltest.store import Attempt, attempts
from distilltest.store.migrations import migrate


class Opened:
    """The attempts of a store in memory."""

    def __init__(self):
        self._sql = sqlite3.connect(":memory:", isolation_level=None)
        migrate(self._sql)

    def turn(self, one, since=0.0, declared=None):
        return attempts.turn(self._sql, one, since, declared)

    def record(self, one, at, spent, declared=None, since=0.0):
        return attempts.record(self._sql, one, at, since, spent, declared)

    def close(self):
        self._sql.close()


def attempt(evaluation, model, prompt):
    return Attempt("dataset", evaluation, model, prompt, model)


steps = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.sampled_from([f"model {number}" for number in range(8)]),
        st.sampled_from(["one", "two"]),
        st.none() | st.integers(1, 6),
    ),
    max_size=30,
)


@settings(max_examples=40, deadline=None)
@given(steps)
def test_all_together_never_spend_more_than_the_level(steps):
    """For any sequence of candidates, evaluations and declared numbers."""
    shares = {}
    with closing(Opened()) as store:
        for at, (evaluation, model, prompt, declared) in enumerate(steps, start=1):
            one = attempt(evaluation, model, prompt)
            turn = store.turn(one, declared=declared)
            assert 0.0 <= turn.share == shares.setdefault((evaluation, model, prompt), turn.share), "it keeps its share"
            assert store.record(one, float(at), turn.share, declared)
            for each in "ab":
                assert sum(spent for (where, *_), spent in shares.items() if where == each) <= 1.0 + 1e-9


def test_without_a_declared_number_the_shares_have_a_finite_sum():
    with closing(Opened()) as store:
        for number in range(1, 21):
            one = attempt("a", f"model {number}", "one")
            turn = store.turn(one)
            assert (turn.number, turn.share) == (number, share(number))
            store.record(one, float(number), turn.share)


def test_two_candidates_gated_at_the_same_time_are_not_both_the_first():
    with closing(Opened()) as store:
        one, other = attempt("a", "model 1", "one"), attempt("a", "model 2", "one")
        first, also_first = store.turn(one), store.turn(other)
        assert first == also_first
        assert store.record(one, 1.0, first.share)
        assert not store.record(other, 2.0, also_first.share), "it was decided at a share that was not its own"
        assert store.turn(other).share == share(2)


def test_a_promotion_restarts_the_count():
    with closing(Opened()) as store:
        for number in range(1, 6):
            store.record(attempt("a", f"model {number}", "one"), float(number), 0.1)
        new = attempt("a", "model 9", "one")
        assert (store.turn(new).number, store.turn(new, since=5.0).number) == (6, 1)
