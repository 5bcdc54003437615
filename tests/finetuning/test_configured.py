"""Setting the candidate in distilltest.yaml: one value changes, everything else stays, or nothing is written."""

import pytest

from distilltest.config import load_config
from distilltest.errors import ConfigError
from distilltest.finetuning.configured import set_candidate

BASE = "models:\n  base: {server: embedded, model: embedded-student}\n"
BLOCK = "models:\n    base:   # student\n        server: embedded\n        model: m   # small\n        temperature: 0\n"


def changed(tmp_path, text, model="ft:x:y"):
    path = tmp_path / "distilltest.yaml"
    path.write_bytes(text.encode())
    set_candidate(load_config(tmp_path), model)
    assert load_config(tmp_path).model("candidate").model == model
    return path.read_bytes().decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            BASE + "  candidate: {server: embedded, model: ft:old, temperature: 0}  # on trial\ngate: {alpha: 0.05}\n",
            BASE
            + '  candidate: {server: embedded, model: "ft:x:y", temperature: 0}  # on trial\ngate: {alpha: 0.05}\n',
        ),
        (
            BASE + "  candidate:\n    # tuned in May\n    model: 'old'   # soon another\n    server: embedded\n",
            BASE + '  candidate:\n    # tuned in May\n    model: "ft:x:y"   # soon another\n    server: embedded\n',
        ),
        (
            BASE + "\n# what it may cost\ngate: {alpha: 0.05}\n",
            BASE + "  candidate: {server: embedded, model: 'ft:x:y'}\n\n# what it may cost\ngate: {alpha: 0.05}\n",
        ),
        (
            f"{BLOCK}\n\n# end",
            f"{BLOCK}    candidate: {{server: embedded, model: 'ft:x:y', temperature: 0}}\n\n\n# end",
        ),
        (
            "models: {base: {server: embedded, model: m}}\n",
            "models: {base: {server: embedded, model: m}, candidate: {server: embedded, model: 'ft:x:y'}}\n",
        ),
        (
            BASE.replace("\n", "\r\n") + "gate: {alpha: 0.05}\r\n",
            BASE.replace("\n", "\r\n") + "  candidate: {server: embedded, model: 'ft:x:y'}\r\ngate: {alpha: 0.05}\r\n",
        ),
        (
            "models:\n  base: {server: embedded, model: m}",
            "models:\n  base: {server: embedded, model: m}\n  candidate: {server: embedded, model: 'ft:x:y'}\n",
        ),
    ],
)
def test_only_the_candidate_changes(tmp_path, before, after):
    assert changed(tmp_path, before) == after


def test_the_same_candidate_again_changes_nothing(tmp_path):
    once = changed(tmp_path, BASE)
    path = tmp_path / "distilltest.yaml"
    set_candidate(load_config(tmp_path), "ft:x:y")
    assert path.read_text().replace('"', "'") == once.replace('"', "'")
    assert [p.name for p in tmp_path.iterdir()] == ["distilltest.yaml"]


@pytest.mark.parametrize(
    "text",
    [
        "models:\n  base: &b {server: embedded, model: m}\n  candidate: *b\n",
        "models:\n  base: {server: embedded, model: &m old}\n  candidate: {server: embedded, model: *m}\n",
        BASE + "  candidate: {server: embedded, model: &c old}\n  other: {server: embedded, model: *c}\n",
        "gate: {alpha: 0.05}\n",
        "models: {}\n",
    ],
)
def test_what_cannot_be_changed_alone_is_left_as_it_was(tmp_path, text):
    path = tmp_path / "distilltest.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"distilltest\.yaml.*yourself"):
        set_candidate(load_config(tmp_path), "ft:x:y")
    assert path.read_text() == text
    assert [p.name for p in tmp_path.iterdir()] == ["distilltest.yaml"]


def test_without_a_file_the_error_says_what_to_write(tmp_path):
    with pytest.raises(ConfigError, match="there is no such file"):
        set_candidate(load_config(tmp_path), "ft:x:y")
    assert not list(tmp_path.iterdir())


def test_rights_of_the_file_stay(tmp_path):
    path = tmp_path / "distilltest.yaml"
    path.write_text(BASE)
    path.chmod(0o640)
    set_candidate(load_config(tmp_path), "ft:x:y")
    assert path.stat().st_mode & 0o777 == 0o640
