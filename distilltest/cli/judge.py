"""``distilltest judge``: calibrate a judge, and sample answers for people to label."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distilltest.cli import say
from distilltest.cli.options import add_root, resumable

if TYPE_CHECKING:
    from distilltest.judges.calibration import Calibration
    from distilltest.judges.labelled import Labelled

GRADERS = (
    "criteria_match",
    "semantic_similarity",
    "factuality",
    "sentiment",
    "label_model",
    "score_model",
    "custom_prompt",
    "preference",
)
MOST = 10
"""Disagreements that are printed."""


def add(commands: Any) -> None:
    """Declare the commands."""
    group = commands.add_parser(
        "judge", help="calibrate model judges", description="Work with the model judges of distilltest.yaml."
    )
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    calibrate = actions.add_parser(
        "calibrate",
        help="compare a judge with human labels",
        description=(
            "Let a judge grade answers that people have labelled, and measure how far they agree. Each row of the file has an "
            'id, the "answer", the human "label", and the fields of the grader: "criteria" (criteria_match), "reference" '
            '(semantic_similarity, factuality), "question" (factuality, label_model, score_model), the values of the prompt '
            '(custom_prompt), or "first" and "second" in place of an answer (preference; the label is 1, 2 or tie). The result '
            "is stored for this judge, prompt and criterion, and every report that uses them shows it. A suite can require a "
            "minimum for the lower end of the interval: requires_agreement=0.7."
        ),
    )
    calibrate.add_argument(
        "--labels", required=True, metavar="FILE", help="the labelled answers: JSONL, JSON, YAML, CSV or Parquet"
    )
    calibrate.add_argument("--grader", required=True, choices=GRADERS, help="the grader whose judge is calibrated")
    calibrate.add_argument("--judge", metavar="NAME", help="the judge's name (default: the one under `judge:`)")
    calibrate.add_argument("--prompt", metavar="FILE", help="a prompt of your own, as in the suite")
    calibrate.add_argument(
        "--choices",
        nargs="+",
        metavar="LABEL",
        default=[],
        help="label_model, custom_prompt: all labels, as in the suite",
    )
    calibrate.add_argument(
        "--span", nargs=2, type=float, metavar=("LOW", "HIGH"), default=(0.0, 1.0), help="score_model: as in the suite"
    )
    calibrate.add_argument(
        "--pass-threshold", type=float, metavar="SHARE", default=0.5, help="score_model: as in the suite (default: 0.5)"
    )
    add_root(calibrate)
    resumable(calibrate)
    calibrate.set_defaults(run=run_calibrate)
    sample = actions.add_parser(
        "sample",
        help="write a file of answers for people to label",
        description=(
            "Draw random cases from an evaluation's last run and write the answers of all roles to a file, shuffled and without "
            'the names of the models. People fill in "passed": true or false. With @evaluation(labels=FILE) the gate decides by '
            "these labels alone, or, with 200 labelled pairs or more, by the labels and the judge's grades together."
        ),
    )
    sample.add_argument(
        "evaluation", metavar="EVALUATION", help="a test's node id, or the end of it: test_meets_the_criteria"
    )
    sample.add_argument(
        "--out", required=True, type=Path, metavar="FILE", help="the JSONL file to write; it must not exist"
    )
    sample.add_argument(
        "--cases", type=int, default=250, metavar="N", help="the largest number of cases (default: 250)"
    )
    sample.add_argument(
        "--against",
        action="append",
        metavar="ROLE",
        help="a role that the candidate is compared with; may be repeated (default: every role of the run)",
    )
    sample.add_argument("--seed", type=int, default=1, metavar="N", help="the seed for drawing cases")
    add_root(sample)
    sample.set_defaults(run=run_sample)


def run_sample(arguments: argparse.Namespace) -> int:
    """Write a file for people to fill in."""
    import orjson

    from distilltest.cli.opening import open_store
    from distilltest.config import load_config
    from distilltest.errors import DistilltestError
    from distilltest.judges.sample import sheet

    if arguments.cases < 1:
        raise DistilltestError(f"--cases {arguments.cases}: at least one.")
    if arguments.out.exists():
        raise DistilltestError(
            f"{arguments.out} exists already, perhaps with labels. Give another name, or move it away."
        )
    with open_store(load_config(arguments.root.resolve())) as store:
        evaluation = store.find_evaluation(arguments.evaluation)
        graded = list(store.find_graded(evaluation))
        others = arguments.against or sorted({one.role for one in graded} - {"candidate"})
        rows = sheet(graded, ("candidate", *others), arguments.cases, arguments.seed)
    if not rows:
        raise DistilltestError(
            f"{evaluation}: no case of the last run has an answer of candidate and {' and '.join(map(repr, others))}. "
            "Run pytest first, or give --against another role."
        )
    try:
        with arguments.out.open("xb") as out:
            out.writelines(orjson.dumps(row) + b"\n" for row in rows)
    except OSError as error:
        raise DistilltestError(f"{arguments.out} cannot be written: {error.strerror}.") from None
    cases = len({row["case"] for row in rows})
    say.line(
        f'{len(rows)} answers to {cases} cases in {arguments.out}. Fill in "passed": true or false, then @evaluation(labels=...).'
    )
    return 0


def run_calibrate(arguments: argparse.Namespace) -> int:
    """Ask the judge, compare its verdicts with the labels, and store the result."""
    from datetime import UTC, datetime

    from distilltest.completions.engine import Engine
    from distilltest.config import load_config
    from distilltest.data.dataset import load_dataset
    from distilltest.errors import DistilltestError
    from distilltest.judges.calibration import Calibration
    from distilltest.judges.labelled import CalibrationSetup, by_criterion, read
    from distilltest.store.prepare import open_for_work

    config = load_config(arguments.root.resolve())
    judge = config.judge(arguments.judge)
    config.server(judge.model.server)
    config.check_budget([judge.model])
    cases = load_dataset(config.root / arguments.labels, arguments.labels).cases
    setup = CalibrationSetup(
        arguments.grader,
        arguments.prompt,
        config.root,
        tuple(arguments.choices),
        (arguments.span[0], arguments.span[1]),
        arguments.pass_threshold,
    )
    rows = read(cases, setup)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    with open_for_work(config, say.line) as store, Engine(config, store) as engine:
        results = engine.run(_ask_all(rows, judge, engine))
        failures = [said for said in results if isinstance(said, BaseException)]
        if len(failures) == len(rows):
            raise DistilltestError(f"The judge gave no verdict on any of {len(rows)} rows: {failures[0]}")
        for criterion, numbers in by_criterion(rows).items():
            pairs = [
                (rows[number].people, said[0])
                for number in numbers
                if not isinstance(said := results[number], BaseException)
            ]
            if pairs:
                names = rows[numbers[0]].labels
                measured = Calibration.of(arguments.grader, judge, pairs, names, arguments.labels, today)
                measured.save(store, judge, rows[0].asked.prompt.fingerprint, criterion)
                _show(measured, rows[numbers[0]] if criterion else None)
    if failures:
        say.line(f"without a verdict: {len(failures)} ({failures[0]})")
    _show_disagreements(rows, results)
    return 0


async def _ask_all(rows: list[Labelled], judge: Any, engine: Any) -> list[tuple[str, str] | BaseException]:
    import asyncio

    from distilltest.errors import JudgeFailed

    results = await asyncio.gather(*(row.said(judge, engine.complete) for row in rows), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, JudgeFailed):
            raise result
    return results


def _show(measured: Calibration, example: Labelled | None) -> None:
    say.line(
        f"{measured.grader} by {measured.judge!r} ({measured.model}), {measured.n} labels of {measured.labels_file}"
    )
    asked = "criteria that vary from case to case"
    if example is not None:
        values = example.asked.values
        asked = str(values.get("criteria") or (values.get("question") if measured.grader != "factuality" else "") or "")
    if asked:
        say.line(f"criterion: {' '.join(asked.split())[:200]}")
    say.line()
    rows = [
        [f"people: {name}", *counts]
        for name, counts in zip(measured.labels, measured.counts, strict=True)
        if sum(counts)
    ]
    say.table(rows, ["", *(f"judge: {name}" for name in measured.labels)])
    agree = sum(measured.counts[i][i] for i in range(len(measured.labels)))
    kappa = (
        "not defined (one label only)"
        if measured.kappa is None
        else f"{measured.kappa:.2f} ({measured.kappa_low:.2f} to {measured.kappa_high:.2f})"
    )
    say.line()
    say.line(f"the same label: {agree} of {measured.n}")
    say.line(
        f"AC1 {measured.ac1:.2f} ({measured.ac1_low:.2f} to {measured.ac1_high:.2f}), Cohen's kappa {kappa}; 95 % intervals; "
        f"a suite can require up to requires_agreement={max(0.0, int(100 * measured.ac1_low) / 100):.2f}"
    )
    say.line()


def _show_disagreements(rows: list[Labelled], results: list[tuple[str, str] | BaseException]) -> None:
    apart = [
        (row, said)
        for row, said in zip(rows, results, strict=True)
        if not isinstance(said, BaseException) and said[0] != row.people
    ]
    if apart:
        say.line()
        say.line(f"{len(apart)} disagreements" + (f", the first {MOST}:" if len(apart) > MOST else ":"))
    for row, (verdict, reasons) in apart[:MOST]:
        say.line(f"- {row.case.id} ({row.case.place}): people {row.people}, judge {verdict}")
        for name in ("answer", "first", "second"):
            if name in row.case.item:
                say.line(f"    {name}: {' '.join(str(row.case.item[name]).split())[:200]}")
        say.line(f"    judge:  {' '.join(reasons.split())[:200]}")
