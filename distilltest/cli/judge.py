"""``distilltest judge``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distilltest.cli import say
from distilltest.cli.say import table

if TYPE_CHECKING:
    from distilltest.judges import Judgement, Question
    from distilltest.records import Case

GRADERS = ("criteria_match", "semantic_similarity", "factuality", "sentiment", "label_model")
MOST = 10
"""Disagreements that are shown."""


def add(commands: Any) -> None:
    """Declare the commands."""
    group = commands.add_parser("judge", help="model judges", description="Model judges of distilltest.yaml.")
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    calibrate = actions.add_parser(
        "calibrate",
        help="hold a judge against human labels",
        description=(
            "Ask a judge for answers that people have labelled, and say how far it agrees with them. Each row of the file has an "
            'id, the "answer" and the human "label", and what the grader needs: "criteria" (criteria_match), "reference" '
            '(semantic_similarity, factuality), "question" (factuality, label_model). The result is kept, shown in every '
            "report that uses this judge with this prompt, and a suite may demand it: requires_agreement=0.7."
        ),
    )
    calibrate.add_argument("--labels", required=True, metavar="FILE", help="JSONL, JSON, YAML or CSV")
    calibrate.add_argument("--grader", required=True, choices=GRADERS)
    calibrate.add_argument("--judge", metavar="NAME", help="the judge's name (default: the one under judge:)")
    calibrate.add_argument("--prompt", metavar="FILE", help="a prompt of your own, as in the suite")
    calibrate.add_argument("--root", type=Path, default=Path(), metavar="DIR", help="the folder of distilltest.yaml")
    calibrate.set_defaults(run=run_calibrate, resumes=True)
    sample = actions.add_parser(
        "sample",
        help="write a sheet of answers for people to label",
        description=(
            "Choose random cases of an evaluation's last run and write the answers of all roles to a file, shuffled and without "
            'a word on who gave them. People fill in "passed": true or false. With @evaluation(labels=FILE) the gate decides by '
            "what they said: alone, or, with 200 labelled pairs or more, sharpened by the judge."
        ),
    )
    sample.add_argument(
        "evaluation", metavar="EVALUATION", help="a test's node id, or its end: test_meets_the_criteria"
    )
    sample.add_argument("--out", required=True, type=Path, metavar="FILE", help="JSONL; must not be there yet")
    sample.add_argument("--cases", type=int, default=250, metavar="N", help="at most so many cases (default 250)")
    sample.add_argument(
        "--against",
        action="append",
        metavar="ROLE",
        help="whom the candidate is compared with; may be repeated (default: every role of the run)",
    )
    sample.add_argument("--seed", type=int, default=1, metavar="N", help="another seed chooses other cases")
    sample.add_argument("--root", type=Path, default=Path(), metavar="DIR", help="the folder of distilltest.yaml")
    sample.set_defaults(run=run_sample)


def run_sample(arguments: argparse.Namespace) -> int:
    """Write a sheet for people to fill in."""
    import orjson

    from distilltest.cli.opening import open_store
    from distilltest.config import load_config
    from distilltest.errors import DistilltestError
    from distilltest.judges.sample import sheet

    if arguments.cases < 1:
        raise DistilltestError(f"--cases {arguments.cases}: at least one.")
    if arguments.out.exists():
        raise DistilltestError(
            f"{arguments.out} is there already, perhaps with labels. Give another name, or move it away."
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
    print(
        f'{len(rows)} answers to {cases} cases in {arguments.out}. Fill in "passed": true or false, then @evaluation(labels=...).'
    )
    return 0


def run_calibrate(arguments: argparse.Namespace) -> int:
    """Ask, compare, keep."""
    from datetime import UTC, datetime

    from distilltest.config import load_config
    from distilltest.dataset import load_dataset
    from distilltest.engine import Engine
    from distilltest.errors import DistilltestError
    from distilltest.judges.calibration import Calibration
    from distilltest.retention import open_for_work

    config = load_config(arguments.root.resolve())
    judge = config.judge(arguments.judge)
    config.server(judge.model.server)
    config.check_budget([judge.model])
    cases = load_dataset(config.root / arguments.labels, arguments.labels).cases
    asked = [_question(case, cases, arguments, config.root) for case in cases]
    names = list(asked[0].scores)
    people = [_label(case, names) for case in cases]
    with open_for_work(config, print) as store, Engine(config, store) as engine:
        results = engine.run(_ask_all(asked, judge, engine))
        pairs = [
            (label, r.verdict) for label, r in zip(people, results, strict=True) if not isinstance(r, BaseException)
        ]
        failures = [r for r in results if isinstance(r, BaseException)]
        if not pairs:
            raise DistilltestError(f"The judge gave no verdict on any of {len(cases)} rows: {failures[0]}")
        measured = Calibration.of(
            arguments.grader, judge, pairs, names, arguments.labels, f"{datetime.now(UTC):%Y-%m-%d}"
        )
        measured.save(store, judge, asked[0].prompt.fingerprint)
    print(f"{arguments.grader} by {judge.name!r} ({judge.model.model}), {measured.n} labels of {arguments.labels}\n")
    rows = [[f"people: {name}", *counts] for name, counts in zip(names, measured.counts, strict=True) if sum(counts)]
    print(table(rows, ["", *(f"judge: {name}" for name in names)]))
    agree = sum(measured.counts[i][i] for i in range(len(names)))
    kappa = (
        "not defined (one label only)"
        if measured.kappa is None
        else f"{measured.kappa:.2f} ({measured.kappa_low:.2f} to {measured.kappa_high:.2f})"
    )
    print(f"\nthe same label: {agree} of {measured.n}")
    print(
        f"AC1 {measured.ac1:.2f} ({measured.ac1_low:.2f} to {measured.ac1_high:.2f}), Cohen's kappa {kappa}; 95 % intervals"
    )
    if failures:
        say.line(f"without a verdict: {len(failures)} ({failures[0]})")
    _show_disagreements(cases, people, results)
    return 0


async def _ask_all(asked: list[Question], judge: Any, engine: Any) -> list[Judgement | BaseException]:
    import asyncio

    from distilltest.errors import JudgeFailed
    from distilltest.judges import ask

    results = await asyncio.gather(*(ask(q, judge, engine.complete) for q in asked), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, JudgeFailed):
            raise result
    return results


def _show_disagreements(cases: tuple[Case, ...], people: list[str], results: list[Any]) -> None:
    apart = [
        (case, label, result)
        for case, label, result in zip(cases, people, results, strict=True)
        if not isinstance(result, Exception) and result.verdict != label
    ]
    if apart:
        print(f"\n{len(apart)} disagreements" + (f", the first {MOST}:" if len(apart) > MOST else ":"))
    for case, label, result in apart[:MOST]:
        say.line(f"- {case.id} ({case.place}): people {label}, judge {result.verdict}")
        say.line(f"    answer: {' '.join(str(case.item['answer']).split())[:200]}")
        say.line(f"    judge:  {' '.join(result.votes[0].reasons.split())[:200]}")


def _field(case: Case, name: str, grader: str) -> str:
    from distilltest.errors import DatasetError

    if case.item.get(name) in (None, ""):
        raise DatasetError(f'{case.place}: row {case.id!r} has no "{name}", which calibrating {grader} needs.')
    return str(case.item[name])


def _label(case: Case, names: list[str]) -> str:
    from distilltest.errors import DatasetError

    label = _field(case, "label", "a judge")
    found = next((name for name in names if name.casefold() == label.casefold()), None)
    if found is None:
        raise DatasetError(f"{case.place}: the label {label!r} of row {case.id!r} is none of {', '.join(names)}.")
    return found


def _question(case: Case, cases: tuple[Case, ...], arguments: argparse.Namespace, root: Path) -> Question:
    from distilltest.judges import questions

    grader, prompt = arguments.grader, arguments.prompt
    answer = _field(case, "answer", grader)
    if grader == "criteria_match":
        return questions.criteria_question(answer, _field(case, "criteria", grader), prompt=prompt, root=root)
    if grader == "semantic_similarity":
        return questions.similarity_question(answer, _field(case, "reference", grader), prompt=prompt, root=root)
    if grader == "factuality":
        reference, question = _field(case, "reference", grader), str(case.item.get("question") or "")
        return questions.factuality_question(answer, reference, question, prompt=prompt, root=root)
    if grader == "sentiment":
        return questions.sentiment_question(answer, ["positive"], prompt=prompt, root=root)
    labels = sorted({_field(one, "label", grader) for one in cases})
    question = _field(case, "question", grader)
    return questions.label_question(question, answer, labels, labels[:1], prompt=prompt, root=root)
