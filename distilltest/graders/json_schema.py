"""Does a JSON schema accept the answer?"""

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

# jsonschema-rs decides; jsonschema, which explains better, is imported when the first answer fails.

_DEFAULT = "https://json-schema.org/draft/2020-12/schema"
_DRAFTS = {
    "http://json-schema.org/draft-04/schema": "Draft4Validator",
    "http://json-schema.org/draft-06/schema": "Draft6Validator",
    "http://json-schema.org/draft-07/schema": "Draft7Validator",
    "https://json-schema.org/draft/2019-09/schema": "Draft201909Validator",
    _DEFAULT: "Draft202012Validator",
}
"""``$schema`` → the name of the class in both packages."""

_ACCEPTED = Grade("json_schema", 1.0, True, "the schema accepts it")


def json_schema(
    answer: str,
    schema: Mapping[str, Any] | bool | str | Path | type,
    *,
    code_fence: bool = False,
    formats: bool = False,
) -> Grade:
    """Score 1 if the answer is JSON that the schema accepts, else 0.

    The reason names the place in the answer and what was expected there. ``$schema`` selects the draft: 4, 6, 7, 2019-09 or
    2020-12 (the default). A ``$ref`` must stay inside the schema: nothing is fetched. A schema is read once: do not change the
    object, the file or the model afterwards. You can pass the ``response_format`` of a request. A schema without any keyword
    that can reject an answer is an error, except ``{}`` and true.

    Args:
        answer: The model's answer.
        schema: The schema (an object, true or false), the path of a JSON or YAML file, or a Pydantic model
            (anything with a ``model_json_schema()``).
        code_fence: If the answer is one Markdown code fence, take its content.
        formats: Check ``format`` too (dates, e-mail addresses, ...), which 2020-12 treats as a comment.

    Raises:
        SuiteError: The schema is invalid, cannot be read, or refers to something outside itself.

    >>> json_schema('{"term": 3}', {"properties": {"term": {"type": "string"}}}).reason
    "$.term: 3 is not of type 'string'"
    """
    return compiled(schema, formats).grade(answer, code_fence)


class Compiled:
    """A compiled schema.

    Args:
        schema: The schema, made of JSON values.
        formats: Check ``format`` too.
        resources: Other schemas that a ``$ref`` or ``$schema`` may name, by URI.

    Raises:
        SuiteError: The schema is invalid, or refers to something that is missing.
    """

    __slots__ = ("_draft", "_errors", "_explain", "_formats", "_resources", "_schema", "accepts")

    accepts: Callable[[Any], bool]
    """Whether the schema accepts a value."""

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
        """Why the schema does not accept a value, in one line."""
        from distilltest.graders.schema_mistake import best_line, is_deep, validator, worst_place

        if is_deep(value):
            return "the schema does not accept it; it is nested too deeply to say where"
        text = json.dumps(self._schema)
        line = None
        # jsonschema may not end when it matches patterns for unevaluatedProperties.
        if not ('"unevaluatedProperties"' in text and '"patternProperties"' in text):
            try:
                if self._explain is None:
                    self._explain = validator(self._draft, self._schema, self._resources, formats=self._formats)
                line = best_line(self._explain, value)
            except Exception:  # noqa: S110 -- such as a format that Python reads differently: only the wording is lost
                pass
            except BaseException as error:  # endless recursion in a schema makes jsonschema's Rust code panic
                if type(error).__name__ != "PanicException":
                    raise
        if line is None and ('"anyOf"' in text or '"oneOf"' in text):
            # The fast validator would also try every nested alternative to list its errors.
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
                "other files: copy that schema into this one, under $defs."
            ) from None
        from distilltest.graders.schema_mistake import broken_place

        place = broken_place(self._draft, self._schema) or getattr(error, "message", str(error))
        raise SuiteError(f"json_schema: the schema is broken: {place}.") from None


_SEEN: dict[tuple[int, bool], tuple[Any, Compiled]] = {}
"""By the id of the schema's object, which is kept alive so that its id is not reused."""
_SEEN_LOCK = threading.Lock()
_KEPT = 64


def compiled(schema: Any, formats: bool = False) -> Compiled:
    """Compile a schema, or return it from the cache by identity, content or path."""
    if (seen := _SEEN.get((id(schema), formats))) is not None and seen[0] is schema:
        return seen[1]
    if isinstance(schema, str | Path):
        return _of_file(Path(schema), formats)
    if callable(model := getattr(schema, "model_json_schema", None)):
        try:
            content = model()
        except Exception as error:  # the model's library may raise anything
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
    try:  # json keeps large integers, which orjson rounds
        schema = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise SuiteError(f"json_schema: the schema is not JSON: {error}.") from None
    schema = schema_within(schema)
    ready = Compiled(schema, formats=formats)
    demand_a_keyword(schema)
    return ready


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def _text(schema: Any) -> bytes:
    try:
        return orjson.dumps(schema, default=_plain)
    except TypeError as error:
        try:  # an integer too large for orjson; other values that it refuses do not survive the round trip
            text = json.dumps(schema, default=_plain)
            if json.loads(text) == schema:
                return text.encode()
        except (TypeError, ValueError, RecursionError):
            pass
        raise SuiteError(f"json_schema: the schema is not JSON: {error}.") from None


def _plain(value: Any) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")
