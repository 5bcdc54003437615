"""Strategies: reports of runs with any rules, on data of any kind."""

from hypothesis import strategies as st

from distilltest.evaluations.results import Change, EvaluationResult, JudgeUse, RunInfo, ShownAnswer
from distilltest.gate import (
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
from distilltest.gate.table import ResultsTable, Unanswerable
from distilltest.records import Model, Outcome
from distilltest.reporting.report import EvaluationReport, RunReport

ROLES = ("base", "teacher", "candidate")
RULES = [
    better_than("base"),
    better_than("teacher", by=0.0125),
    not_worse_than("teacher", margin=0.05),
    not_worse_than("promoted", margin=0.02),
    at_least(0.5),
    at_least(0.9, role="teacher"),
    always(),
    always(role="teacher"),
    recovers(0.8),
    no_slice_regresses(),
    critical_slice("a", margin=1 / 3),
    costs_at_most(0.5),
    faster_than("teacher"),
    preferred_to("teacher"),
]
passes = st.sampled_from([0.0, 1.0])
scores = st.one_of(st.floats(0.0, 1.0), st.sampled_from([0.0, 0.5, 1.0]))
seconds = st.sampled_from([0.0, 0.1, 0.2, 3.0])
case = {
    "tags": st.frozensets(st.sampled_from("abc")).map(lambda found: tuple(sorted(found))),
    "cluster": st.one_of(st.none(), st.sampled_from([f"document {i}" for i in range(14)])),
    "latencies": st.tuples(seconds, seconds, seconds),
    "preference": st.one_of(st.none(), scores),
}
EVERYBODY = {"worse": (1.0, 1.0, 0.0), "better": (0.0, 0.0, 1.0), "equal": (1.0, 1.0, 1.0), "nobody": (0.0, 0.0, 0.0)}
KINDS = [
    "pass or fail", "scores", "trials", "clusters", "clustered scores", "labels", "unanswerable", "missing",
    "empty", "one case", *EVERYBODY,
]  # fmt: skip


@st.composite
def tables(draw, kind):
    """The results of one evaluation."""
    value = scores if kind in ("scores", "trials", "clustered scores") else passes
    values = st.tuples(value, value, value)
    if kind in EVERYBODY:
        values = st.just(EVERYBODY[kind])
    elif kind in ("unanswerable", "missing"):
        values = st.tuples(*[st.one_of(value, st.none())] * 3)
    rows = st.fixed_dictionaries({"values": values, **case})
    least, most = {"empty": (0, 0), "one case": (1, 1)}.get(kind, (1, 24))
    found = draw(st.lists(rows, min_size=least, max_size=most))
    times = draw(st.sampled_from([1, 1, 4, 30])) if kind != "one case" else 1
    found = found * times
    columns = dict(zip(ROLES, list(zip(*(row["values"] for row in found), strict=True)) or [()] * 3, strict=True))
    latencies = dict(zip(ROLES, list(zip(*(row["latencies"] for row in found), strict=True)) or [()] * 3, strict=True))
    human = {}
    if kind == "labels":
        # People mostly agree with the judge, and label only some answers.
        odd = draw(st.integers(2, 9))
        for role, column in columns.items():
            human[role] = tuple(None if i % 5 == 4 else v if i % odd else 1.0 - v for i, v in enumerate(column))
    return ResultsTable(
        case_ids=tuple(f"case {i}" for i in range(len(found))),
        values=columns,
        binary=value is passes,
        narrowed=draw(st.sampled_from([None, None, None, "-k 'x'"])),
        clusters=tuple(row["cluster"] for row in found) if "cluster" in kind else (),
        tags=tuple(row["tags"] for row in found),
        usd=draw(st.sampled_from([{}, {"candidate": 0.1, "teacher": 1.0}, {"candidate": 0.0, "teacher": 0.0}])),
        latencies=latencies,
        vacant=("promoted",),
        preferences={"teacher": tuple(row["preference"] for row in found)},
        human=human,
        unanswerable={
            role: {
                i: Unanswerable(kind="prompt too long", said="too long")
                for i, value in enumerate(column)
                if value is None
            }
            for role, column in columns.items()
            if kind == "unanswerable"
        },
    )


def outcomes(table):
    """The outcomes behind a table."""
    for row, name in enumerate(table.case_ids):
        for role in ROLES:
            value = table.values[role][row]
            if value is None:
                yield Outcome(name, role, 0, None, None, "k", failure="server error", failure_message="HTTP 500")
            else:
                yield Outcome(name, role, 0, value >= 1.0, value, "k", completion_tokens=12, latency=0.1)


def run_of(table, verdict, change=None):
    """The report of a run with this one evaluation."""
    result = EvaluationResult(
        id="suites/test_any.py::test_any",
        dataset="cases.jsonl",
        dataset_fingerprint="d" * 64,
        cases=len(table.case_ids),
        evaluated=len(table.case_ids),
        prompts=dict.fromkeys(ROLES, "prompt.yaml"),
        prompt_fingerprints=dict.fromkeys(ROLES, "e" * 64),
        models={role: Model(role, "s", "https://x/v1", f"{role}-model") for role in ROLES},
        metric="pass" if table.binary else "score",
        trials=1,
        alpha=0.05,
        verdict=verdict,
        outcomes=tuple(outcomes(table)),
        changes=(change,) if change else (),
        tags={name: tags for name, tags in zip(table.case_ids, table.tags, strict=True) if tags},
        usd={role: table.usd.get(role) for role in ROLES},
        judges=(JudgeUse("label", "judge", "m", "p.yaml", "f" * 64, 3, 1, "not known", None),),
        notes=("A note.",),
    )
    info = RunInfo("20261121-093000-1f3a", "2026-11-21T09:30:00+00:00", "pytest", {"distilltest": "0"}, None)
    return RunReport.of(info, [EvaluationReport.of(result)])


changes = st.one_of(
    st.none(),
    st.sampled_from(["lost", "won", "failed"]).map(
        lambda kind: Change(
            "case 0", kind, "" if kind == "failed" else "teacher", "a request", "", ("a",),
            (
                ShownAnswer("candidate", "", None if kind == "failed" else kind == "won", "a reason"),
                ShownAnswer("teacher", "x", True),
            ),
        )
    ),
)  # fmt: skip


@st.composite
def runs(draw, kind):
    """A run with any gate on data of a kind."""
    table = draw(tables(kind))
    gate = draw(st.lists(st.sampled_from(RULES), min_size=1, max_size=4, unique_by=RULES.index))
    return run_of(table, decide(gate, table), draw(changes))
