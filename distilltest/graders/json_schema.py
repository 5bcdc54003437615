"""Is the answer JSON that a schema accepts?"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import orjson

from distilltest.data import read_json, read_yaml
from distilltest.errors import SuiteError
from distilltest.graders.schema_shape import demand_a_keyword, schema_within
from distilltest.graders.text import normalise, quote
from distilltest.process.watched import note
from distilltest.records import Grade

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

# jsonschema-rs says yes or no; jsonschema is imported when the first answer fails, and says why.

_DEFAULT = "https://json-schema.org/draft/2020-12/schema"
_DRAFTS = {
    "http://json-schema.org/draft-04/schema": "Draft4Validator",
    "http://json-schema.org/draft-06/schema": "Draft6Validator",
    "http://json-schema.org/draft-07/schema": "Draft7Validator",
    "https://json-schema.org/draft/2019-09/schema": "Draft201909Validator",
    _DEFAULT: "Draft202012Validator",
}
"""The class of this name in both packages, by ``$schema``."""

_ACCEPTED = Grade("json_schema", 1.0, True, "the schema accepts it")


def json_schema(
    answer: str,
    schema: Mapping[str, Any] | bool | str | Path | type,
    *,
    code_fence: bool = False,
    formats: bool = False,
) -> Grade:
    """Score 1 where the answer is JSON and the schema accepts it, else 0.

    The reason names the place in the answer and what was expected there. ``$schema`` picks the draft: 4, 6, 7, 2019-09 or
    2020-12; without it, 2020-12 holds. A ``$ref`` must stay inside the schema: nothing is ever fetched. A schema is read
    once: do not change the object, the file or the model afterwards. The ``response_format`` of a request will do as well. What
    has no keyword that can refuse an answer is refused itself, but for ``{}`` and true.

    Args:
        answer: What the model said.
        schema: The schema itself (an object, true or false), the path of a JSON or YAML file with it, or a Pydantic model
            (anything with a ``model_json_schema()``).
        code_fence: Look inside a code fence that is the whole answer.
        formats: Check ``format`` too (dates, e-mail addresses, ...), which is otherwise a mere note, as 2020-12 has it.

    Raises:
        SuiteError: The schema is broken, cannot be read, or refers to something outside itself.

    >>> json_schema('{"term": 3}', {"properties": {"term": {"type": "string"}}}).reason
    "$.term: 3 is not of type 'string'"
    """
    return compiled(schema, formats).grade(answer, code_fence)


class Compiled:
    """A schema that is ready to grade.

    Args:
        schema: The schema, made of what JSON knows.
        formats: Check ``format`` too.
        resources: What a ``$ref`` or ``$schema`` may lead to outside the schema, by URI.

    Raises:
        SuiteError: The schema is broken, or refers to something that is not there.
    """

    __slots__ = ("_draft", "_errors", "_explain", "_formats", "_resources", "_schema", "accepts")

    accepts: Callable[[Any], bool]
    """Does the schema accept this value?"""

    def __init__(self, schema: Any, *, formats: bool = False, resources: Mapping[str, Any] | None = None) -> None:
        import jsonschema_rs

        self._schema = schema
        self._formats = formats
        self._resources = dict(resources or {})
        self._draft = self._draft_of(schema)
        self._explain: Validator | None = None
        asked: list[str] = []

        def retrieve(uri: str) -> Any:
            asked.append(uri)
            return self._resources[uri.rstrip("#")]

        make: Any = jsonschema_rs.validator_for
        if not isinstance(schema, dict) or schema.get("$schema", _DEFAULT).rstrip("#") in _DRAFTS:
            make = getattr(jsonschema_rs, self._draft)
        try:
            fast = make(schema, retriever=retrieve, validate_formats=formats)
        except ValueError as error:
            self._refuse(error, [uri for uri in asked if uri.rstrip("#") not in self._resources])
        self.accepts = fast.is_valid
        self._errors = fast.iter_errors

    def grade(self, answer: str, code_fence: bool = False) -> Grade:
        """Grade one answer."""
        try:
            value = orjson.loads(normalise(answer, code_fence=code_fence))
        except orjson.JSONDecodeError as error:
            return Grade("json_schema", 0.0, False, f"not JSON: {error.msg} (column {error.colno}): {quote(answer)}")
        return _ACCEPTED if self.accepts(value) else Grade("json_schema", 0.0, False, self.reason(value))

    def reason(self, value: Any) -> str:
        """Say in a line why the schema does not accept a value."""
        from distilltest.graders.schema_mistake import best_line, is_deep, validator, worst_place

        if is_deep(value):
            return "the schema does not accept it; it is nested too deeply to say where"
        text = json.dumps(self._schema)
        line = None
        # jsonschema reads patterns for unevaluatedProperties in a way that may never end.
        if not ('"unevaluatedProperties"' in text and '"patternProperties"' in text):
            try:
                if self._explain is None:
                    self._explain = validator(self._draft, self._schema, self._resources, formats=self._formats)
                line = best_line(self._explain, value)
            except Exception:  # noqa: S110 -- a format that Python reads otherwise, say: the verdict stands, only the words are others
                pass
            except (
                BaseException
            ) as error:  # a schema that refers to itself without end makes jsonschema's Rust part panic
                if type(error).__name__ != "PanicException":
                    raise
        if line is None and ('"anyOf"' in text or '"oneOf"' in text):
            # The fast validator, asked for errors, would try alternatives within alternatives to their ends as well.
            return "the schema does not accept it; it takes too long to say where"
        return line or worst_place(self._errors(value))

    def _draft_of(self, schema: Any) -> str:
        if not isinstance(schema, dict | bool):
            raise SuiteError(f"json_schema: a schema is an object, true or false, not {quote(schema)}.")
        uri = schema.get("$schema", _DEFAULT) if isinstance(schema, dict) else _DEFAULT
        if isinstance(uri, str):
            if uri.rstrip("#") in self._resources:
                return _DRAFTS[_DEFAULT]
            if uri.rstrip("#") in _DRAFTS:
                return _DRAFTS[uri.rstrip("#")]
        raise SuiteError(f"json_schema: the $schema {quote(uri)} is unknown; known are {', '.join(_DRAFTS)}.")

    def _refuse(self, error: ValueError, outside: list[str]) -> NoReturn:
        if outside:
            where = quote(outside[0].removeprefix("json-schema:///"))
            raise SuiteError(
                f"json_schema: the schema refers to {where}, and nothing is fetched from the network or from "
                "other files: put what it means into the schema itself, under $defs."
            ) from None
        from distilltest.graders.schema_mistake import broken_place

        place = broken_place(self._draft, self._schema) or getattr(error, "message", str(error))
        raise SuiteError(f"json_schema: the schema is broken: {place}.") from None


_SEEN: dict[tuple[int, bool], tuple[Any, Compiled]] = {}
"""By the identity of the schema's object, which is kept so that no other can take its place."""
_SEEN_LOCK = threading.Lock()
_KEPT = 64


