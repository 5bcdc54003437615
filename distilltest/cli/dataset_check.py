"""``distilltest dataset check``: findings, overlap, diversity and costs."""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

from distilltest.cli import say
from distilltest.cli.dataset_files import against_cases, print_findings
from distilltest.config import Config, load_config
from distilltest.data.prompt import load_prompt
from distilltest.errors import DistilltestError
from distilltest.exit_codes import REFUSED
from distilltest.records import Case
from distilltest.training_files import costs, diversity, overlap
from distilltest.training_files.examples import REQUEST, is_preference_file, tags_of
from distilltest.training_files.inputs import iter_inputs
from distilltest.training_files.messages import spoken
from distilltest.training_files.preferences import preference_findings
from distilltest.training_files.supervised import supervised_findings
from distilltest.training_files.text_search.folding import folded
from distilltest.training_files.tokens import Counter, counter

_PAIRS = 20
"""Pairs that are printed."""
_ASKED = 200
"""Cases by which the length of base's and teacher's prompts is estimated."""


def check(arguments: argparse.Namespace) -> int:
    """Check a training file and print the results.

    Returns:
        REFUSED if it is not fit for training.
    """
    path: Path = arguments.file
    if arguments.tags is not None and arguments.against is None:
        raise DistilltestError(
            "--tags says which of the evaluation's tags have examples: name its dataset with --against."
        )
    tokens = counter()
    preference = arguments.format == "dpo" or (arguments.format is None and is_preference_file(path))
    findings = preference_findings if preference else supervised_findings
    bad = print_findings(path, findings(path, max_tokens=arguments.max_tokens, tokens=tokens))
    against = against_cases(arguments.against) if arguments.against else ()
    if arguments.against:
        bad |= _overlap(arguments, against)
    _diversity(arguments, against)
    _costs(arguments, costs.count_tokens(path, tokens), tokens)
    return REFUSED if bad else 0


def _overlap(arguments: argparse.Namespace, cases: tuple[Case, ...]) -> bool:
    prompt = load_prompt(arguments.prompt) if arguments.prompt else None
    found = overlap.find_overlap(arguments.file, overlap.texts_of(cases, prompt), threshold=arguments.near)
    say.lines(overlap.in_words(found, str(arguments.against)))
    for pair in found.pairs[:_PAIRS]:
        place = "" if pair.place == REQUEST else f"  in {pair.place}"
        say.line(f"  line {pair.line}  case {pair.case_id}  {pair.similarity:.2f}  {overlap.KINDS[pair.kind]}{place}")
    if len(found.pairs) > _PAIRS:
        say.line(f"  … and {len(found.pairs) - _PAIRS:,} more pairs")
    if found.leaked:
        say.line(
            f"{arguments.file}: not fit for training: {len(found.leaked):,} cases of {arguments.against} are in it"
        )
    return bool(found.leaked)


def _diversity(arguments: argparse.Namespace, cases: tuple[Case, ...]) -> None:
    tags = [case.tags for case in cases] if arguments.tags is not None else []
    source = arguments.tags if arguments.tags and arguments.tags.name else None
    by_request = {}
    if source is not None:
        for case in against_cases(source):
            for text in overlap.case_texts(case):
                by_request[folded(text)] = tuple(dict.fromkeys((*case.tags, *tags_of(case.item))))
    found = diversity.measure(
        arguments.file, evaluation_tags=tags, tags_by_request=by_request, threshold=arguments.near
    )
    say.lines(diversity.in_words(found))


def _costs(arguments: argparse.Namespace, tokens: costs.FileTokens, count: Counter) -> None:
    config = load_config(arguments.root.resolve())
    base, teacher = config.models.get("base"), config.models.get("teacher")
    if not config.prices or base is None or teacher is None:
        say.line(
            f"tokens: {tokens.trained:,} an epoch ({tokens.counted}). Costs are estimated where there is a price file."
        )
        return
    untuned = _untuned_call(config, tokens, count)
    estimate = costs.estimate(tokens, config.prices, base=base.model, teacher=teacher.model, untuned_call=untuned)
    say.lines(costs.in_words(estimate))
    if untuned is not None and config.distillation is not None:
        say.line(f"  Base and teacher are asked with {config.distillation.prompt}, the tuned model as in the file.")


def _untuned_call(config: Config, tokens: costs.FileTokens, count: Counter) -> costs.BilledCall | None:
    """What base and teacher are asked with: the prompt under ``distillation:``, where there is one."""
    plan = config.distillation
    if plan is None or not tokens.examples:
        return None
    prompt = load_prompt(config.root / plan.prompt, plan.prompt)
    rendered = [prompt.render(case) for case in islice(iter_inputs(config.root / plan.train, plan.train), _ASKED)]
    asked = [count.messages(spoken(messages), len(messages)) for messages in rendered]
    return costs.BilledCall(sum(asked) / len(asked), tokens.answer / tokens.examples)
