"""``distilltest dataset``: write, check and clean training files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from distilltest.cli.selection import label

_SFT = """\
Write a supervised training file from completions in the store: one example a line, the request and its answer.

  distilltest dataset sft --metadata task=git --output train.jsonl
      everything that the teacher answered under this label, asked as the teacher was
  distilltest dataset sft --metadata task=git --prompt short_prompt.yaml --validation 0.1 --output train.jsonl
      the student learns to do without the long prompt; a tenth of the requests goes to train.validation.jsonl
  distilltest dataset sft --evaluation test_grades.py::test_git --passed --output train.jsonl
      only the teacher's answers that passed in the latest run of this evaluation
  distilltest dataset sft --evaluation test_git --passed --best-of --output train.jsonl
      of several trials that passed the one with the highest score, the first of equals

A prompt's {{ item.request }} is the last user message that was sent. For other fields the case is looked up: in the
evaluation's dataset, in --cases, which was asked with --asked-with, or else in the dataset and prompt under
`distillation:` in distilltest.yaml. Cases with the same request or the same cluster never end up on both sides of
--validation. Refusals, cut-off, empty and repeated answers are left out and counted; of several answers to one request
the newest is kept, or the first that an evaluation says to. What was written is checked, and compared with the datasets
of all evaluations in the store: exit code 13 where it is not fit for training (fewer than 10 examples, or with a request
that an evaluation asks).
"""
_DPO = """\
Write a preference (DPO) training file: requests, each with a better and a worse answer.

  distilltest dataset dpo --from pairs.csv --output dpo.jsonl
      from a table with the columns instruction, chosen and rejected
  distilltest dataset dpo --from pairs.jsonl --instruction prompt --chosen good --rejected bad --output dpo.jsonl
      with columns of other names
  distilltest dataset dpo --evaluation test_git --chosen teacher --rejected base --output dpo.jsonl
      where the teacher's answer passed and the base's failed in the latest run of this evaluation
  distilltest dataset dpo --evaluation test_git --role teacher --min-gap 0.3 --output dpo.jsonl
      of several trials of one role the best and the worst by score
  distilltest dataset dpo --judge --metadata task=git --output dpo.jsonl
      of several answers that `distilltest collect` asked for, as a judge prefers them in both orders
  distilltest dataset dpo --judge --metadata task=git --pairs best-worst --dry-run --output dpo.jsonl
      what that would cost; nothing is sent

Of n answers to a request, --pairs all compares every two, n (n - 1) / 2 pairs: 28 of 8 answers. --pairs tournament lets the
better one of a pair go on, n - 1 pairs: the last one is preferred to the first that it beat. --pairs best-worst lets the losers
of the first round play for the last place, and compares first and last: about 1.5 n pairs. Each pair is two questions.

Tables are JSONL, JSON, YAML, CSV and, with pip install 'distilltest[parquet]', Parquet. Ties, answers on which a judge's two
orders disagree, empty fields, identical answers, repeated pairs and pairs that another one contradicts are left out and counted.
What was written is checked, and compared with the datasets of all evaluations in the store: exit code 13 where it is not
fit for training (fewer than 10 examples, or with a request that an evaluation asks); 11 where calls to the judge failed.
"""
_CHECK = """\
Hold a training file, supervised or preference, against the platform's rules, and say how good it is to learn from.

  distilltest dataset check train.jsonl
      rules, tokens and costs, lengths, requests that are nearly the same
  distilltest dataset check train.jsonl --against fixtures/test.jsonl
      also whether the evaluation's requests are in the file: what was trained on tests nothing
  distilltest dataset check train.jsonl --against fixtures/test.jsonl --tags fixtures/train.jsonl
      also whether each of the evaluation's tags has examples; the tags of the examples stand in fixtures/train.jsonl

Exit code 0: fit for training. 1: unfit, because a platform would reject it or because requests of the evaluation are in it.
"""

_CLEAN = """\
Write a training file anew without the lines that do harm, and say how many were left out and why.

  distilltest dataset clean train.jsonl --output clean.jsonl
      without lines that a platform would reject, and without the second of two examples that are the same
  distilltest dataset clean train.jsonl --against fixtures/test.jsonl --output clean.jsonl
      also without lines that have what the evaluation asks, in any turn; for several evaluations give --against several times
  distilltest dataset clean train.jsonl --against fixtures/test.jsonl --without-near --output clean.jsonl
      also without lines that have it nearly; look at them first: distilltest dataset check

