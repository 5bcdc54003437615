"""Declare ``distilltest dataset``: write, check and clean training files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from distilltest.cli.options import add_action, add_labels, add_root, deferred

_SFT = """\
Write a supervised training file from completions in the store: one example per line, a request and its answer.

  distilltest dataset sft --metadata task=git --output train.jsonl
      every answer of the teacher with this label, with the prompt that the teacher got
  distilltest dataset sft --metadata task=git --prompt short_prompt.yaml --validation 0.1 --output train.jsonl
      the student learns to do without the long prompt; a tenth of the requests goes to train.validation.jsonl
  distilltest dataset sft --evaluation test_grades.py::test_git --passed --output train.jsonl
      only the teacher's answers that passed in the latest run of this evaluation
  distilltest dataset sft --evaluation test_git --passed --best-of --output train.jsonl
      of several passing trials, the one with the highest score (the first of equals)

{{ item.request }} in a prompt is the last user message that was sent. Other fields come from the case: distilltest looks it
up in the evaluation's dataset, then in --cases (rendered with --asked-with), then in the dataset and prompt under
`distillation:` in distilltest.yaml. Cases with the same request or the same cluster stay on one side of --validation.
Refusals and truncated, empty or repeated answers are left out and counted. If a request has several answers, the newest is
kept, or the first that the evaluation selects. The file is then checked and compared with the datasets of all evaluations
in the store.

Exit code 13: the file is not fit for training. It has fewer than 10 examples, or a request that an evaluation asks.
"""
_DPO = """\
Write a preference (DPO) training file: requests, each with a better and a worse answer.

  distilltest dataset dpo --from pairs.csv --output dpo.jsonl
      from a table with the columns instruction, chosen and rejected
  distilltest dataset dpo --from pairs.jsonl --instruction prompt --chosen good --rejected bad --output dpo.jsonl
      from a table with other column names
  distilltest dataset dpo --evaluation test_git --chosen teacher --rejected base --output dpo.jsonl
      cases where the teacher passed and the base failed in the latest run of this evaluation
  distilltest dataset dpo --evaluation test_git --role teacher --min-gap 0.3 --output dpo.jsonl
      of several trials of one role, the best and the worst by score
  distilltest dataset dpo --judge --metadata task=git --output dpo.jsonl
      of several answers from `distilltest collect`, the pairs on which a judge agrees in both orders
  distilltest dataset dpo --judge --metadata task=git --pairs best-worst --dry-run --output dpo.jsonl
      the cost of that; nothing is sent

With n answers to a request, --pairs all compares every pair: n (n - 1) / 2, which is 28 for 8 answers. --pairs tournament
lets the better answer of each pair advance: n - 1 pairs, and the final winner is preferred to the first answer it beat.
--pairs best-worst also lets the losers of the first round play for last place and compares first with last: about 1.5 n
pairs. Each pair costs two questions.

Tables are JSONL, JSON, YAML, CSV and, with pip install 'distilltest[parquet]', Parquet. Ties, pairs on which the judge's two
orders disagree, empty fields, identical answers, repeated pairs and contradictory pairs are left out and counted. The file is
then checked and compared with the datasets of all evaluations in the store.

Exit code 13: the file is not fit for training. It has fewer than 10 examples, or a request that an evaluation asks.
Exit code 11: calls to the judge failed.
"""
_CHECK = """\
Check a training file, supervised or preference, against the platform's rules, and show how much there is to learn from it.

  distilltest dataset check train.jsonl
      rules, tokens and costs, lengths, near-duplicate requests
  distilltest dataset check train.jsonl --against fixtures/test.jsonl
      also whether the file has requests of the evaluation, which could then prove nothing
  distilltest dataset check train.jsonl --against fixtures/test.jsonl --tags fixtures/train.jsonl
      also whether each tag of the evaluation has examples; the examples' tags are in fixtures/train.jsonl

Exit code 0: fit for training. 13: unfit, because a platform would reject it or because it has requests of the evaluation.
"""

_CLEAN = """\
Copy a training file without its harmful lines, and report how many were left out and why.

  distilltest dataset clean train.jsonl --output clean.jsonl
      without lines that a platform would reject, and without duplicates
  distilltest dataset clean train.jsonl --against fixtures/test.jsonl --output clean.jsonl
      also without lines that have a request of the evaluation in any turn; repeat --against for several evaluations
  distilltest dataset clean train.jsonl --against fixtures/test.jsonl --without-near --output clean.jsonl
      also without near duplicates of its requests; review them first with `distilltest dataset check`

The other lines are copied unchanged, in order. Two examples are duplicates if all turns and answers are equal apart from
case, spaces and punctuation; the first is kept. The copy is then checked.

