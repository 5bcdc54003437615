"""The grader ``json_schema``: its verdicts (the official suite), reasons, sources of schemas, and errors."""

import json
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilltest.errors import SuiteError
from distilltest.graders import json_schema
from distilltest.graders.json_schema import _DRAFTS, Compiled, compiled

SUITE = Path(__file__).parent / "json_schema_suite"
# Every required test runs: none is left out.
REQUIRED = {"draft4": 610, "draft6": 829, "draft7": 913, "draft2019-09": 1227, "draft2020-12": 1257}
URIS = dict(zip(REQUIRED, _DRAFTS, strict=True))
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 2, "maxLength": 5},
        "age": {"type": "integer", "minimum": 0, "exclusiveMaximum": 150},
        "role": {"enum": ["admin", "guest"]},
        "code": {"type": "string", "pattern": "^[a-z]+$"},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
        "id": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "shape": {
            "oneOf": [
                {"properties": {"kind": {"const": "a"}}, "required": ["kind"]},
                {"properties": {"size": {"type": "integer"}}, "required": ["size"]},
            ]
        },
        "both": {"oneOf": [{"type": "integer"}, {"minimum": 2}]},
        "never": {"not": {"type": "string"}},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("draft", REQUIRED)
def test_the_official_suite_holds(draft, record_property, capsys):
    resources = json.loads((SUITE / "remotes.json").read_text())
    ran = with_remotes = 0
    wrong = []
    for group in json.loads((SUITE / f"{draft}.json").read_text()):
        schema = group["schema"]
        if isinstance(schema, dict) and "$schema" not in schema:
            schema = {"$schema": URIS[draft], **schema}
        try:
            ready = compiled(schema)  # as a user has it
        except SuiteError as error:  # it refers to what the suite serves at localhost:1234, or says nothing at all
            ready = Compiled(schema, resources=resources)
            if "accepts everything" in str(error):
                assert all(valid for *_, valid in group["tests"]), schema
            else:
                assert "localhost:1234" in json.dumps(schema), schema
                with_remotes += len(group["tests"])
        for description, data, valid in group["tests"]:
            ran += 1
            grade = ready.grade(json.dumps(data))
            if grade.passed is not valid or not 0 < len(grade.reason) <= 200 or len(grade.reason.splitlines()) != 1:
                wrong.append((group["file"], group["description"], description, grade))
    record_property("json_schema_suite", f"{draft}: {ran} ran, {with_remotes} with local resources")
    with capsys.disabled():
        print(f" {draft}: {ran} ran, {with_remotes} with local resources ", end="")
    assert wrong == []
    assert ran == REQUIRED[draft]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"age": "x"}, "$.age: 'x' is not of type 'integer'"),
        ({"age": -1}, "$.age: -1 is less than the minimum of 0"),
        ({"age": 150}, "$.age: 150 is greater than or equal to the maximum of 150"),
        ({"name": "A"}, "$.name: 'A' has 1 character, at least 2 expected"),
        ({"name": "A" * 999}, f"$.name: '{'A' * 58}… has 999 characters, at most 5 expected"),
        ({"role": "root"}, "$.role: 'root' is not one of ['admin', 'guest']"),
        ({"code": "A1"}, "$.code: 'A1' does not match '^[a-z]+$'"),
        ({"tags": []}, "$.tags: [] has 0 items, at least 1 expected"),
        ({"tags": ["a", 7]}, "$.tags[1]: 7 is not of type 'string'"),
        ({"tags": ["a", "a"]}, "$.tags: ['a', 'a'] has non-unique elements"),
        ({"id": "x"}, "$.id: 'x' is not of type 'integer' or 'null'"),
        (
            {"shape": {}},
            "$.shape: none of 2 alternatives fits: (1) 'kind' required but missing; (2) 'size' required but missing",
        ),
        ({"shape": {"kind": "b"}}, "$.shape.kind: 'b' is not 'a'"),
        ({"both": 3}, "$.both: 3 fits more than one of 2 alternatives, exactly one expected"),
        ({"never": "x"}, "$.never: 'x' is what the schema forbids: {'type': 'string'}"),
        ({"x\ny": 1, "z": 2}, "$: Additional properties are not allowed ('x\\ny', 'z' were unexpected)"),
    ],
)
def test_the_reason_names_the_place_and_the_expectation(change, reason):
    grade = json_schema(json.dumps({"name": "Ada", "age": 36} | change), PERSON)
    assert (grade.score, grade.passed) == (0.0, False)
    assert grade.reason == reason


