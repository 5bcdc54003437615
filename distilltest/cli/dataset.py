"""``distilltest dataset``: write and check training files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from distilltest.config import Config
    from distilltest.distillation.lines import Finding
    from distilltest.records import Case

_SHOWN = 50
"""Findings and pairs that are printed; the rest is counted."""
_SFT = """\
Write a supervised training file from completions in the store: one example a line, the request and its answer.

  distilltest dataset sft --metadata task=git --output train.jsonl
      everything that the teacher answered under this label, asked as the teacher was
  distilltest dataset sft --metadata task=git --prompt short_prompt.yaml --validation 0.1 --output train.jsonl
      the student learns to do without the long prompt; a tenth of the requests goes to train.validation.jsonl

A prompt's {{ item.request }} is the last user message that was sent. For other fields the case is looked up: in --cases,
which was asked with --asked-with, or else in the dataset and prompt under `distillation:` in distilltest.yaml. Cases
with the same request or the same cluster never end up on both sides of --validation. Refusals, cut-off, empty and
repeated answers are left out and counted; of several answers to one request the newest is kept. What was written
is checked: exit code 1 where it is not fit for training (fewer than 10 examples, say).
"""
_DPO = """\
Write a preference (DPO) training file from a table with a request, a better and a worse answer in each row.

  distilltest dataset dpo --from pairs.csv --output dpo.jsonl
      with the columns instruction, chosen and rejected
  distilltest dataset dpo --from pairs.jsonl --instruction prompt --chosen good --rejected bad --output dpo.jsonl

JSONL, JSON, CSV and, with pip install 'distilltest[parquet]', Parquet. Rows with empty fields, identical answers, repeated
pairs and pairs that another row contradicts are left out and counted. What was written is checked: exit code 1 where it
is not fit for training (fewer than 10 examples, say).
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


def add(commands: Any) -> None:
    """Declare the commands."""
    group = commands.add_parser(
        "dataset",
        help="write and check training files",
        description="Training files: from stored completions (sft), from preferences (dpo), and checks of both.",
    )
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    sft = _action(actions, "sft", "write a supervised file from stored completions", _SFT, run_sft)
    sft.add_argument("--model", help="whose completions (default: the teacher of distilltest.yaml)")
    sft.add_argument("--metadata", action="append", default=[], metavar="KEY=VALUE", help="only with this label")
    sft.add_argument(
        "--prompt", type=Path, metavar="FILE", help="what the student is asked with, instead of what was sent"
    )
    sft.add_argument("--cases", type=Path, metavar="DATASET", help="the dataset that the completions answer")
    sft.add_argument("--asked-with", type=Path, metavar="FILE", help="the prompt that --cases were asked with")
    sft.add_argument("--validation", type=_share, metavar="SHARE", help="so much goes to a validation file: 0.1, say")
    sft.add_argument("--output", type=Path, required=True, metavar="FILE", help="where to write")
    dpo = _action(actions, "dpo", "write a preference file from a table of pairs", _DPO, run_dpo)
    dpo.add_argument("--from", dest="source", type=Path, required=True, metavar="FILE", help="the table")
    for column, what in (("instruction", "request"), ("chosen", "better answer"), ("rejected", "worse answer")):
        dpo.add_argument(f"--{column}", default=column, metavar="COLUMN", help=f"the {what} (default: {column})")
    dpo.add_argument("--system", metavar="TEXT", help="a system message to put before each request")
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
    for action in (sft, check):
        action.add_argument("--root", type=Path, default=Path(), metavar="DIR", help="the folder of distilltest.yaml")


