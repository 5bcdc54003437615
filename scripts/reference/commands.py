"""Generates the page of commands from the command line's parsers."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator

from distilltest.cli.main import parser
from scripts.reference.markdown import table

INTRODUCTION = """\
# Commands

Every command and option of `distilltest`. `distilltest COMMAND --help` prints the same in the terminal.
[Exit codes](exit-codes.md) has the codes, and [Stop a run and resume it](../how-to/stopping.md) says what an interruption keeps.
"""


def every(top: argparse.ArgumentParser, shown: str = "") -> Iterator[tuple[argparse.ArgumentParser, str]]:
    """Yield a parser and all its subparsers, each with the help text from its parent."""
    yield top, shown
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            said = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, below in action.choices.items():
                yield from every(below, said.get(name, ""))


def subcommands(one: argparse.ArgumentParser) -> argparse._SubParsersAction[argparse.ArgumentParser] | None:
    """The subcommands of a parser, or None."""
    return next((action for action in one._actions if isinstance(action, argparse._SubParsersAction)), None)


def value(action: argparse.Action) -> str:
    """The value of an option or argument, as the usage line shows it."""
    if action.nargs == 0:
        return ""
    if isinstance(action.metavar, str):
        name = action.metavar
    elif action.choices is not None:
        name = "{" + ",".join(map(str, action.choices)) + "}"
    else:
        name = action.dest.upper() if action.option_strings else action.dest
    return {"?": f"[{name}]", "*": f"[{name} ...]", "+": f"{name} [{name} ...]"}.get(str(action.nargs), name)


def named(action: argparse.Action) -> str:
    """An option with its value, or an argument, as code."""
    words = value(action)
    if not action.option_strings:
        return f"`{words}`"
    return ", ".join(f"`{option} {words}`" if words else f"`{option}`" for option in action.option_strings)


def described(action: argparse.Action) -> str:
    """The help text, with the default unless the help mentions it."""
    said = (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%")
    given = action.default
    untold = given is None or given is argparse.SUPPRESS or given is False or given in ([], "", ())
    if action.required and action.option_strings:
        said += " (required)"
    elif not untold and "default" not in said:
        said += f" (default: `{given}`)"
    choices = action.choices if isinstance(action.metavar, str) else None
    return said + (f"; one of {', '.join(f'`{each}`' for each in choices)}" if choices else "")


def usage(one: argparse.ArgumentParser) -> str:
    """The usage line: required options and arguments by name, all others as ``[options]``."""
    words, optional = [one.prog], False
    for action in one._actions:
        if isinstance(action, argparse._SubParsersAction):
            words.append(str(action.metavar or "ACTION"))
        elif not action.option_strings:
            words.append(value(action))
        elif action.required:
            words.append(f"{action.option_strings[-1]} {value(action)}".strip())
        else:
            optional = optional or not isinstance(action, argparse._HelpAction)
    return " ".join([words[0], *(["[options]"] if optional else []), *words[1:]])


def section(one: argparse.ArgumentParser, shown: str) -> str:
    """The section of a command: usage, description, options."""
    parts = [f"{'#' * len(one.prog.split())} `{one.prog}`", f"```text\n{usage(one)}\n```"]
    parts += [*prose(one.description or _sentence(shown)), *prose(one.epilog or "")]
    below = subcommands(one)
    if below is not None:
        parts.append(
            table(("command", "action"), ((f"`{each.dest}`", each.help or "") for each in below._choices_actions))
        )
    for group in one._action_groups:
        hidden = (argparse._HelpAction, argparse._SubParsersAction)
        actions = [
            each for each in group._group_actions if not isinstance(each, hidden) and each.help != argparse.SUPPRESS
        ]
        title = {"options": "option", "positional arguments": "argument"}.get(
            group.title or "", group.title or "option"
        )
        parts.append(table((title, ""), ((named(each), described(each)) for each in actions)))
    return "\n\n".join(part.strip() for part in parts if part)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?')) else '.'}" if text else ""


def prose(text: str) -> list[str]:
    """The paragraphs of a text; those with indented lines become code."""
    parts: list[str] = []
    for code, found in itertools.groupby(text.strip().split("\n\n"), key=lambda each: "\n " in f"\n{each}"):
        joined = "\n\n".join(found)
        parts.append(f"```text\n{joined}\n```" if code else joined.replace("<", "&lt;"))
    return parts


def unexplained() -> list[str]:
    """Commands, options and arguments without help."""
    missing = []
    for one, shown in every(parser()):
        missing += [one.prog] if not (one.description or shown) else []
        missing += [
            f"{one.prog} {named(action)}"
            for action in one._actions
            if not action.help and not isinstance(action, argparse._SubParsersAction)
        ]
    return missing


def page() -> str:
    """The page."""
    top = parser()
    sections = [section(each, shown) for each, shown in every(top) if each is not top]
    return "\n\n".join(
        (INTRODUCTION.strip(), "`distilltest --version` prints the version.", *prose(top.epilog or ""), *sections)
    )