Exit code 0: fit for training. 13: unfit, for example because fewer than 10 examples are left.
"""


def add(commands: Any) -> None:
    """Declare the commands."""
    group = commands.add_parser(
        "dataset",
        help="write, check and clean training files",
        description="Write training files from stored completions (sft) or preferences (dpo); check and clean them.",
    )
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    sft = add_action(
        actions, "sft", "write a supervised file from stored completions", _SFT, deferred("dataset_sft", "write")
    )
    sft.add_argument("--role", default="teacher", help="use completions of this role (default: teacher)")
    sft.add_argument("--model", help="use completions of this model id")
    sft.add_argument(
        "--evaluation", metavar="NAME", help="select by the grades of this evaluation: its node id, or the end of it"
    )
    sft.add_argument("--passed", action="store_true", help="only answers that passed")
    sft.add_argument("--best-of", action="store_true", help="of several trials, only the one with the highest score")
    _add_stored_options(sft)
    sft.add_argument(
        "--validation", type=_share, metavar="SHARE", help="the share of requests for a validation file, such as 0.1"
    )
    dpo = add_action(
        actions,
        "dpo",
        "write a preference file from a table, from grades, or by a judge",
        _DPO,
        deferred("dataset_dpo", "write"),
    )
    dpo.add_argument("--from", dest="source", type=Path, metavar="FILE", help="a table of pairs")
    dpo.add_argument("--instruction", metavar="COLUMN", help="the request (default: instruction)")
    dpo.add_argument("--chosen", metavar="COLUMN|ROLE", help="the better answer (default: chosen)")
    dpo.add_argument("--rejected", metavar="COLUMN|ROLE", help="the worse answer (default: rejected)")
    dpo.add_argument("--system", metavar="TEXT", help="a system message to put before each request of a table")
    dpo.add_argument(
        "--evaluation", metavar="NAME", help="use the answers of this evaluation: its node id, or the end of it"
    )
    dpo.add_argument("--role", help="compare several trials of this role")
    dpo.add_argument(
        "--min-gap", type=_gap, metavar="GAP", help="the smallest difference in scores (default: any difference)"
    )
    dpo.add_argument(
        "--judge",
        nargs="?",
        const="",
        metavar="NAME",
        help="let this judge of distilltest.yaml compare answers (default: the only one)",
    )
    dpo.add_argument(
        "--pairs",
        choices=("all", "best-worst", "tournament"),
        help="with --judge: which pairs of the n answers to a request are compared (default: all)",
    )
    dpo.add_argument(
        "--dry-run",
        action="store_true",
        default=None,
        help="with --judge: show the number of questions and their cost; send and write nothing",
    )
    dpo.add_argument("--model", help="with --judge: use completions of this model id (default: the teacher's)")
    _add_stored_options(dpo)
    check = add_action(
        actions, "check", "is a training file fit, and good to learn from?", _CHECK, deferred("dataset_check", "check")
    )
    _add_file_options(check)
    check.add_argument("--against", type=Path, metavar="DATASET", help="the evaluation's dataset")
    check.add_argument(
        "--tags",
        nargs="?",
        const=Path(),
        type=Path,
        metavar="DATASET",
        help="show which of the evaluation's tags have examples",
    )
    clean = add_action(
        actions,
        "clean",
        "copy a training file without leaks, duplicates and bad lines",
        _CLEAN,
        deferred("dataset_clean", "clean"),
    )
    _add_file_options(clean)
    clean.add_argument(
        "--against",
        type=Path,
        action="append",
        default=[],
        metavar="DATASET",
        help="an evaluation's dataset; may be repeated",
    )
    clean.add_argument("--without-near", action="store_true", help="leave out near duplicates too")
    for action in (sft, dpo, clean):
        action.add_argument("--output", type=Path, required=True, metavar="FILE", help="the file to write")
    for action in (sft, dpo, check, clean):
        add_root(action)


def _add_stored_options(action: Any) -> None:
    add_labels(action, "--metadata", "only completions with this label")
    action.add_argument(
        "--prompt", type=Path, metavar="FILE", help="the prompt of the examples, in place of the one that was sent"
    )
    action.add_argument("--cases", type=Path, metavar="DATASET", help="the dataset that the completions answer")
    action.add_argument("--asked-with", type=Path, metavar="FILE", help="the prompt that was sent for --cases")


def _add_file_options(action: Any) -> None:
    action.add_argument("file", type=Path, metavar="FILE", help="the training file")
    action.add_argument(
        "--format", choices=("sft", "dpo"), help="the kind of training file (default: recognized by the first line)"
    )
    action.add_argument("--prompt", type=Path, metavar="FILE", help="the evaluation's prompt (default: none)")
    action.add_argument(
        "--near", type=_near, default=0.6, metavar="S", help="the similarity from which texts are near (default: 0.6)"
    )
    action.add_argument("--max-tokens", type=int, default=65_536, metavar="N", help="the longest example allowed")


def _share(text: str) -> float:
    return _between(text, 0.0, 0.9, "a share above 0 and up to 0.9")


def _gap(text: str) -> float:
    return _between(text, 0.0, 1.0, "a difference of scores above 0 and up to 1")


def _near(text: str) -> float:
    return _between(text, 0.4999999, 1.0, "a similarity from 0.5 to 1")


def _between(text: str, above: float, most: float, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not above < value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return value
