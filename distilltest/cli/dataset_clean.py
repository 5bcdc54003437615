"""``distilltest dataset clean``: a training file without leaks, duplicates and lines that a platform would reject."""

from __future__ import annotations

import argparse
from pathlib import Path

from distilltest.cli import say
from distilltest.cli.dataset_files import against_cases, print_findings, say_written
from distilltest.data.prompt import load_prompt
from distilltest.errors import DistilltestError
from distilltest.exit_codes import REFUSED
from distilltest.training_files import overlap
from distilltest.training_files.clean import write_clean
from distilltest.training_files.examples import is_preference_file
from distilltest.training_files.preferences import preference_findings
from distilltest.training_files.supervised import supervised_findings


def clean(arguments: argparse.Namespace) -> int:
    """Copy the fit lines, and report what was left out and why.

    Returns:
        REFUSED if even the copy is not fit for training.
    """
    path: Path = arguments.file
    if arguments.output.resolve() == path.resolve():
        raise DistilltestError(f"--output {arguments.output}: that is the file itself. Name another one.")
    if (arguments.prompt or arguments.without_near) and not arguments.against:
        option = "--prompt" if arguments.prompt else "--without-near"
        raise DistilltestError(f"{option} is about the evaluation's requests: name their dataset with --against.")
    preference = arguments.format == "dpo" or (arguments.format is None and is_preference_file(path))
    findings = preference_findings if preference else supervised_findings
    prompt = load_prompt(arguments.prompt) if arguments.prompt else None
    found = []
    for dataset in arguments.against:
        texts = overlap.texts_of(against_cases(dataset), prompt)
        found.append(overlap.find_overlap(path, texts, threshold=arguments.near))
        near = len(found[-1].near)
        if near and not arguments.without_near:
            say.line(
                f"remark: {near:,} cases of {dataset} are nearly in the file, and their lines were kept. See them with "
                f"`distilltest dataset check {path} --against {dataset}`; --without-near leaves them out."
            )
    problems = findings(path, max_tokens=arguments.max_tokens)
    say_written(write_clean(path, arguments.output, problems, found, near=arguments.without_near))
    bad = print_findings(arguments.output, findings(arguments.output, max_tokens=arguments.max_tokens))
    return REFUSED if bad else 0