def compiled(schema: Any, formats: bool = False) -> Compiled:
    """Look a schema up by its identity, then by its content or path; compile what is new."""
    if (seen := _SEEN.get((id(schema), formats))) is not None and seen[0] is schema:
        return seen[1]
    if isinstance(schema, str | Path):
        return _of_file(Path(schema), formats)
    if callable(model := getattr(schema, "model_json_schema", None)):
        try:
            content = model()
        except Exception as error:  # whatever the model's library raises
            raise SuiteError(f"json_schema: {quote(schema)} gives no schema: {error}.") from error
    elif isinstance(schema, Mapping | bool):
        content = schema
    else:
        raise SuiteError(
            f"json_schema: a schema is an object, true or false, the path of a file, or a Pydantic model, not {quote(schema)}."
        )
    found = _of_text(_text(content), formats)
    with _SEEN_LOCK:
        while len(_SEEN) >= _KEPT:
            del _SEEN[next(iter(_SEEN))]
        _SEEN[id(schema), formats] = (schema, found)
    return found


@lru_cache(maxsize=_KEPT)
def _of_file(path: Path, formats: bool) -> Compiled:
    shown = f"json_schema: the schema {path}"
    note(path)
    if path.suffix.lower() in (".yaml", ".yml"):
        schema = read_yaml(path, shown, SuiteError).value
    else:
        schema = read_json(path, shown, SuiteError, any_size=True).value
    try:
        return _of_text(_text(schema), formats)
    except SuiteError as error:
        raise SuiteError(f"{error} The schema is in {path}.") from None


@lru_cache(maxsize=_KEPT)
def _of_text(text: bytes, formats: bool) -> Compiled:
    try:  # json keeps integers of any size, which a schema may state; orjson would round them
        schema = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise SuiteError(f"json_schema: the schema is not JSON: {error}.") from None
    schema = schema_within(schema)
    ready = Compiled(schema, formats=formats)
    demand_a_keyword(schema)
    return ready


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _text(schema: Any) -> bytes:
    try:
        return orjson.dumps(schema, default=_plain)
    except TypeError as error:
        try:  # an integer that is too large for orjson; what else it refuses does not come back the same
            text = json.dumps(schema, default=_plain)
            if json.loads(text) == schema:
                return text.encode()
        except (TypeError, ValueError, RecursionError):
            pass
        raise SuiteError(f"json_schema: the schema is not JSON: {error}.") from None


def _plain(value: Any) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no value of JSON")
