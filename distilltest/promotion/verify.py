"""Verify ``promotions.yaml`` against its own hashes, the kept reports, the store and the files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from distilltest.config import Config
from distilltest.data import read_json
from distilltest.data.dataset import load_dataset
from distilltest.data.whole_files import file_fingerprint
from distilltest.errors import DistilltestError, PromotionsError, StoreError, at
from distilltest.gate import Status
from distilltest.judges.question import IMPORTED
from distilltest.promotion import NAME
from distilltest.promotion.entry import PROMOTE, Entry, Proof
from distilltest.promotion.freshness import prompt_fingerprint
from distilltest.promotion.history import History, WrittenEntry
from distilltest.promotion.promote import FOLDER
from distilltest.promotion.recompute import from_numbers, from_outcomes, other_clusters
from distilltest.promotion.required import tidy
from distilltest.promotion.suite import Declared, collect_suite
from distilltest.reporting.report import EvaluationReport
from distilltest.store import Store

_BROKEN = (PromotionsError, KeyError, TypeError, ValueError, AttributeError, StoreError)


@dataclass(frozen=True, slots=True)
class Checked:
    """The findings on one entry."""

    entry: Entry
    edits: tuple[str, ...]
    """Signs of an edit."""
    proved: tuple[str, ...]
    """What was recomputed, and from which data."""
    remarks: tuple[str, ...]
    """Later changes that are not edits."""


def verify(config: Config, store: Store) -> tuple[list[str], list[Checked]]:
    """Recompute everything that can be recomputed.

    Returns:
        Problems of the file as a whole, and the findings on each entry.

    Raises:
        PromotionsError: promotions.yaml is not a list of entries.
    """
    history = History.load(config.root)
    suite = _suite(config, history)
    checked = [_check(config, store, suite, each) for each in history.entries]
    return history.problems(), checked


def leftovers(config: Config, history: History) -> list[str]:
    """Folders of kept reports that no entry names, after an interrupted promotion or the removal of an entry."""
    folder = config.reports_dir / FOLDER
    known = {each.entry.report.folder for each in history.entries if each.entry.report}
    there = sorted(path.relative_to(config.root).as_posix() for path in folder.glob("*") if path.is_dir())
    return [path for path in there if path not in known]


def _suite(config: Config, history: History) -> Mapping[str, Declared]:
    """The current suite; empty if pytest cannot collect it."""
    names = [proof.id.partition("::")[0] for each in history.entries for proof in each.entry.evaluations]
    if not names or history.production is None:
        return {}
    try:
        return collect_suite(config.root, tidy(names), history.production.model.id)
    except DistilltestError:
        return {}


def _check(config: Config, store: Store, suite: Mapping[str, Declared], written: WrittenEntry) -> Checked:
    entry = written.entry
    edits: list[str] = []
    proved: list[str] = []
    reports = _kept(config.root, entry, edits) if entry.report and entry.action == PROMOTE else {}
    for proof in entry.evaluations:
        report = reports.get(proof.id)
        if report is None:
            edits.append(f"{proof.id}: the kept report does not have it")
            continue
        edits += [f"{proof.id}: {difference}" for difference in _differences(proof, report)]
        tested = proof.roles.get("candidate", {}).get("model")
        if tested != entry.model.id:
            edits.append(f"{proof.id}: it puts {entry.model.id} into production, and the evaluations are of {tested}")
        said = _recompute(store, suite.get(proof.id), proof, report, edits)
        proved.append(f"{proof.id}: {said}")
    place = at(NAME, written.line)
    return Checked(
        entry,
        tuple(f"{place}: entry {entry.number}: {edit}" for edit in edits),
        tuple(proved),
        tuple(_since(config, entry)),
    )


def _kept(root: Path, entry: Entry, edits: list[str]) -> dict[str, EvaluationReport]:
    """The kept report's evaluations; problems with its files are added to ``edits``."""
    assert entry.report is not None
    folder = root / entry.report.folder
    for name, expected in (("report.json", entry.report.json_sha256), ("report.md", entry.report.markdown_sha256)):
        path = folder / name
        if not path.is_file():
            edits.append(f"{entry.report.folder}/{name} is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            edits.append(f"{entry.report.folder}/{name} was edited: it does not match the hash in the entry")
    try:
        content = read_json(folder / "report.json", f"{entry.report.folder}/report.json", PromotionsError).value
        found = [EvaluationReport.from_json(each) for each in content["evaluations"]]
    except _BROKEN:
        if not (folder / "report.json").is_file():
            return {}  # reported already
        edits.append(f"{entry.report.folder}/report.json is not a report")
        return {}
    return {report.id: report for report in found}


def _differences(proof: Proof, report: EvaluationReport) -> list[str]:
    """Differences between an entry and the kept report."""
    pairs = _unequal("", proof.to_content(), Proof.of(proof.run, report).to_content())
    return [f"{path} is {_short(said)}, in the kept report {_short(kept)}" for path, said, kept in pairs]


def _unequal(path: str, said: Any, kept: Any) -> Iterator[tuple[str, Any, Any]]:
    """The innermost paths at which two JSON values differ, such as ``rules.1.lost``."""
    if isinstance(said, dict) and isinstance(kept, dict) and said.keys() == kept.keys():
        for name in said:
            yield from _unequal(f"{path}.{name}", said[name], kept[name])
    elif isinstance(said, list) and isinstance(kept, list) and len(said) == len(kept):
        for number, (one, other) in enumerate(zip(said, kept, strict=True), start=1):
            yield from _unequal(f"{path}.{number}", one, other)
    elif said != kept:
        yield path.removeprefix("."), said, kept


def _recompute(store: Store, now: Declared | None, proof: Proof, report: EvaluationReport, edits: list[str]) -> str:
    """Describe how the verdict was recomputed; contradictions are added to ``edits``."""
    outcomes = store.outcomes(proof.run, proof.id)
    verdict = from_outcomes(report, now, outcomes) if outcomes and now is not None else None
    if verdict is not None:
        said, made = proof.to_content(), Proof.of(proof.run, replace(report, verdict=verdict)).to_content()
        for name in ("verdict", "rules"):
            edits += [
                f"{proof.id}: {path} is {_short(one)}; the store's {len(outcomes)} outcomes make it {_short(other)}"
                for path, one, other in _unequal(name, said[name], made[name])
            ]
        return f"{verdict.status}, recomputed from {len(outcomes)} outcomes in the store"
    problems, count = from_numbers(report)
    edits += [f"{proof.id}: {problem}" for problem in problems]
    applicable = sum(rule.status is not Status.NOT_APPLICABLE for rule in report.verdict.rules)
    why = "the store does not have its run" if not outcomes else "the suite has changed since"
    if any(rule.labelled is not None for rule in report.verdict.rules):
        why = "people's labels are not in the store"
    if other_clusters(report):
        why = "the test of clusters has changed since"
    return f"{report.verdict.status}, {count} of {applicable} rules recomputed from the report's numbers ({why})"


def _since(config: Config, entry: Entry) -> list[str]:
    """Describe the files that have changed since."""
    found: dict[str, None] = {}
    for proof in entry.evaluations:
        dataset = str(proof.dataset["path"])
        if _dataset(config.root, dataset) != proof.dataset["fingerprint"]:
            found[f"the dataset {dataset} has changed since"] = None
        for role, line in proof.roles.items():
            prompt = str(line["prompt"])
            if prompt_fingerprint(prompt, config.root) != line["prompt_fingerprint"]:
                found[f"the prompt {prompt} of {role} has changed since"] = None
        for use in proof.judges:
            stands = use["prompt"].startswith(IMPORTED)  # in the suite
            if not stands and prompt_fingerprint(use["prompt"], config.root) != use["prompt_fingerprint"]:
                found[f"the prompt {use['prompt']} of the judge {use['judge']!r} has changed since"] = None
    trained = entry.training_file or {}
    path = config.root / trained.get("path", "")
    if path.is_file() and file_fingerprint(path) != trained["sha256"]:
        found[f"the training file {trained['path']} has changed since"] = None
    return list(found)


def _dataset(root: Path, name: str) -> str:
    try:
        return load_dataset(root / name, name).fingerprint
    except DistilltestError:
        return ""


def _short(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 120 else f"{text[:119]}…"
