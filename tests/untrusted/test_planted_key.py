"""Servers echo a planted key in every way, and a run leaves no trace of it."""

import base64
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from untrusted.echoing_server import EchoingServer

from distilltest import cli
from distilltest.untrusted import secrets

KEY = "sk-planted/Zq9+x=0123456789.abc"
PASSWORD = "hunter/22+pw-0123456789"
FAILING = ("400", "401", "403", "404", "409", "422", "429", "500", "503", "half", "odd", "text")


@pytest.fixture
def echoing():
    with EchoingServer() as server:
        yield server


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANTED_KEY", KEY)
    monkeypatch.setattr(secrets, "_secrets", secrets._Secrets())
    cases = [{"id": f"q-{n}", "question": f"number {n}", "reference": f"answer {n}"} for n in range(12)]
    (tmp_path / "cases.jsonl").write_text("\n".join(map(json.dumps, cases)) + "\n")
    (tmp_path / "prompt.yaml").write_text('messages:\n  - {role: user, content: "{{ item.question }}"}\n')
    suites = tmp_path / "suites"
    suites.mkdir()
    (suites / "test_numbers.py").write_text(
        "import os\n\nfrom distilltest import at_least, better_than, evaluation\n\n"
        'DECLARED = {"dataset": "cases.jsonl", "prompt": "prompt.yaml", "gate": [at_least(0.9), better_than("base")]}\n'
        f"FAILING = {FAILING}\n\n\n"
        '@evaluation(**{**DECLARED, "gate": [better_than(f"r{kind}") for kind in FAILING]})\n'
        "def test_failing_servers(case, completion, exact_match):\n"
        "    exact_match(completion.text, case.reference)\n\n\n"
        "@evaluation(**DECLARED)\ndef test_numbers(case, completion, exact_match):\n"
        "    exact_match(completion.text, case.reference)\n\n\n"
        "@evaluation(**DECLARED)\ndef test_asserts(case, completion):\n"
        "    assert completion.text == case.reference, f'{completion!r} {dict(os.environ)}'\n\n\n"
        "@evaluation(**DECLARED)\ndef test_judged(case, completion, criteria_match):\n"
        "    criteria_match(completion.text, 'It is right.')\n\n\n"
        "@evaluation(**DECLARED)\ndef test_breaks(case, completion, exact_match):\n"
        "    print(os.environ['PLANTED_KEY'] if 'PLANTED_KEY' in os.environ else '')\n"
        "    raise ValueError(f'{completion!r} {dict(os.environ)}')\n"
    )
    return tmp_path


def configure(root, userinfo, server, key):
    """A server for each kind of failure, with one role each."""
    address = f"http://{userinfo}{server.address}"
    lines = ["servers:"]
    for kind in ("200", *FAILING):
        lines.append(f"  s{kind}: {{base_url: '{address}/v1-{kind}', max_retries: 0, timeout: 5{key}}}")
    roles = {"base": "200", "teacher": "200", "candidate": "200", **{f"r{kind}": kind for kind in FAILING}}
    lines += ["models:", *(f"  {role}: {{server: s{kind}, model: m-{role}}}" for role, kind in roles.items())]
    lines += ["judge: {server: s200, model: judge}"]
    (root / "distilltest.yaml").write_text("\n".join(lines) + "\n")


def forms(secret):
    """The forms to search for: the secret in addresses, in JSON, and its inner part in base64 at any offset."""
    yield secret
    yield quote(secret)
    yield quote(secret, safe="")
    yield quote(quote(secret, safe=""), safe="")
    yield "".join(f"\\u{ord(sign):04x}" for sign in secret)
    yield "".join(f"&#{ord(sign)};" for sign in secret)
    for before in range(3):
        yield base64.b64encode(b"x" * before + secret.encode())[4:-4].decode()
    yield secret[4:-4]  # and most of it


