"""``distilltest completions tag``, ``delete`` and ``redact``."""

from __future__ import annotations

import argparse

from distilltest.cli import say
from distilltest.cli.completions_show import open_store
from distilltest.cli.selection import agreed, selection_of
from distilltest.config import load_config
from distilltest.errors import DistilltestError
from distilltest.exchange.patterns import NAMES, Pattern, built_in, own
from distilltest.exchange.redaction import Findings, redact
from distilltest.untrusted.visible import inline


def tag(arguments: argparse.Namespace) -> int:
    """Add and remove labels."""
    add, remove = dict(arguments.set), frozenset(arguments.remove)
    if not add and not remove:
        raise DistilltestError("Nothing is to be changed: give --set KEY=VALUE or --remove KEY.")
    if add.keys() & remove:
        raise DistilltestError(f"{', '.join(sorted(add.keys() & remove))}: both --set and --remove name this label.")
    with open_store(arguments) as store:
        selection = selection_of(arguments, store)
        count = store.count_completions(selection)
        changed = store.relabel(selection, add, remove, dry_run=arguments.dry_run)
    verb = "would change" if arguments.dry_run else "changed"
    say.line(f"{changed:,} of {_completions(count)} {verb}, {count - changed:,} had these labels already")
    return 0


def delete(arguments: argparse.Namespace) -> int:
    """Delete completions after confirmation."""
    with open_store(arguments) as store:
        selection = selection_of(arguments, store)
        count = store.count_completions(selection)
        if count and not agreed(arguments, f"Delete {_completions(count)} of {store.path}?"):
            say.line("Nothing was deleted.")
            return 0
        store.delete_completions(selection, expected=count)
        clean = store.scrub()
        say.line(f"{_completions(count)} deleted, {store.count_completions():,} are left")
    _warn_where_open(clean)
    return 0


def redact_selection(arguments: argparse.Namespace) -> int:
    """Redact the matches of the patterns after confirmation."""
    patterns = _patterns(arguments)
    with open_store(arguments) as store:
        selection = selection_of(arguments, store)
        count = store.count_completions(selection)
        findings = redact(store, selection, patterns, dry_run=True)
        _say(findings, patterns, count)
        if arguments.dry_run:
            say.line("Nothing was changed: --dry-run.")
            return 0
        question = f"Redact {_completions(findings.completions)}? There is no way back."
        if findings.completions and not agreed(arguments, question):
            say.line("Nothing was changed.")
            return 0
        runs = {use.run for row in store.each_row(selection) for use in store.uses_of(row.key)}
        if findings.completions:
            findings = redact(store, selection, patterns)
            say.line(f"{_completions(findings.completions)} redacted")
            _name_reports(arguments, runs)
        clean = store.scrub()  # also where an earlier call could not, because another process had the store open
    _warn_where_open(clean)
    return 0


def _patterns(arguments: argparse.Namespace) -> list[Pattern]:
    names = list(dict.fromkeys(NAMES if "every" in arguments.find else arguments.find))
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise DistilltestError(
            f"--find {unknown[0]}: there is no such pattern. There are {', '.join(NAMES)}, and every."
        )
    if not names and not arguments.pattern:
        raise DistilltestError(f"Say what to find: --find NAME ({', '.join(NAMES)}, every) or --pattern REGEX.")
    patterns = [built_in(name, arguments.replace) for name in NAMES if name in names]
    for text in arguments.pattern:
        try:
            patterns.append(own(text, arguments.replace))
        except ValueError as error:
            raise DistilltestError(f"--pattern: {error}.") from None
    return patterns


def _say(findings: Findings, patterns: list[Pattern], count: int) -> None:
    rows = [
        [
            pattern.name,
            f"{findings.counts[pattern.name]:,}",
            ", ".join(map(_short, findings.examples.get(pattern.name, ()))),
        ]
        for pattern in patterns
    ]
    say.table(rows, ["pattern", "found", "for example"])
    say.line(f"in {findings.completions:,} of {_completions(count)}")


def _short(text: str) -> str:
    shown = inline(" ".join(text.split()))
    return shown if len(shown) <= 40 else f"{shown[:39]}…"


def _name_reports(arguments: argparse.Namespace, runs: set[str]) -> None:
    """List reports with the old texts; they may be under version control, so they are not changed."""
    config = load_config(arguments.root.resolve())
    written = sorted(run for run in runs if (config.reports_dir / run).is_dir())
    if written:
        some = ", ".join(written[-3:])
        say.line(
            f"{_count(len(written), 'report')} below {config.reports_dir} may still show the old texts ({some}"
            f"{', …' if len(written) > 3 else ''}): look, and delete them where they do."
        )


def _warn_where_open(clean: bool) -> None:
    if not clean:
        say.line(
            "Another process has the store open, so that the store's files may still hold the old texts. "
            "Run this command again when that process has ended."
        )


def _completions(count: int) -> str:
    return _count(count, "completion")


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