def test_the_reason_names_every_missing_property():
    assert json_schema("{}", PERSON).reason == "$: 'name', 'age' required but missing"


def test_a_reason_never_dumps_the_schema_or_the_answer():
    schema = {"anyOf": [{"type": "object", "required": [f"k{n}"], "properties": {"x" * 400: False}} for n in range(99)]}
    for answer in ({"a": "b" * 9999}, {f"key {n}\n": n for n in range(999)}, ["\n" * 5000]):
        reason = json_schema(json.dumps(answer), schema).reason
        assert len(reason) <= 200
        assert "\n" not in reason
        assert "none of 99 alternatives fits" in reason or "is not of type 'object'" in reason


def test_the_reason_of_a_deep_place_is_cut_and_on_one_line():
    schema = {"additionalProperties": {"$ref": "#"}, "type": "object"}
    answer = 3
    for _ in range(50):
        answer = {"a line\nof text": answer}
    reason = json_schema(json.dumps(answer), schema).reason
    assert len(reason) <= 200
    assert reason.endswith("…: 3 is not of type 'object'")
    assert "\n" not in reason


@pytest.mark.parametrize("schema", [{}, True])
def test_a_schema_that_accepts_everything(schema):
    assert json_schema("3", schema).passed
    assert not json_schema("three", schema).passed


def test_the_schema_false_accepts_nothing():
    assert json_schema("3", False).reason == "$: False schema does not allow 3"


def test_a_path_of_json_or_yaml(tmp_path):
    (tmp_path / "a.json").write_text('{"type": "integer", "maximum": 73786976294838206464}')
    (tmp_path / "a.yaml").write_text("type: object\nproperties:\n  day: {enum: [2026-11-21]}\n")
    assert json_schema("3", tmp_path / "a.json").passed
    assert json_schema("3", str(tmp_path / "a.json")).passed
    assert not json_schema("3.5", str(tmp_path / "a.json")).passed
    assert json_schema('{"day": "2026-11-21"}', tmp_path / "a.yaml").passed
    assert not json_schema('{"day": "2026-11-22"}', tmp_path / "a.yaml").passed


def test_a_pydantic_model_or_whatever_has_its_method():
    calls = []

    class Answer:
        @classmethod
        def model_json_schema(cls):
            calls.append(cls)
            return {"type": "object", "properties": {"n": {"$ref": "#/$defs/N"}}, "$defs": {"N": {"type": "integer"}}}

    assert json_schema('{"n": 3}', Answer).passed
    assert json_schema('{"n": "3"}', Answer).reason == "$.n: '3' is not of type 'integer'"
    assert len(calls) == 1


def test_a_real_pydantic_model():
    pydantic = pytest.importorskip("pydantic")
    inner = pydantic.create_model("Inner", code=(str, ...))
    model = pydantic.create_model("Answer", term=(str, ...), note=(int | None, None), parts=(list[inner], ...))
    assert json_schema('{"term": "x", "parts": [{"code": "a"}]}', model).passed
    assert (
        json_schema('{"term": "x", "note": "a", "parts": []}', model).reason
        == "$.note: 'a' is not of type 'integer' or 'null'"
    )
    assert json_schema('{"term": "x", "parts": [{}]}', model).reason == "$.parts[0]: 'code' required but missing"


def test_a_model_that_gives_no_schema_is_an_error():
    class Broken:
        @staticmethod
        def model_json_schema():
            raise RuntimeError("no schema for a callable")

    with pytest.raises(SuiteError, match="gives no schema: no schema for a callable"):
        json_schema("3", Broken)


def test_the_draft_is_picked_by_its_name():
    for uri, exclusive in zip(_DRAFTS, (True, 3, 3, 3, 3), strict=True):
        assert not json_schema("3", {"$schema": uri, "minimum": 3, "exclusiveMinimum": exclusive}).passed
        assert json_schema("3", {"$schema": uri + "#", "minimum": 3}).passed
    tuple_2020, tuple_2019 = {"prefixItems": [{"type": "string"}]}, {"items": [{"type": "string"}]}
    assert not json_schema("[3]", tuple_2020).passed
    assert json_schema("[3]", {"$schema": URIS["draft7"], **tuple_2020}).passed
    assert not json_schema("[3]", {"$schema": URIS["draft2019-09"], **tuple_2019}).passed