def found(root, output, secret):
    """The places that contain the secret in any form: files below the folder, and output."""
    texts = {"output": output.encode()}
    for path in root.rglob("*"):
        if path.is_file() and path.name != "distilltest.yaml":
            texts[str(path.relative_to(root))] = path.read_bytes()
    assert any(name.endswith("store.sqlite3") for name in texts), sorted(texts)
    return [(name, form) for form in forms(secret) for name, text in texts.items() if form.encode() in text]


def pytest_run(root, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "suites", "-v", "--junitxml=junit.xml", "-rA", *arguments],
        cwd=root,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OPENAI_LOG": "debug"},
    )
    assert list(root.glob("reports/*/report.md")), done.stdout + done.stderr
    return done.stdout + done.stderr


AUTHORISED = pytest.mark.parametrize(
    ("userinfo", "key", "secret"),
    [
        ("", ", api_key: '${PLANTED_KEY}'", KEY),
        (f"bob:{quote(PASSWORD, safe='')}@", "", PASSWORD),
    ],
    ids=["key", "password"],
)


@AUTHORISED
def test_pytest_leaves_no_trace_of_the_key(root, echoing, userinfo, key, secret):
    configure(root, userinfo, echoing, key)
    output = pytest_run(root)
    assert found(root, output, secret) == []
    assert echoing.keys == {secret if key else f"bob:{secret}"}  # it was sent, and came back
    assert secrets.MASK in output
    for path in [*root.glob("reports/*/report.*"), root / "junit.xml"]:
        assert secrets.MASK in path.read_text(), path
    path = next(root.glob("reports/*/report.json"))
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
    report = path.read_text()
    for words in ("HTTP 400", "HTTP 401", "HTTP 500", "is not a chat completion"):
        assert words in report


@AUTHORISED
def test_commands_leave_no_trace_of_the_key(root, echoing, userinfo, key, secret, capfd, monkeypatch):
    configure(root, userinfo, echoing, key)
    monkeypatch.chdir(root)
    lines = [
        {"messages": [{"role": "user", "content": f"number {n}"}, {"role": "assistant", "content": f"answer {n}"}]}
        for n in range(12)
    ]
    (root / "train.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    commands = [
        ["collect", "--role", "teacher", "--dataset", "cases.jsonl", "--out", "answers.jsonl"],
        *(["collect", "--role", f"r{kind}", "--dataset", "cases.jsonl"] for kind in FAILING),
        ["completions", "import", "--from-server", "s200"],
        ["completions", "import", "--from-server", "s401"],
        ["completions", "list"],
        ["completions", "list", "--jsonl"],
        ["completions", "export", "out.jsonl"],
        ["finetune", "start", "train.jsonl", "--watch"],
        ["finetune", "start", "train.jsonl", "--again"],
        ["finetune", "list"],
        *([["finetune", action, "ftjob-1"] for action in ("show", "watch", "checkpoints", "cancel")]),
    ]
    codes = {}
    for arguments in commands:
        codes[" ".join(arguments)] = cli.main(arguments)
    shown = Path("out.jsonl").read_text()
    output = "".join(capfd.readouterr())
    assert found(root, output + shown, secret) == []
    assert {name: code for name, code in codes.items() if code not in (0, 3, 11)} == {}, output
    assert codes["finetune start train.jsonl --watch"] == 0, output
    assert secrets.MASK in output
    base = (root / "distilltest.yaml").read_text()
    for kind in ("401", "404", "500", "half", "odd"):
        (root / "distilltest.yaml").write_text(base.replace("base: {server: s200", f"base: {{server: s{kind}"))
        for action in (["start", "train.jsonl", "--again"], ["list"], ["show", "ftjob-1"], ["cancel", "ftjob-1"]):
            assert cli.main(["finetune", *action]) in (0, 3, 11)
    assert found(root, "".join(capfd.readouterr()), secret) == []
    assert echoing.keys == {secret if key else f"bob:{secret}"}