def _action(actions: Any, name: str, short: str, text: str, run: Any) -> Any:
    action = actions.add_parser(
        name, help=short, description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    action.set_defaults(run=run)
    return action


def _share(text: str) -> float:
    return _between(text, 0.0, 0.9, "a share above 0 and up to 0.9")


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
    """Write a supervised file, and a validation file where one is asked for."""
    from distilltest.cli.labels import read_labels
    from distilltest.config import load_config
    from distilltest.distillation.select import pick
    from distilltest.distillation.split import split
    from distilltest.distillation.supervised import supervised_findings
    from distilltest.distillation.supervised_file import write_supervised
    from distilltest.errors import TrainingFileError
    from distilltest.prompt import load_prompt
    from distilltest.store import Selection, Store

    labels = read_labels(arguments.metadata)
    config = load_config(arguments.root.resolve())
    model = arguments.model or config.model("teacher").model
    prompt = load_prompt(arguments.prompt) if arguments.prompt else None
    cases = _cases(arguments, config)
    with Store.open(config.store_path) as store:
        found = store.find_completions(Selection(model=model, metadata=labels))
    if not found:
        raise TrainingFileError(
            f"The store has no completion of {model!r} with the labels {labels}. `distilltest completions list` shows what "
            "it has."
        )
    picked, older = pick(found, prompt, cases)
    picked.reverse()  # as they were asked
    sides = [(each.request, each.cluster) for each in picked]
    held_out = split(sides, arguments.validation) if arguments.validation else [False] * len(picked)
    if arguments.validation and len({*held_out}) < 2:
        raise TrainingFileError(
            f"{len(picked)} completions are too few, or too much of one cluster, to hold out {arguments.validation:g} of them. "
            "Collect more, or do without --validation."
        )
    if older:
        print(f"left out: {older} older answers to the same request")
    bad = False
    validation = arguments.output.with_suffix(f".validation{arguments.output.suffix}")
    for path, side in [(arguments.output, False), *([(validation, True)] if arguments.validation else [])]:
        some = (
            (each.stored.completion, each.messages) for each, held in zip(picked, held_out, strict=True) if held == side
        )
        written = write_supervised(path, some)
        _say_written(path, written.examples, written.left_out)
        findings = supervised_findings(path)  # how many there must be is a rule for the training file only
        bad |= _print_findings(path, (f for f in findings if f.line or not side))
    return int(bad)


def _cases(arguments: argparse.Namespace, config: Config) -> Mapping[str, Case]:
    """The cases that may have been asked, by the messages that they were asked with."""
    from distilltest.distillation.inputs import iter_inputs
    from distilltest.distillation.select import by_messages
    from distilltest.errors import DistilltestError
    from distilltest.prompt import load_prompt

    plan = config.distillation
    if arguments.asked_with is not None and arguments.cases is None:
        raise DistilltestError(
            f"--asked-with {arguments.asked_with}: name the dataset that was asked with it: --cases."
        )
    if arguments.cases is not None:
        dataset, asked = arguments.cases, arguments.asked_with
    elif plan is not None and (config.root / plan.train).is_file() and (config.root / plan.prompt).is_file():
        dataset, asked = config.root / plan.train, config.root / plan.prompt
    else:
        return {}
    return by_messages(load_prompt(asked) if asked else None, iter_inputs(dataset))


def run_dpo(arguments: argparse.Namespace) -> int:
    """Write a preference file."""
    from distilltest.distillation.preference_file import from_table, write_preferences
    from distilltest.distillation.preferences import preference_findings
    from distilltest.distillation.whole_file import LeftOut

    left_out = LeftOut()
    columns = {name: getattr(arguments, name) for name in ("instruction", "chosen", "rejected", "system")}
    written = write_preferences(arguments.output, from_table(arguments.source, left_out, **columns), left_out)
    _say_written(arguments.output, written.examples, written.left_out)
    return int(_print_findings(arguments.output, preference_findings(arguments.output)))


def run_check(arguments: argparse.Namespace) -> int:
    """Check a training file."""
    from distilltest.cli.dataset_check import check

    return check(arguments, _print_findings)


def _say_written(path: Path, examples: int, left_out: Mapping[str, int]) -> None:
    print(f"{path}: {examples:,} examples")
    for reason, count in left_out.items():
        print(f"left out: {count:,} ({reason})")


def _print_findings(path: Path, findings: Iterable[Finding]) -> bool:
    """Print findings and a conclusion; say whether a platform would reject the file."""
    from distilltest.errors import at

    count, fatal = 0, 0
    for finding in findings:
        count += 1
        fatal += finding.fatal
        if count <= _SHOWN:
            print(f"{at(path, finding.line)}: {'' if finding.fatal else 'remark: '}{finding.message}")
    if count > _SHOWN:
        print(f"… and {count - _SHOWN:,} more")
    print(
        f"{path}: {'not fit for training' if fatal else 'fit for training'}, {fatal:,} errors, {count - fatal:,} remarks"
    )
    return bool(fatal)