@pytest.mark.parametrize("uri", _DRAFTS)
def test_format_is_asserted_only_when_asked(uri):
    schema = {"$schema": uri, "properties": {"when": {"format": "date-time"}, "mail": {"format": "email"}}}
    for answer in ('{"when": "soon"}', '{"mail": "nobody"}'):
        assert json_schema(answer, schema).passed
        grade = json_schema(answer, schema, formats=True)
        assert not grade.passed
        assert grade.reason.startswith(("$.when: ", "$.mail: "))
    assert json_schema('{"when": "2026-11-21T07:00:00Z", "mail": "a@b.example"}', schema, formats=True).passed


@pytest.mark.parametrize(
    "reference", ["https://example.com/x.json", "http://localhost:1/x#/a", "file:///etc/hostname", "urn:a:b"]
)
@pytest.mark.parametrize("place", ["root", "unused"])
def test_nothing_is_ever_fetched(reference, place, monkeypatch):
    def no_network(*_, **__):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", no_network)
    monkeypatch.setattr(socket, "create_connection", no_network)
    schema = {"$ref": reference} if place == "root" else {"$defs": {"a": {"$ref": reference}}}
    with pytest.raises(SuiteError, match="nothing is fetched from the network") as caught:
        json_schema("3", schema)
    assert reference.partition("#")[0] in str(caught.value)


def test_a_local_server_is_not_asked():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        with pytest.raises(SuiteError, match="nothing is fetched"):
            json_schema("3", {"$ref": f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"})
        with pytest.raises(TimeoutError):
            server.accept()


def test_references_inside_the_schema_work():
    tree = {
        "$id": "https://example.com/tree",
        "$defs": {"leaf": {"$anchor": "leaf", "type": "integer"}},
        "anyOf": [{"$ref": "#leaf"}, {"type": "array", "items": {"$ref": "https://example.com/tree"}}],
    }
    assert json_schema("[1, [2, [3]]]", tree).passed
    assert not json_schema('[1, ["2"]]', tree).passed
    assert json_schema('{"type": "string"}', {"$ref": "https://json-schema.org/draft/2020-12/schema"}).passed


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "strin"}, r"broken: \$\.type: none of 2 alternatives fits"),
        ({"properties": {"a": {"minimum": "3"}}}, r"broken: \$\.properties\.a\.minimum: '3' is not of type 'number'"),
        ({"pattern": "("}, "broken: .*regex"),
        ({"$ref": "#/$defs/nowhere"}, "broken: .*nowhere"),
        ({"$ref": "other.json"}, "refers to .*other.json.*nothing is fetched"),
        ({"$schema": "https://example.com/mine"}, "is unknown; known are http://json-schema.org/draft-04/schema"),
        ({"$schema": "http://json-schema.org/draft-03/schema#"}, "is unknown"),
        ({"$schema": 3}, "is unknown"),
        ({1: 2}, "not JSON"),
        ({"const": {1, 2}}, "not JSON"),
        ({"const": float("nan"), "maximum": 2**99}, "not JSON"),
        ([1], "a schema is an object, true or false, the path of a file, or a Pydantic model, not"),
        (None, "a schema is an object"),
        (3, "a schema is an object"),
    ],
)
def test_a_broken_schema_is_an_error_of_the_suite(schema, message):
    with pytest.raises(SuiteError, match=message):
        json_schema("3", schema)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", None, "cannot be read: there is no such file"),
        ("a.json", b"{", "a.json:1: not JSON"),
        ("a.json", b"\xff\xfe", "a.json:1: the file is UTF-16"),
        ("a.json", b'{"maximum": NaN}', "a.json:1: not JSON"),
        ("a.json", b'{"type": 3}', "broken: .* The schema is in .*a.json"),
        ("a.yaml", b"a: [", "not YAML"),
        ("a.yml", b"", "a schema is an object, true or false, not None"),
        ("a.yml", b"a: \xff", "a.yml:1: not UTF-8"),
    ],
)
def test_a_broken_file_is_an_error_that_names_it(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SuiteError, match=message) as caught:
        json_schema("3", tmp_path / name)
    assert name in str(caught.value)


@pytest.mark.filterwarnings("error")
def test_a_pattern_that_python_warns_of_is_named_and_no_warning_is_raised():
    with pytest.raises(SuiteError, match="broken"):
        json_schema("3", {"properties": {"x": {"pattern": "[[b]"}}, "type": 3})


def test_a_code_fence_is_looked_into_only_when_asked():
    answer = '```json\n{"name": "Ada", "age": 36}\n```'
    assert not json_schema(answer, PERSON).passed
    assert json_schema(answer, PERSON, code_fence=True).passed


