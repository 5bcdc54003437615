"""distilltest.yaml and prompt files: their values, and every mistake with its place."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distilltest.config import load_config
from distilltest.data.prompt import load_prompt
from distilltest.errors import ConfigError, DistilltestError, PromptError
from distilltest.records import Case

SERVER = "servers:\n  s: {base_url: http://x/v1/, api_key: '${KEY_FOR_TEST}'}\n"


def config(folder, text):
    (folder / "distilltest.yaml").write_text(text)
    return load_config(folder)


def test_without_a_file_the_embedded_server_plays_base_and_teacher(tmp_path):
    loaded = load_config(tmp_path)
    assert set(loaded.models) == {"base", "teacher"}
    assert loaded.server("embedded").embedded


def test_a_model_has_its_server_parameters_and_prompt(tmp_path, monkeypatch):
    monkeypatch.setenv("KEY_FOR_TEST", "secret")
    loaded = config(
        tmp_path,
        SERVER + "models:\n  base: {server: s, model: m, temperature: 0, parameters: {top_k: 3}, prompt: p.yaml}\n",
    )
    base = loaded.model("base")
    assert (base.base_url, base.prompt) == ("http://x/v1", "p.yaml")
    assert base.parameters == {"temperature": 0, "top_k": 3}
    assert loaded.server("s").api_key == "secret"
    assert "secret" not in repr(loaded)
    assert loaded.with_model("candidate", "ft:m").model("candidate").parameters == base.parameters


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("servrs: {}\n", "distilltest.yaml:1: unknown key 'servrs' in the file. Did you mean 'servers'?"),
        (SERVER + "models:\n  base: {server: s, model: m, prmpt: x}\n", "distilltest.yaml:4: unknown key 'prmpt'"),
        (
            SERVER + "models:\n  base: {server: t, model: m}\n",
            "distilltest.yaml:4: models.base: there is no server 't'",
        ),
        ("gate:\n  alpha: 2\n", "distilltest.yaml:2: gate.alpha: 2 is"),
        ("servers:\n  s:\n    base_url: 3\n", "distilltest.yaml:3: servers.s.base_url"),
        ("a: [\n", "not YAML"),
        ("prices: p.yaml\n", "there is no such price file"),
        ("servers:\n  s: {base_url: http://x, api_key: sk-123}\n", "servers.s.api_key"),
        (SERVER + "models: {}\nservers: {}\n", "distilltest.yaml:4: the key 'servers' is there twice, first on line 1"),
        (
            "servers:\n  s:\n    base_url: http://x\n    max_concurrency: 1e9\n",
            ":4: servers.s.max_concurrency: 1000000000.0",
        ),
        (
            "servers:\n  s:\n    base_url: http://x\n    max_concurrency: -1\n",
            ":4: servers.s.max_concurrency: -1 is less",
        ),
        ("servers: {s: {base_url: http://x, max_concurrency: 1000000000}}", "is greater than the maximum of 10000"),
        ("servers: {s: {base_url: http://x, timeout: 1e30}}", "servers.s.timeout: 1e+30 is greater"),
        ("servers: {s: {base_url: http://x, max_retries: 3.0}}", "3.0 is not of type 'integer'"),
        ("servers: {s: {base_url: 'http://'}}", "servers.s.base_url"),
        (
            "servers:\n  s:\n    base_url: 'http://[x/v1'\n",
            "distilltest.yaml:3: servers.s.base_url: 'http://[x/v1' is not a URL",
        ),
        ("servers: {s: {base_url: 'http://x:99999999/v1'}}", "is not a URL: Port out of range"),
        ("servers: {s: {base_url: 'http:///v1'}}", "names no host"),
        ("servers: {s: {base_url: 'http://a b/v1'}}", "has a space or a control character"),
        ("servers: {s: {base_url: 'ftp://x'}}", "servers.s.base_url"),
        (SERVER + "models:\n  base: {server: s, model: ''}\n", "models.base.model: '' should be non-empty"),
        (
            SERVER + "models:\n  base: {server: s, model: m, temperature: '0'}\n",
            ":4: models.base.temperature: '0' is not of",
        ),
        (
            SERVER + "models:\n  base: {server: s, model: m, temperature: .5}\n",
            "Write the number without quotes and as JSON",
        ),
        (SERVER + "models:\n  base: {server: s, model: m, parallel_tool_calls: yes}\n", "Write true or false"),
        (SERVER + "models:\n  base: {server: s, model: 5}\n", "models.base.model: 5 is not of type 'string'"),
        ("retention: {days: 100000000000}\n", "retention.days"),
        ("- a\n", "distilltest.yaml:1: the file: ['a'] is not of type 'object'"),
        ("servers: " + "[" * 500 + "]" * 500, "distilltest.yaml:1: lists and objects are nested more than 100 deep"),
        ('servers: "' + "x" * 100_000 + '"', "is not of type 'object'"),
        ("prices: 'a\\0b'\n", "there is no such price file"),
    ],
)
def test_a_mistake_in_the_configuration_is_named(tmp_path, text, words):
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, text)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_secret_that_is_not_set_names_its_variable(tmp_path, monkeypatch):
    monkeypatch.delenv("KEY_FOR_TEST", raising=False)
    loaded = config(tmp_path, SERVER + "models:\n  base: {server: s, model: m}\n")
    with pytest.raises(ConfigError, match="KEY_FOR_TEST"):
        loaded.server("s")


def test_a_price_that_is_not_a_number_is_named(tmp_path):
    (tmp_path / "p.yaml").write_text("m: {input: cheap}\n")
    with pytest.raises(ConfigError, match=r"m\.input is 'cheap'"):
        config(tmp_path, "prices: p.yaml\n")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(max_size=60))
def test_no_configuration_crashes_it(tmp_path, text):
    (tmp_path / "distilltest.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        load_config(tmp_path)
    except DistilltestError as error:
        assert "distilltest.yaml" in str(error)  # noqa: PT017  # an error is allowed, not demanded


def prompt(folder, text):
    path = folder / "p.yaml"
    path.write_text(text)
    return load_prompt(path, "p.yaml")


def test_fields_are_filled_in_and_never_executed(tmp_path):
    made = prompt(tmp_path, 'messages:\n  - {role: user, content: "{{ item.a.b[1] }} / {{item.c}} / {{ item.d }}"}\n')
    case = Case("x", {"a": {"b": [1, "two"]}, "c": {"k": 1}, "d": "{{ item.c }} {0} %s"})
    assert made.render(case)[0]["content"] == 'two / {"k":1} / {{ item.c }} {0} %s'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("messages: []\n", 'a prompt file has "messages:"'),
        ("- a\n", 'a prompt file has "messages:"'),
        ("messages:\n  - {role: boss, content: x}\n", "message 1 has the role 'boss'"),
        ("messages:\n  - {role: user}\n", 'message 1 needs "role" and "content"'),
        ('messages:\n  - {role: user, content: "{{ itm.x }}"}\n', "message 1: {{ itm.x }} is not a field"),
        ('messages:\n  - {role: user, content: "{{ item.__class__() }}"}\n', "is not a field"),
        ("messages: [\n", "not YAML"),
        (
            "messages:\n  - {role: user, content: x}\n  - {role: [], content: x}\n",
            "p.yaml:3: message 2 has the role []",
        ),
        ("messages:\n  - {role: user, content: 2026}\n", 'message 1 needs "role" and "content"'),
        ('messages:\n  - {role: user, content: "{{ item[' + "9" * 5000 + '] }}"}\n', "is not a field"),
        ("a: &a [x]\nmessages:\n  - &b [*b]\n", "p.yaml:3: *b is inside its own anchor"),
    ],
)
def test_a_mistake_in_a_prompt_is_named(tmp_path, text, words):
    with pytest.raises(PromptError) as caught:
        prompt(tmp_path, text)
    assert words in str(caught.value)


@pytest.mark.parametrize("unclosed", ["{{" + " " * 200_000, "{{" * 200_000, "{{ a " * 50_000, "}}" + "{" * 200_000])
def test_braces_that_are_never_closed_are_text_and_take_no_time(tmp_path, unclosed):
    (tmp_path / "p.json").write_text(json.dumps({"messages": [{"role": "user", "content": "{{ item.a }}" + unclosed}]}))
    made = load_prompt(tmp_path / "p.json")
    assert made.render(Case("x", {"a": "b"}))[0]["content"] == "b" + unclosed


def test_a_field_that_a_case_does_not_have_is_named_with_the_fields_it_has(tmp_path):
    made = prompt(tmp_path, 'messages:\n  - {role: user, content: "{{ item.question }}"}\n')
    with pytest.raises(PromptError, match="Its fields are id, text"):
        made.render(Case("x", {"id": "x", "text": "t"}, place="d.jsonl:3"))
