"""``distilltest dataset dpo``: write a preference file from a table, from grades, or from a judge's preferences."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence

from distilltest.cli import say
from distilltest.cli.bar import Bar
from distilltest.cli.dataset_files import asked_cases, print_findings, print_leaks, say_written
from distilltest.cli.opening import open_store
from distilltest.completions.engine import Engine
from distilltest.config import Config, Judge, load_config
from distilltest.data.prompt import Prompt, load_prompt
from distilltest.distillation.graded import (
    EvaluatedRun,
    Trials,
    as_answer,
    cases_of,
    pairs,
    source_of,
    trials_of,
    whole,
)
from distilltest.distillation.ranking import Ranking, Samples
from distilltest.distillation.select import render
from distilltest.errors import DistilltestError, asking_again
from distilltest.exit_codes import INCOMPLETE, REFUSED
from distilltest.records import Case
from distilltest.store import CompletionFilter, Store, StoredCompletion
from distilltest.training_files.preference_file import PreferencePair, by_pass, by_score, from_table, write_preferences
from distilltest.training_files.preferences import preference_findings
from distilltest.training_files.supervised_file import unfit
from distilltest.training_files.whole_file import LeftOut

COLUMNS = ("instruction", "chosen", "rejected")


def write(arguments: argparse.Namespace) -> int:
    """Write a preference file.

    Returns:
        REFUSED if the file is not fit for training, INCOMPLETE if calls to the judge failed.
    """
    _refuse_half_questions(arguments)
    config = load_config(arguments.root.resolve())
    left_out = LeftOut()
    if arguments.source and not config.store_path.is_file():  # a table needs no store, so none is made for it
        return REFUSED if _write(arguments, _table(arguments, left_out), left_out) else 0
    failed = 0
    with open_store(config) as store:
        own: EvaluatedRun | None = None
        if arguments.source:
            preferences = _table(arguments, left_out)
        else:
            evaluation = store.find_evaluation(arguments.evaluation) if arguments.evaluation else None
            own = source_of(store, evaluation) if evaluation else None
            roles = [arguments.role] if arguments.role else [arguments.chosen, arguments.rejected]
            cases = asked_cases(config, arguments.cases, arguments.asked_with)
            cases = {**cases, **cases_of(own, config.root, [role for role in roles if role])}
            prompt = load_prompt(arguments.prompt) if arguments.prompt else None
            if arguments.judge is not None:
                samples = _samples(arguments, config, store, evaluation, prompt, cases, left_out)
                way = arguments.pairs or "all"
                if arguments.dry_run:
                    return _said_cost(arguments.judge, samples, way, config, store)
                ranked, failed = _judged(arguments.judge, samples, way, config, store, left_out)
                preferences = iter(ranked)
            else:
                assert evaluation is not None
                preferences = _graded(arguments, store, evaluation, prompt, cases, left_out)
        bad = _write(arguments, preferences, left_out)
        bad |= print_leaks([arguments.output], config, store, own)
    return REFUSED if bad else INCOMPLETE if failed else 0


def _table(arguments: argparse.Namespace, left_out: LeftOut) -> Iterator[PreferencePair]:
    columns = {name: getattr(arguments, name) or name for name in COLUMNS}
    return from_table(arguments.source, left_out, **columns, system=arguments.system)


def _write(arguments: argparse.Namespace, preferences: Iterable[PreferencePair], left_out: LeftOut) -> bool:
    """Write and check the file; return whether a platform would reject it."""
    say_written(write_preferences(arguments.output, preferences, left_out))
    return print_findings(arguments.output, preference_findings(arguments.output))


def _refuse_half_questions(arguments: argparse.Namespace) -> None:
    """Refuse options that do not go with the source of preferences."""
    given = {name for name, value in vars(arguments).items() if value not in (None, [])}
    judged = "judge" in given
    sources = [
        name for name, is_it in (("--from", "source" in given), ("--evaluation", "evaluation" in given)) if is_it
    ]
    if len(sources) == 2 or (judged and sources == ["--from"]):
        raise DistilltestError("--from brings its own preferences: leave out --evaluation and --judge, or --from.")
    if not sources and not judged:
        raise DistilltestError(
            "Where shall preferences come from? --from FILE, --evaluation NAME with --chosen ROLE --rejected ROLE or with "
            "--role ROLE, or --judge."
        )
    if sources == ["--from"]:
        _refuse(
            given,
            ("role", "min_gap", "prompt", "cases", "asked_with", "metadata", "model", "pairs", "dry_run"),
            "goes with --evaluation or --judge",
        )
        return
    _refuse(given, ("instruction", "system"), "goes with --from")
    if not judged:
        _refuse(given, ("pairs", "dry_run"), "goes with --judge")
    if not judged and ("role" in given) == ("chosen" in given and "rejected" in given):
        raise DistilltestError(
            "--evaluation: whose answers are compared? Two roles': --chosen ROLE --rejected ROLE. Several trials of one "
            "role: --role ROLE."
        )
    if judged or "role" in given:
        _refuse(given, ("chosen", "rejected"), "compares two roles, and goes neither with --role nor with --judge")
    if judged or "chosen" in given:
        _refuse(given, ("min_gap",), "is of scores: it goes with --evaluation and --role")
    if not judged or sources:
        _refuse(given, ("model",), "goes with --judge alone: an evaluation knows its answers by role (--role)")


def _refuse(given: set[str], names: Sequence[str], why: str) -> None:
    for name in names:
        if name in given:
            raise DistilltestError(f"--{name.replace('_', '-')} {why}.")


def _graded(
    arguments: argparse.Namespace,
    store: Store,
    evaluation: str,
    prompt: Prompt | None,
    cases: dict[str, Case],
    left_out: LeftOut,
) -> Iterator[PreferencePair]:
    """Pairs of answers by their grades in an evaluation."""
    labels = dict(arguments.metadata)
    if arguments.role:
        groups = trials_of(store, evaluation, arguments.role, labels)
        _say_source(evaluation, groups, arguments.role)
        samples = (
            (render(t[0].stored, prompt, cases).messages, [as_answer(each) for each in t])
            for t in whole(groups, left_out)
        )
        return by_score(samples, left_out, least_gap=arguments.min_gap or 0.0)
    chosen = trials_of(store, evaluation, arguments.chosen, labels)
    rejected = trials_of(store, evaluation, arguments.rejected, labels)
    _say_source(evaluation, chosen, f"{arguments.chosen} and {arguments.rejected}")
    found = pairs(whole(chosen, left_out), whole(rejected, left_out), prompt, cases, left_out)
    return by_pass(((picked.messages, one, other) for picked, one, other in found), left_out)


def _say_source(evaluation: str, groups: Sequence[Trials], roles: str) -> None:
    say.line(f"{evaluation}, run {groups[0][0].run}: {len(groups):,} cases with answers of {roles}")


def _samples(
    arguments: argparse.Namespace,
    config: Config,
    store: Store,
    evaluation: str | None,
    prompt: Prompt | None,
    cases: dict[str, Case],
    left_out: LeftOut,
) -> list[Samples]:
    """Several answers to each request: an evaluation's trials, or a model's stored answers under any system prompt."""
    labels = dict(arguments.metadata)
    role = arguments.role or "teacher"
    groups: dict[object, list[StoredCompletion]] = {}
    if evaluation is not None:
        trials = trials_of(store, evaluation, role, labels)
        _say_source(evaluation, trials, role)
        groups = {group[0].case_id: [each.stored for each in group] for group in whole(trials, left_out)}
    else:
        model = arguments.model or config.with_tuned(store.tuned()).model(role).model
        for stored in store.each_completion(CompletionFilter(model=model, metadata=labels)):
            asked = [m for m in stored.messages if m.get("role") not in ("system", "developer")]
            reason = unfit(stored.completion)
            if reason is not None:
                left_out.add(reason)
            elif asked:
                groups.setdefault(repr(asked), []).append(stored)
        say.line(f"{model}: answers to {len(groups):,} requests")
    found = []
    for group in groups.values():
        texts = tuple(each.completion.text for each in group)
        asked_with = tuple(render(each, prompt, cases).messages for each in group)
        found.append(Samples(group[0].messages, texts, asked_with))
    return found


def _to_ask(judge: Judge, pairs: int, requests: int, way: str) -> str:
    most = "" if way == "all" else "at most "
    return (
        f"judge {judge.name!r} ({judge.model.model}): {most}{pairs:,} pairs of answers to {requests:,} requests, each in both "
        f"orders: {most}{2 * pairs:,} questions"
    )


def _said_cost(name: str, samples: list[Samples], way: str, config: Config, store: Store) -> int:
    """Print the cost of judging; send and write nothing."""
    from distilltest.distillation.judging_cost import judging_cost
    from distilltest.distillation.matches import WAYS
    from distilltest.reporting.text import money

    judge = config.judge(name or None)
    found = judging_cost(samples, way, judge, config, store)
    say.line(_to_ask(judge, found.pairs, len(samples), way))
    if found.known:
        say.line(f"{found.known:,} of them are answered in the store, {found.questions - found.known:,} to send")
    each = "" if found.answer_tokens is None else f", {found.answer_tokens:.0f} for each answer as before"
    price = "the judge has no price" if found.usd is None else f"about {money(found.usd)}"
    if found.usd is not None and found.answer_tokens is None:
        price = f"at least {money(found.usd)}; how long its answers are is not known yet"
    say.line(f"tokens: about {found.prompt_tokens:,.0f} to send{each}; {price}")
    others = [f"--pairs {other} {2 * sum(each.pairs(other) for each in samples):,}" for other in WAYS if other != way]
    say.line(f"questions in other ways, at most: {', '.join(others)}. Nothing was sent.")
    return 0


def _judged(
    name: str, samples: list[Samples], way: str, config: Config, store: Store, left_out: LeftOut
) -> tuple[list[PreferencePair], int]:
    """A judge's preferences, and the number of pairs without a verdict."""
    judge = config.judge(name or None)
    config.server(judge.model.server)
    config.check_budget([judge.model])
    total = sum(each.pairs(way) for each in samples)
    say.line(_to_ask(judge, total, len(samples), way))
    with Engine(config, store) as engine, Bar("pairs", total) as bar:
        ranking = Ranking(judge, engine.complete, config.root, bar, way)
        found = engine.run(ranking.preferences(samples, left_out))
        say.line(
            f"judged: {ranking.done:,} pairs, {engine.counts.new:,} new answers of the judge, "
            f"{engine.counts.from_store:,} from the store; both orders agreed on {ranking.agreed:,}"
        )
    for kind, count in ranking.failures.items():
        say.aside(f"no verdict on {count:,} pairs: {kind}: {ranking.sentences[kind]}")
    if ranking.failures:
        say.aside(asking_again(ranking.failures))
    return found, ranking.failures.total()
