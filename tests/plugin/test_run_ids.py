"""The names of runs: "the latest run" decides what is promoted, and two runs may begin in one second."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from distilltest.pytest_plugin.run_ids import new_run_id, run_id

BEGAN = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
MICROSECONDS = st.integers(0, 10_000_000).map(lambda n: BEGAN + timedelta(microseconds=n))


@given(MICROSECONDS, MICROSECONDS)
def test_they_sort_by_time(one, other):
    assert (run_id(one) < run_id(other)) == (one < other)


def test_one_after_the_other_they_differ():
    names = [new_run_id() for _ in range(50)]
    assert names == sorted(names)
