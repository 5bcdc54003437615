"""distilltest.yaml and prompt files: what they mean, and every mistake with its place."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distilltest.config import load_config
from distilltest.errors import ConfigError, DistilltestError, PromptError
from distilltest.prompt import load_prompt
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
    ],
)
def test_a_mistake_in_the_configuration_is_named(tmp_path, text, words):
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, text)
    assert words in str(caught.value)


def test_a_secret_that_is_not_set_names_its_variable(tmp_path, monkeypatch):
    monkeypatch.delenv("KEY_FOR_TEST", raising=False)
    loaded = config(tmp_path, SERVER + "models:\n  base: {server: s, model: m}\n")
    with pytest.raises(ConfigError, match="KEY_FOR_TEST"):
        loaded.server("s")


def test_a_price_that_is_no_number_is_named(tmp_path):
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
        ('messages:\n  - {role: user, content: "{{ itm.x }}"}\n', "message 1: {{ itm.x }} is no field"),
        ('messages:\n  - {role: user, content: "{{ item.__class__() }}"}\n', "is no field"),
        ("messages: [\n", "not YAML"),
    ],
)
def test_a_mistake_in_a_prompt_is_named(tmp_path, text, words):
    with pytest.raises(PromptError) as caught:
        prompt(tmp_path, text)
    assert words in str(caught.value)


def test_a_field_that_a_case_does_not_have_is_named_with_the_fields_it_has(tmp_path):
    made = prompt(tmp_path, 'messages:\n  - {role: user, content: "{{ item.question }}"}\n')
    with pytest.raises(PromptError, match="Its fields are id, text"):
        made.render(Case("x", {"id": "x", "text": "t"}, place="d.jsonl:3"))
