"""YAML as people write it, read as values of JSON and nothing else.

The library is asked for events alone. What they mean is decided here, so that nothing depends on the tags of YAML 1.1 and no
file can make the library build what it likes:

- A word without quotes is null, true or false, a number as JSON writes numbers, or else a text as it stands:
  ``2026-01-31``, ``no``, ``007``, ``12:30`` and ``1_000`` are texts.
- Keys are texts as they stand, each once in its mapping. ``<<`` merges; a mapping's own keys win.
- Aliases may stand for so many values and characters in all, and never for what they are inside of.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distilltest.data.files import read_bytes, text_of
from distilltest.data.tree import Tree
from distilltest.data.yaml_build import Builder
from distilltest.data.yaml_words import NUMBER, TAG, Wrong
from distilltest.errors import DistilltestError, at

if TYPE_CHECKING:
    import yaml

MOST_BYTES = 32 * 1024 * 1024
"""Of a YAML file, which is read as a whole."""
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
"""Said by what is wrong: to compile what is right, up to the last character there is, takes twenty times as long."""


def read_yaml(path: Path, shown: str, error: type[DistilltestError]) -> Tree:
    """Read a YAML file; an empty one says null.

    Args:
        path: The file.
        shown: What errors call it.
        error: What to raise.

    Raises:
        DistilltestError: It cannot be read, or is not YAML that means one value of JSON; the message names the line.
    """
    return parse_yaml(text_of(read_bytes(path, shown, error, MOST_BYTES), shown, error), shown, error)


def parse_yaml(text: str, shown: str, error: type[DistilltestError]) -> Tree:
    """Read a YAML text; arguments and errors are those of ``read_yaml``.

    >>> parse_yaml("{day: 2026-01-31, 1: no, n: [1, 1.5, 1e3, 007]}", "x.yaml", DistilltestError).value
    {'day': '2026-01-31', '1': 'no', 'n': [1, 1.5, 1000.0, '007']}
    """
    import yaml

    builder = Builder()
    try:
        _before(text)
        for event in yaml.parse(text, Loader=_loader()):
            builder.take(event)
    except Wrong as wrong:
        raise error(f"{at(shown, wrong.line)}: {wrong}") from None
    except yaml.YAMLError as caught:
        mark = getattr(caught, "problem_mark", None) or getattr(caught, "context_mark", None)
        problem = getattr(caught, "problem", None) or getattr(caught, "context", None) or caught
        raise error(f"{at(shown, mark.line + 1 if mark else None)}: not YAML: {problem}.") from None
    except Exception as caught:
        line = builder.line
        raise error(f"{at(shown, line)}: not YAML that can be read: {type(caught).__name__}: {caught}.") from None
    return Tree(builder.root, shown, builder.find)


def nodes(text: str, shown: str, error: type[DistilltestError]) -> yaml.Node | None:
    """The library's nodes of a YAML text, for those who change a part of a file and keep the rest as it is.

    Raises:
        DistilltestError: The text is not one that ``parse_yaml`` reads.
    """
    import yaml

    parse_yaml(text, shown, error)
    try:
        found: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except Exception as caught:  # this parser, which knows where each character stands, refuses a little more
        problem = getattr(caught, "problem", None) or type(caught).__name__
        raise error(f"{shown}: a layout that cannot be changed in place: {problem}.") from None
    return found


def yaml_of(value: Any, *, flow: bool = False, width: float = 1000) -> str:
    r"""A value of JSON as YAML that any reader reads alike: what this module or YAML 1.1 would not take for a text is quoted.

    >>> yaml_of({"id": "1e5", "day": "2026-01-31", "text": "no"})
    "id: '1e5'\nday: '2026-01-31'\ntext: 'no'\n"
    """
    import yaml

    class Dumper(yaml.SafeDumper):
        """The library's own, with the numbers that only this module takes for numbers."""

    def text_in(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
        """The library does not escape these line ends in keys, and a reader folds them."""
        ends = any(end in text for end in "\x85\u2028\u2029")
        return dumper.represent_scalar(f"{TAG}str", text, style='"' if ends else None)

    Dumper.add_representer(str, text_in)
    Dumper.add_implicit_resolver(f"{TAG}float", NUMBER, list("-0123456789"))
    text: str = yaml.dump(
        value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=width, default_flow_style=flow
    )
    return text


def _loader() -> Any:
    """The parser in C where the library has it: ten times as fast, with the same events."""
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _before(text: str) -> None:
    """What the library would not complain of, or not clearly; of a byte order mark inside, its two parsers think differently."""
    found = _CONTROL.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise Wrong(
            line,
            f"not YAML: the character U+{ord(found[0]):04X}. Take it out, or write it as \\x.. in double quotes.",
        )
    for number, line_ in enumerate(text.split("\n", 1000), start=1):
        if line_.startswith("%TAG"):
            raise Wrong(number, "tags of your own are not supported. Take %TAG out.")
        if line_ and line_[0] not in "%#":
            break