def test_a_schema_is_compiled_once_by_identity_and_by_content(monkeypatch):
    schema = {"type": "integer", "title": "compiled once"}
    first = compiled(schema)
    assert compiled(dict(schema)) is first
    monkeypatch.setattr(sys.modules[Compiled.__module__], "_text", None)
    assert compiled(schema) is first


def test_schemas_that_come_and_go_are_not_confused():
    for number in range(500):
        assert json_schema(str(number), {"const": number}).passed
        assert not json_schema(str(number), {"const": number + 1}).passed


def test_threads_share_the_schemas():
    wrong = []

    def work():
        for number in range(300):
            if not json_schema(str(number), {"const": number}).passed:
                wrong.append(number)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"not": {"$ref": "#"}},
        {"anyOf": [{"$ref": "#"}, False]},
        {"type": "string", "oneOf": [{"not": {"$ref": "#"}}, {"$ref": "#"}]},
        {"$id": "https://example.com/a", "not": {"$ref": "https://example.com/a"}, "if": {"$ref": "#"}, "then": False},
    ],
)
@pytest.mark.parametrize("answer", ["[]", '"a"', '{"a": [1]}'])
def test_a_schema_that_refers_to_itself_without_end_ends(schema, answer):
    grade = json_schema(answer, schema)
    assert grade.score in (0.0, 1.0)
    assert grade.reason


def test_a_rust_panic_is_handled_but_an_interrupt_is_raised(monkeypatch):
    class PanicException(BaseException):
        pass

    def fails_with(error):
        def best_line(*_):
            raise error

        monkeypatch.setattr("distilltest.graders.schema_mistake.best_line", best_line)
        return json_schema("3", {"type": "string", "title": "panics"})

    assert fails_with(PanicException()).reason == '$: 3 is not of type "string"'
    with pytest.raises(KeyboardInterrupt):
        fails_with(KeyboardInterrupt())