The other lines are written as they are, in their order. Examples are the same where all turns and answers are, but for case,
space and punctuation; the first is kept. What was written is checked: exit code 0 where it is fit for training, 13 where it
is not, because fewer than 10 examples are left, say.
"""


def add(commands: Any) -> None:
    """Declare the commands."""
    group = commands.add_parser(
        "dataset",
        help="write, check and clean training files",
        description="Training files: from stored completions (sft), from preferences (dpo), checks of both, and cleaning.",
    )
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    sft = _action(actions, "sft", "write a supervised file from stored completions", _SFT, run_sft)
    sft.add_argument("--role", default="teacher", help="whose completions (default: teacher)")
    sft.add_argument("--model", help="whose completions, by the model's id")
    sft.add_argument("--evaluation", metavar="NAME", help="an evaluation's node id or its end: go by its grades")
    sft.add_argument("--passed", action="store_true", help="only answers that passed")
    sft.add_argument("--best-of", action="store_true", help="of several trials the one with the highest score")
    _stored_options(sft)
    sft.add_argument("--validation", type=_share, metavar="SHARE", help="so much goes to a validation file: 0.1, say")
    sft.add_argument("--output", type=Path, required=True, metavar="FILE", help="where to write")
    dpo = _action(actions, "dpo", "write a preference file from a table, from grades, or by a judge", _DPO, run_dpo)
    dpo.add_argument("--from", dest="source", type=Path, metavar="FILE", help="a table of pairs")
    dpo.add_argument("--instruction", metavar="COLUMN", help="the request (default: instruction)")
    dpo.add_argument("--chosen", metavar="COLUMN|ROLE", help="the better answer (default: chosen)")
    dpo.add_argument("--rejected", metavar="COLUMN|ROLE", help="the worse answer (default: rejected)")
    dpo.add_argument("--system", metavar="TEXT", help="a system message to put before each request of a table")
    dpo.add_argument("--evaluation", metavar="NAME", help="an evaluation's node id or its end: go by its answers")
    dpo.add_argument("--role", help="several trials of this role")
    dpo.add_argument("--min-gap", type=_gap, metavar="GAP", help="by how much scores must differ (default: at all)")
    dpo.add_argument(
        "--judge", nargs="?", const="", metavar="NAME", help="go by this judge of distilltest.yaml (default: the one)"
    )
    dpo.add_argument(
        "--pairs",
        choices=("all", "best-worst", "tournament"),
        help="with --judge: which of the n answers to a request are compared (default: all)",
    )
    dpo.add_argument(
        "--dry-run",
        action="store_true",
        default=None,
        help="with --judge: say how many questions that is, and what they cost; send and write nothing",
    )
    dpo.add_argument("--model", help="with --judge: whose completions, by the model's id (default: the teacher's)")
    _stored_options(dpo)
    dpo.add_argument("--output", type=Path, required=True, metavar="FILE", help="where to write")
    check = _action(actions, "check", "is a training file fit, and good to learn from?", _CHECK, run_check)
    check.add_argument("file", type=Path, metavar="FILE", help="the training file")
    check.add_argument("--format", choices=("sft", "dpo"), help="what the file is (default: what its first line is)")
    check.add_argument("--against", type=Path, metavar="DATASET", help="the evaluation's dataset")
    check.add_argument(
        "--prompt", type=Path, metavar="FILE", help="the prompt that the evaluation asks with (default: none)"
    )
    check.add_argument(
        "--near", type=_near, default=0.6, metavar="S", help="from which similarity on is near (default 0.6)"
    )
    check.add_argument(
        "--tags",
        nargs="?",
        const=Path(),
        type=Path,
        metavar="DATASET",
        help="say which of the evaluation's tags have examples",
    )
    check.add_argument("--max-tokens", type=int, default=65_536, metavar="N", help="how long an example may be")
    cleaned = _action(
        actions, "clean", "write a training file without leaks, duplicates and bad lines", _CLEAN, run_clean
    )
    cleaned.add_argument("file", type=Path, metavar="FILE", help="the training file")
    cleaned.add_argument("--format", choices=("sft", "dpo"), help="what the file is (default: what its first line is)")
    cleaned.add_argument(
        "--against", type=Path, action="append", default=[], metavar="DATASET", help="an evaluation's dataset"
    )
    cleaned.add_argument(
        "--prompt", type=Path, metavar="FILE", help="the prompt that the evaluation asks with (default: none)"
    )
    cleaned.add_argument(
        "--near", type=_near, default=0.6, metavar="S", help="from which similarity on is near (default 0.6)"
    )
    cleaned.add_argument("--without-near", action="store_true", help="leave out near lines, too")
    cleaned.add_argument("--max-tokens", type=int, default=65_536, metavar="N", help="how long an example may be")
    cleaned.add_argument("--output", type=Path, required=True, metavar="FILE", help="where to write")
    for action in (sft, dpo, check, cleaned):
        action.add_argument("--root", type=Path, default=Path(), metavar="DIR", help="the folder of distilltest.yaml")


def _stored_options(action: Any) -> None:
    action.add_argument(
        "--metadata", type=label, action="append", default=[], metavar="KEY=VALUE", help="only with this label"
    )
    action.add_argument(
        "--prompt", type=Path, metavar="FILE", help="what the student is asked with, instead of what was sent"
    )
    action.add_argument("--cases", type=Path, metavar="DATASET", help="the dataset that the completions answer")
    action.add_argument("--asked-with", type=Path, metavar="FILE", help="the prompt that --cases were asked with")


def _action(actions: Any, name: str, short: str, text: str, run: Any) -> Any:
    action = actions.add_parser(
        name, help=short, description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    action.set_defaults(run=run)
    return action


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


def run_sft(arguments: argparse.Namespace) -> int:
    """Write a supervised file."""
    from distilltest.cli.dataset_sft import write

    return write(arguments)


def run_dpo(arguments: argparse.Namespace) -> int:
    """Write a preference file."""
    from distilltest.cli.dataset_dpo import write

    return write(arguments)


def run_check(arguments: argparse.Namespace) -> int:
    """Check a training file."""
    from distilltest.cli.dataset_check import check

    return check(arguments)


def run_clean(arguments: argparse.Namespace) -> int:
    """Write a training file without what does harm."""
    from distilltest.cli.dataset_clean import clean

    return clean(arguments)
