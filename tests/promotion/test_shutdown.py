"""When a model ends, as far as its server tells: near, past, of its base, and servers that tell nothing."""

import json
from datetime import date

import pytest
from completions.scripted_server import Reply, ScriptedServer
from plugin.answering_server import AnsweringServer

from distilltest.config import load_config
from distilltest.promotion.shutdown import ask_shutdown

TODAY = date(2026, 11, 21)


def ask(tmp_path, url, model, key=""):
    (tmp_path / "distilltest.yaml").write_text(
        f"servers: {{local: {{base_url: '{url}', max_retries: 0{key}}}}}\nmodels: {{base: {{server: local, model: b}}}}\n"
    )
    return ask_shutdown(load_config(tmp_path), "local", model, TODAY)


@pytest.mark.parametrize(
    ("ends", "warns", "past"),
    [
        ("2027-02-19", True, False),
        ("2027-02-20", False, False),
        ("2026-11-22", True, False),
        ("2026-11-21", False, True),
    ],
)
def test_ninety_days_before_it_warns_and_from_the_day_on_it_refuses(tmp_path, ends, warns, past):
    with AnsweringServer() as server:
        server.shutdown_dates = {"m": ends}
        found = ask(tmp_path, server.base_url, "m")
    assert (bool(found.warning), bool(found.past)) == (warns, past)
    assert found.date == ends


def test_a_fine_tune_ends_with_its_base(tmp_path):
    with AnsweringServer() as server:
        server.shutdown_dates = {"ft:mini:acme::x": None, "mini": "2026-12-01"}
        found = ask(tmp_path, server.base_url, "ft:mini:acme::x")
    assert found.warning == "mini, and with it ft:mini:acme::x, is shut down on 2026-12-01, in 10 days."


def test_the_embedded_server_tells_what_a_file_in_its_folder_says(tmp_path):
    folder = tmp_path / ".distilltest" / "embedded"
    folder.mkdir(parents=True)
    (folder / "shutdown_dates.json").write_text(json.dumps({"embedded-teacher": "2026-12-01"}))
    config = load_config(tmp_path)
    assert "in 10 days" in ask_shutdown(config, "embedded", "embedded-teacher", TODAY).warning
    assert ask_shutdown(config, "embedded", "embedded-student", TODAY).date is None


def test_a_server_without_the_endpoint_is_no_error(tmp_path):
    with ScriptedServer(lambda _n, _body: Reply(text="x")) as bare:
        found = ask(tmp_path, bare.base_url, "m")
    assert (found.date, found.warning, found.past) == (None, "", "")


def test_a_server_that_cannot_be_asked_is_a_remark(tmp_path, monkeypatch):
    assert "is not known" in ask(tmp_path, "http://127.0.0.1:9/v1", "m").warning
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    assert (
        "NO_SUCH_KEY, which is not set"
        in ask(tmp_path, "http://127.0.0.1:9/v1", "m", ", api_key: '${NO_SUCH_KEY}'").warning
    )
