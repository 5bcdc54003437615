"""Build a JSON value from YAML events, without recursion and within limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from distilltest.data.tree import DEEPEST, Step
from distilltest.data.yaml_words import TAG, Wrong, meant, no_tag, short, tagged

MOST_VALUES = 1_000_000
"""The most values that all aliases together stand for; a file may have twice as many keys and values."""
MOST_COPIED = 32 * 1024 * 1024
"""The most characters that all aliases together stand for."""
_MERGE = object()


@dataclass(slots=True)
class _Open:
    """A list or an object whose end has not been read."""

    value: Any
    """A list of the items, or of (key, value) pairs."""
    mapping: bool
    line: int
    anchor: str | None
    lines: list[int] = field(default_factory=list)
    """The lines of the items, or of the keys."""
    key: Any = None
    """The key whose value comes next; None if a key comes next."""
    keys: dict[tuple[str, bool], int] = field(default_factory=dict)
    """(Key, whether it merges) → its line."""
    merged: list[tuple[int, Any]] = field(default_factory=list)
    values: int = 1
    """The values in it, including itself and those that its aliases stand for."""
    characters: int = 0
    height: int = 1
    """The depth of nesting."""


@dataclass(frozen=True, slots=True)
class _Anchored:
    """The value of an anchor."""

    value: Any
    values: int
    characters: int
    height: int
    line: int
    is_text: bool


_WITHOUT_CONTENT = {"StreamStartEvent", "StreamEndEvent", "DocumentEndEvent"}


class Builder:
    """Builds a value from events, without recursion."""

    def __init__(self) -> None:
        self.root: Any = None
        self.line = 1
        self._first_line = 1
        self._documents = 0
        self._open: list[_Open] = []
        self._anchors: dict[str, _Anchored | int] = {}
        self._lines: dict[int, list[int]] = {}
        self._written = self._copied = self._copied_characters = 0
        self._takes: dict[str, Callable[[Any], None]] = {
            "ScalarEvent": self._scalar,
            "AliasEvent": self._alias,
            "SequenceStartEvent": self._start,
            "MappingStartEvent": self._start,
            "SequenceEndEvent": self._end,
            "MappingEndEvent": self._end,
            "DocumentStartEvent": self._document,
        }

    def take(self, event: Any) -> None:
        """Take the next event.

        Events are known by the names of their classes: after PyYAML was unloaded and imported again, as runs inside pytest's
        ``pytester`` do, its parser in C still makes events of the classes of before.
        """
        name = type(event).__name__
        if name not in _WITHOUT_CONTENT:
            self.line = event.start_mark.line + 1
            self._takes[name](event)

    def find(self, steps: tuple[Step, ...]) -> int:
        """The line of the value at a path, or of its nearest ancestor."""
        value, line = self.root, self._first_line
        for step in steps:
            lines = self._lines.get(id(value))
            if lines is None:
                break
            if isinstance(value, dict) and step in value:
                line = lines[list(value).index(str(step))]
            elif isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
                line = lines[step]
            else:
                break
            value = value[step]
        return line

    def _document(self, _: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            raise Wrong(self.line, "a second document begins. A file has one; take the line --- out.")

    def _start(self, event: Any) -> None:
        mapping = type(event).__name__ == "MappingStartEvent"
        self._count()
        if event.tag not in (None, "!", TAG + ("map" if mapping else "seq")):
            raise Wrong(self.line, no_tag(event.tag))
        if len(self._open) >= DEEPEST:
            raise Wrong(self.line, f"lists and objects are nested more than {DEEPEST} deep. Make it flatter.")
        if self._wants_key():
            raise Wrong(self.line, f"a {'mapping' if mapping else 'list'} as a key. Keys are texts.")
        if event.anchor:
            self._free(event.anchor)
            self._anchors[event.anchor] = self.line
        self._open.append(_Open([], mapping, self.line, event.anchor))

    def _end(self, _: Any) -> None:
        done = self._open.pop()
        value = _merged(done) if done.mapping else done.value
        self._lines[id(value)] = done.lines
        if done.anchor:
            self._anchors[done.anchor] = _Anchored(
                value, done.values, done.characters, done.height, done.line, is_text=False
            )
        self._put(value, done.line, done.values, done.characters, done.height)

    def _scalar(self, event: Any) -> None:
        self._count()
        text: str = event.value
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                raise Wrong(self.line, "a lone surrogate, which is not a character. Take it out.") from None
        plain = event.tag is None and event.implicit[0]
        value: Any = text
        if self._wants_key():
            if plain and text == "<<":
                value = _MERGE
            elif plain and not text:
                raise Wrong(self.line, "an empty key. Write the key before the colon, or put quotes around the text.")
            elif event.tag not in (None, "!", f"{TAG}str"):
                raise Wrong(self.line, f"a key with the tag {short(event.tag)}. Keys are texts.")
        elif plain:
            value = meant(text, self.line)
        elif event.tag not in (None, "!", f"{TAG}str"):
            value = tagged(text, event.tag, self.line)
        if event.anchor:
            self._free(event.anchor)
            self._anchors[event.anchor] = _Anchored(
                text if value is _MERGE else value, 1, len(text), 0, self.line, True
            )
        self._put(value, self.line, 1, len(text), 0)

    def _alias(self, event: Any) -> None:
        found = self._anchors.get(event.anchor)
        name = f"*{short(event.anchor)}"
        if found is None:
            raise Wrong(self.line, f"{name}: there is no anchor &{short(event.anchor)} above it.")
        if isinstance(found, int):
            raise Wrong(self.line, f"{name} is inside its own anchor, which begins on line {found}.")
        if self._wants_key() and not (found.is_text and isinstance(found.value, str)):
            raise Wrong(self.line, f"{name} as a key does not stand for a text. Keys are texts.")
        self._copied += found.values
        self._copied_characters += found.characters
        if self._copied > MOST_VALUES or self._copied_characters > MOST_COPIED:
            raise Wrong(
                self.line,
                f"the file's aliases stand for more than {MOST_VALUES:,} values or {MOST_COPIED // 1024**2} MB of text. "
                "Write fewer.",
            )
        if len(self._open) + found.height > DEEPEST:
            raise Wrong(self.line, f"with {name}, lists and objects are nested more than {DEEPEST} deep.")
        self._put(found.value, self.line, found.values, found.characters, found.height)

    def _put(self, value: Any, line: int, values: int, characters: int, height: int) -> None:
        if not self._open:
            self.root, self._first_line = value, line
            return
        into = self._open[-1]
        into.values += values
        into.characters += characters
        into.height = max(into.height, height + 1)
        if not into.mapping:
            into.value.append(value)
            into.lines.append(line)
        elif into.key is None:
            name = "<<" if value is _MERGE else value
            marked = (name, value is _MERGE)
            if marked in into.keys:
                raise Wrong(
                    line, f"the key {short(name)!r} is there twice, first on line {into.keys[marked]}. Keep one."
                )
            into.keys[marked] = line
            into.key = value
        else:
            key, into.key = into.key, None
            key_line = next(reversed(into.keys.values()))
            if key is _MERGE:
                into.merged += _mergeable(value, key_line, line)
            else:
                into.value.append((key, value))
                into.lines.append(key_line)

    def _wants_key(self) -> bool:
        return bool(self._open) and self._open[-1].mapping and self._open[-1].key is None

    def _count(self) -> None:
        self._written += 1
        if self._written > 2 * MOST_VALUES:  # keys are values too
            raise Wrong(
                self.line, f"more than {2 * MOST_VALUES:,} keys and values. Write large datasets as JSONL or CSV."
            )

    def _free(self, anchor: str) -> None:
        taken = self._anchors.get(anchor)
        if taken is not None:
            line = taken if isinstance(taken, int) else taken.line
            raise Wrong(self.line, f"the anchor &{short(anchor)} is there twice, first on line {line}. Rename one.")


def _merged(done: _Open) -> dict[str, Any]:
    """The object with its own and its merged pairs; its own keys win, then the first merged."""
    made: dict[str, Any] = {}
    lines: list[int] = []
    own = {key for key, _ in done.value}
    for line, mapping in done.merged:
        for key, value in mapping.items():
            if key not in own and key not in made:
                made[key] = value
                lines.append(line)
    made.update(done.value)
    done.lines = lines + done.lines
    return made


def _mergeable(value: Any, key_line: int, line: int) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, dict):
            raise Wrong(
                line, "<< merges a mapping, or a list of mappings. Put quotes around << for a key of that name."
            )
        yield key_line, each