def test_deep_answers_are_graded_even_in_a_small_stack():
    tree = {"type": "array", "items": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}
    code = (
        "import threading; from distilltest.graders import json_schema\n"
        "def work():\n"
        f"    for middle in ('', '3'):\n"
        f"        for depth in (50, 300, 900): print(json_schema('[' * depth + middle + ']' * depth, {tree!r}))\n"
        "threading.stack_size(512 * 1024); t = threading.Thread(target=work); t.start(); t.join()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [("True" in line) for line in done.stdout.splitlines()] == [True] * 3 + [False] * 3
    assert "nested too deeply to say where" in done.stdout


def test_a_pattern_that_python_cannot_read_or_never_ends_still_has_a_reason():
    started = time.process_time()
    assert json_schema('"ä1"', {"pattern": r"^\p{L}+$"}).reason == r"$: 'ä1' does not match '^\\p{L}+$'"
    assert not json_schema(json.dumps("a" * 50 + "b"), {"pattern": "^(a+)+$"}).passed
    assert not json_schema('{"ä": 1}', {"patternProperties": {r"^\p{L}$": {"type": "string"}}}).passed
    assert time.process_time() - started < 5


@given(st.text())
def test_no_answer_crashes_it(answer):
    grade = json_schema(answer, PERSON)
    assert grade.score in (0.0, 1.0)
    assert grade.reason.isprintable()


@given(JSON, st.sampled_from([PERSON, PERSON["properties"]["shape"], {"type": ["object", "null"], "maxProperties": 1}]))
def test_no_json_crashes_it_and_every_reason_is_one_short_line(value, schema):
    grade = json_schema(json.dumps(value), schema)
    assert grade.score in (0.0, 1.0)
    assert grade.passed or len(grade.reason) <= 300
    assert len(grade.reason.splitlines()) == 1


@given(JSON.filter(lambda value: not re.search(r"[0-9]{16}|[0-9]e", json.dumps(value))))
def test_a_schema_accepts_its_constant(value):
    text = json.dumps(value)
    if not any(word in text for word in ("NaN", "Infinity")):
        assert json_schema(text, {"const": value}).passed


def test_jsonschema_is_imported_for_the_first_failure_only():
    code = (
        "import sys; from distilltest.graders import json_schema\n"
        "print([m in sys.modules for m in ('jsonschema', 'jsonschema_rs')])\n"
        "json_schema('3', {}); print('jsonschema' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[False, False]", "False"]


def test_an_answer_takes_at_most_a_tenth_of_the_other_validators_time():
    schema = {k: v for k, v in PERSON.items() if k != "required"}
    answer = '{"name": "Ada", "age": 36, "role": "admin", "code": "abc", "tags": ["a", "b", "c"]}'
    assert json_schema(answer, schema).passed
    validator = jsonschema.validators.validator_for(schema)(schema)

    def least(check, times):
        """Processor seconds for one answer, in the best of five rounds."""
        took = []
        for _ in range(5):
            started = time.process_time()
            for _ in range(times):
                check()
            took.append((time.process_time() - started) / times)
        return min(took)

    ours = least(lambda: json_schema(answer, schema), 1000)
    theirs = least(lambda: validator.is_valid(json.loads(answer)), 50)
    assert ours * 10 < theirs, (ours, theirs)


def nested_alternatives(depth):
    schema, answer = {"type": "string"}, 1
    for _ in range(depth):
        schema = {"anyOf": [{"properties": {"x": schema}}, {"properties": {"x": {"anyOf": [schema, False]}}}]}
        answer = {"x": answer}
    return schema, answer


KEYS = {"a" * 40 + "b" * n: n for n in range(1, 40)}


@pytest.mark.parametrize(
    ("schema", "answer", "reason"),
    [
        ({"uniqueItems": True}, [{"a": n % 9999} for n in range(10_000)], "has non-unique elements"),
        ({"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False}, KEYS, "Additional properties are"),
        ({"patternProperties": {"^(a+)+b$": {"type": "null"}}}, KEYS, "1 is not of type 'null'"),
        ({"patternProperties": {"^(a+)+$": {}}, "unevaluatedProperties": False}, KEYS, "Unevaluated properties"),
        ({"propertyNames": {"pattern": "^(a+)+$"}}, KEYS, "does not match '^(a+)+$'"),
        ({"items": {"type": "integer", "minimum": 0, "maximum": 9}}, [3] * 20_000 + ["x"], "is not of type"),
        ({"items": {"type": "integer", "minimum": 0, "maximum": 9}}, ["x"] + [3] * 20_000, "$[0]: 'x' is not of type"),
        (*nested_alternatives(13), "it takes too long to say where"),
        ({"enum": [[n] * 50 for n in range(5000)]}, [1] * 49 + [2], "is not one of"),
    ],
)
def test_to_say_why_takes_no_longer_than_a_moment(schema, answer, reason):
    text = json.dumps(answer)
    json_schema("3", schema)
    started = time.process_time()
    grade = json_schema(text, schema)
    assert time.process_time() - started < 2
    assert not grade.passed
    assert reason in grade.reason


OBJECT = {"type": "object", "required": ["city"]}


@pytest.mark.parametrize(
    "envelope",
    [
        {"name": "place", "strict": True, "schema": OBJECT},
        {"schema": OBJECT},
        {"type": "json_schema", "json_schema": {"name": "place", "strict": True, "schema": OBJECT}},
        {"type": "json_schema", "name": "place", "description": "where", "strict": True, "schema": OBJECT},
    ],
)
def test_the_response_format_of_a_request_is_its_schema(envelope):
    assert json_schema('{"city": "Rome"}', envelope).passed
    assert json_schema("{}", envelope).reason == "$: 'city' required but missing"


@pytest.mark.parametrize(
    "schema",
    [
        {"foo": 1},
        {"propertys": {"a": {}}},
        {"title": "Place", "description": "where"},
        {"$schema": URIS["draft7"], "$defs": {"a": {"type": "string"}}},
        {"name": "place", "parameters": OBJECT},
        {"name": "place", "schema": {"foo": 1}},
    ],
)
def test_a_schema_that_would_accept_everything_is_refused(schema):
    with pytest.raises(SuiteError, match="accepts everything"):
        json_schema("3", schema)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_no_object_accepts_everything_unless_it_is_empty(schema):
    try:
        accepted = json_schema("3", schema).passed
    except SuiteError:
        return
    assert not (accepted and schema) or any(not json_schema(json.dumps(v), schema).passed for v in ([], {}, "", None))


def test_an_alternative_that_is_false_still_gives_a_reason():
    assert json_schema("3", {"anyOf": [{"type": "string"}, False]}).reason.startswith(
        "$: none of 2 alternatives fits: (1) 3 is"
    )
    assert json_schema('{"x": 3}', {"anyOf": [False, {"properties": {"x": {"type": "null"}}}]}).reason.startswith("$")
