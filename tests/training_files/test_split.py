"""Splits: near duplicates stay together, in any order."""

from hypothesis import given, settings
from hypothesis import strategies as st

from distilltest.training_files.split import split
from distilltest.training_files.text_search.folding import folded

EXAMPLES = st.lists(
    st.tuples(st.sampled_from(["a", "A!", "b", "c", "?", "d e", "D  e"]), st.none() | st.sampled_from("xyz"))
)


@settings(deadline=None)
@given(EXAMPLES, st.floats(0, 1))
def test_no_request_and_no_cluster_is_on_both_sides(examples, share):
    sides = split(examples, share)
    for key in ("request", "cluster"):
        seen = {}
        for (request, cluster), side in zip(examples, sides, strict=True):
            value = (folded(request) or request) if key == "request" else cluster
            if value is not None:
                assert seen.setdefault(value, side) == side


@settings(deadline=None)
@given(EXAMPLES, st.randoms())
def test_the_order_changes_nothing(examples, random):
    sides = dict(zip(examples, split(examples, 0.5), strict=True))
    random.shuffle(examples)
    assert dict(zip(examples, split(examples, 0.5), strict=True)) == sides


def test_the_share_is_about_what_was_asked_for_and_grows_without_moving_anything():
    examples = [(f"request {n}", None) for n in range(2000)]
    small, large = split(examples, 0.1), split(examples, 0.2)
    assert 150 < sum(small) < 250
    assert all(later for early, later in zip(small, large, strict=True) if early)
    assert split(examples[:1000], 0.1) == small[:1000]
    assert not any(split(examples, 0))
    assert all(split(examples, 1))
