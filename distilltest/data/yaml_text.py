"""Read YAML as JSON values.

PyYAML only parses the text into events; this package gives them their meaning. So the result does not depend on the implicit
types of YAML 1.1, and a file cannot make PyYAML build Python objects:

- A plain scalar is null, true or false, a number as in JSON, or else a text: ``2026-01-31``, ``no``, ``007``, ``12:30`` and
  ``1_000`` are texts.
- Keys are texts, and each is unique in its mapping. ``<<`` merges; a mapping's own keys win.
- Aliases stand for a limited number of values and characters in all, and never for a value that contains them.
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
"""The most bytes of a YAML file, which is read as a whole."""
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
"""Lists the forbidden characters: a pattern of the allowed ones takes twenty times as long to compile."""


def read_yaml(path: Path, shown: str, error: type[DistilltestError]) -> Tree:
    """Read a YAML file; an empty file is null.

    Args:
        path: The file.
        shown: The file's name in errors.
        error: The class of the errors.

    Raises:
        DistilltestError: The file cannot be read, or is not YAML with one JSON value; the message names the line.
    """
    return parse_yaml(text_of(read_bytes(path, shown, error, MOST_BYTES), shown, error), shown, error)


def parse_yaml(text: str, shown: str, error: type[DistilltestError]) -> Tree:
    """Parse a YAML text; arguments and errors as in ``read_yaml``.

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
    """The PyYAML nodes of a text, with the positions that you need to change one part of a file.

    Raises:
        DistilltestError: ``parse_yaml`` cannot read the text.
    """
    import yaml

    parse_yaml(text, shown, error)
    try:
        found: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except Exception as caught:  # the parser in Python, which knows positions, refuses a little more
        problem = getattr(caught, "problem", None) or type(caught).__name__
        raise error(f"{shown}: a layout that cannot be changed in place: {problem}.") from None
    return found


def yaml_of(value: Any, *, flow: bool = False, width: float = 1000) -> str:
    r"""Write a JSON value as YAML; a text that this module or YAML 1.1 would read as another type is quoted.

    >>> yaml_of({"id": "1e5", "day": "2026-01-31", "text": "no"})
    "id: '1e5'\nday: '2026-01-31'\ntext: 'no'\n"
    """
    import yaml

    class Dumper(yaml.SafeDumper):
        """PyYAML's dumper, which also quotes texts that only this module reads as numbers."""

    def text_in(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
        """Quote texts with line ends that PyYAML does not escape in keys and that readers fold."""
        ends = any(end in text for end in "\x85\u2028\u2029")
        return dumper.represent_scalar(f"{TAG}str", text, style='"' if ends else None)

    Dumper.add_representer(str, text_in)
    Dumper.add_implicit_resolver(f"{TAG}float", NUMBER, list("-0123456789"))
    text: str = yaml.dump(
        value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=width, default_flow_style=flow
    )
    return text


def _loader() -> Any:
    """The parser in C if PyYAML has it: ten times as fast, with the same events."""
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _before(text: str) -> None:
    """Raise for characters and directives that PyYAML accepts, or on which its two parsers differ."""
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
